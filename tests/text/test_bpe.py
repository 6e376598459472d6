"""Qwen's byte pairs with CosyVoice's added tokens, against transformers on a toy vocabulary."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from mamtra.errors import MissingExtraError, ModelError, TextError
from mamtra.text.bpe import ADDED_TOKENS, QwenTokenizer

pytest.importorskip("tokenizers")
QWEN_ENTRIES = 151_643

TEXTS = [
    "hello world",
    "Hello, world! It's 12.5 °C\n\n  and naïve café 世界",
    "don't   stop\t\r\n now ",
    "You are kind<|endofprompt|>hello [laughter] <strong>well</strong> [breath]",
    "",
    "é 😀",
]


def byte_letters() -> list[str]:
    """The 256 characters that stand for bytes in a byte-level vocabulary."""
    tokenizers = importlib.import_module("tokenizers")
    return sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def write_vocabulary(folder: Path) -> dict[str, int]:
    merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "Ġw o", "r l", "rl d", "Ã ©", "1 2"]
    entries = [*byte_letters(), *(merge.replace(" ", "") for merge in merges)]
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges), encoding="utf-8")
    return vocabulary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_vocabulary(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore")
def test_ids_equal_those_of_transformers(folder: Path) -> None:
    qwen = pytest.importorskip("transformers").Qwen2Tokenizer
    theirs = qwen.from_pretrained(str(folder))
    theirs.add_special_tokens(
        {
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "additional_special_tokens": list(ADDED_TOKENS[1:]),
        }
    )
    ours = QwenTokenizer(folder)
    assert ours.size == len(theirs)
    for token, index in ours.added.items():
        assert theirs.convert_tokens_to_ids(token) == index
    for text in TEXTS:
        assert ours.encode(text) == theirs(text)["input_ids"]
        assert ours.decode(ours.encode(text)) == theirs.decode(theirs(text)["input_ids"])


def test_added_tokens_have_the_published_ids(tmp_path: Path) -> None:
    entries = [*byte_letters(), *(f"filler{i}" for i in range(QWEN_ENTRIES - 256))]
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    added = QwenTokenizer(tmp_path).added
    assert added["<|endoftext|>"] == 151_643
    assert added["<|im_end|>"] == 151_645
    assert added["<|endofprompt|>"] == 151_646
    assert added["[laughter]"] == 151_651
    assert added["[mn]"] == 151_662


def test_text_comes_back(folder: Path) -> None:
    tokenizer = QwenTokenizer(folder)
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_vocabulary_is_found_in_the_published_folder(tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "CosyVoice-BlankEN")
    assert QwenTokenizer(tmp_path).encode("hello") == [260 - 1]


@pytest.mark.parametrize("as_text", [True, False])
def test_of_a_tokenizer_json_only_the_pairs_are_read(tmp_path: Path, as_text: bool) -> None:
    vocabulary = write_vocabulary(tmp_path / "pairs")
    lines = (tmp_path / "pairs" / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    merges = lines if as_text else [line.split(" ") for line in lines]
    held = {
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
        "added_tokens": [{"id": 900, "content": "<tool>"}],
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(held), encoding="utf-8")
    ours, pairs = QwenTokenizer(tmp_path), QwenTokenizer(tmp_path / "pairs")
    assert ours.added == pairs.added
    assert [ours.encode(text) for text in TEXTS] == [pairs.encode(text) for text in TEXTS]


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_missing_file_is_named_with_what_to_fetch(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"no {name} in .* fetch CosyVoice-BlankEN/{name} from"):
        QwenTokenizer(folder)


def test_missing_folder_says_what_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"vocab\.json and CosyVoice-BlankEN/merges\.txt"):
        QwenTokenizer(tmp_path / "nowhere")


def test_broken_file_is_an_error_of_ours(folder: Path) -> None:
    (folder / "vocab.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot read the vocabulary"):
        QwenTokenizer(folder)


def test_unknown_id_is_an_error(folder: Path) -> None:
    tokenizer = QwenTokenizer(folder)
    with pytest.raises(TextError, match="is not in the vocabulary"):
        tokenizer.decode([tokenizer.size])


def test_missing_package_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"\[cosyvoice\]"):
        QwenTokenizer(folder)
