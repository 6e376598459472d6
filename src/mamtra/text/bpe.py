"""The tokenizer of CosyVoice 2 and 3: Qwen's byte pairs and CosyVoice's added tokens.

The vocabulary is read from the folder that CosyVoice publishes (``CosyVoice-BlankEN``). The added
tokens are not in those files; they are added here in CosyVoice's order, which gives them their ids:
with Qwen's 151,643 entries ``<|endofprompt|>`` is 151,646.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mamtra.errors import ModelError, TextError, require

WHERE = "https://huggingface.co/FunAudioLLM/CosyVoice2-0.5B"
SUBFOLDER = "CosyVoice-BlankEN"

# the order is the numbering: Qwen's three, then CosyVoice's
ADDED_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|endofprompt|>", "[breath]", "<strong>",
    "</strong>", "[noise]", "[laughter]", "[cough]", "[clucking]", "[accent]", "[quick_breath]",
    "<laughter>", "</laughter>", "[hissing]", "[sigh]", "[vocalized-noise]", "[lipsmack]", "[mn]",
)  # fmt: skip

# CosyVoice 3's come behind: a mark, English phones of CMU's dictionary, parts of pinyin
MARKS3 = "cosyvoice3_marks.txt"

# how Qwen cuts text into words before the byte pairs: a fact of its vocabulary
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def added_tokens3() -> tuple[str, ...]:
    """The added tokens of CosyVoice 3."""
    marks = Path(__file__).with_name(MARKS3).read_text(encoding="utf-8")
    return (*ADDED_TOKENS, *marks.split())


def find_vocabulary(folder: Path) -> list[Path]:
    """Give the files of the vocabulary: vocab.json and merges.txt, or tokenizer.json.

    Raises:
        ModelError: the folder or one of the files is missing; the message says what to fetch.
    """
    place = folder / SUBFOLDER if (folder / SUBFOLDER).is_dir() else folder
    pair = [place / "vocab.json", place / "merges.txt"]
    missing = [file.name for file in pair if not file.is_file()]
    if not missing:
        return pair
    if (place / "tokenizer.json").is_file():
        return [place / "tokenizer.json"]
    fetch = " and ".join(f"{SUBFOLDER}/{name}" for name in missing)
    raise ModelError(
        f"no {' and no '.join(missing)} in {str(place)!r}; fetch {fetch} from {WHERE} into it"
    )


def read_pairs(files: list[Path]) -> Any:
    """Read the byte pairs; of a tokenizer.json only those, for its added tokens are not ours.

    Raises:
        ModelError: a file cannot be read as a vocabulary.
    """
    model = require("tokenizers", "cosyvoice").models.BPE
    try:
        if len(files) == 2:
            return model.from_file(*(str(file) for file in files))
        held = json.loads(files[0].read_text(encoding="utf-8"))["model"]
        merges = [tuple(m.split(" ") if isinstance(m, str) else m) for m in held["merges"]]
        return model(held["vocab"], merges)
    except Exception as broken:  # the package raises bare exceptions for every kind of bad file
        names = " and ".join(repr(str(file)) for file in files)
        raise ModelError(
            f"cannot read the vocabulary in {names} ({broken}); fetch it again from {WHERE}"
        ) from broken


class QwenTokenizer:
    """Text to ids and back, with the added tokens of CosyVoice."""

    def __init__(self, folder: str | Path, added: tuple[str, ...] = ADDED_TOKENS) -> None:
        """Read the vocabulary of a folder.

        Args:
            folder: CosyVoice's folder, or the folder of the vocabulary in it.
            added: tokens behind the vocabulary's own, in the order of their ids.

        Raises:
            ModelError: a file is missing or broken.
            MissingExtraError: the package ``tokenizers`` is not installed.
        """
        tokenizers = require("tokenizers", "cosyvoice")
        tokenizer = tokenizers.Tokenizer(read_pairs(find_vocabulary(Path(folder))))
        tokenizer.normalizer = tokenizers.normalizers.NFC()
        words = tokenizers.pre_tokenizers.Split(tokenizers.Regex(WORDS), behavior="isolated")
        to_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([words, to_bytes])
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        tokenizer.add_special_tokens(
            [tokenizers.AddedToken(token, normalized=False) for token in added]
        )
        self._tokenizer, self._added = tokenizer, added

    @property
    def size(self) -> int:
        """Number of ids, added tokens included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def added(self) -> dict[str, int]:
        """The id of each added token."""
        return {token: self._tokenizer.token_to_id(token) for token in self._added}

    def encode(self, text: str) -> list[int]:
        """Give the ids of text; added tokens written in it, as [laughter], have their own id."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def words(self, ids: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Where each word lies: its first id, and the one after its last.

        A word begins with a blank; where there are none, as in Chinese, every id is one.
        """
        found: list[tuple[int, int]] = []
        for place, index in enumerate(ids):
            written = self._tokenizer.decode([index], skip_special_tokens=False)
            if not any(map(str.isalnum, written)):
                continue
            after = found and found[-1][1] == place
            if after and written.isascii() and not written[:1].isspace():
                found[-1] = (found[-1][0], place + 1)
            else:
                found.append((place, place + 1))
        return tuple(found)

    def decode(self, ids: Iterable[int]) -> str:
        """Give the text of ids, added tokens included.

        Raises:
            TextError: an id is outside the vocabulary.
        """
        known = list(ids)
        for index in known:
            if not 0 <= index < self.size:
                raise TextError(f"id {index} is not in the vocabulary; ids end at {self.size - 1}")
        return self._tokenizer.decode(known, skip_special_tokens=False)
