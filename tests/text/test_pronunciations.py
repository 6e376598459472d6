"""A model's file of pronunciations: which words it puts in phones."""

import gzip
import json
import shutil
import subprocess
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import pytest

from mamtra.errors import ConfigError, ModelError
from mamtra.synthesis.text_reader import TextConfig, reader_for
from mamtra.text.pronunciations import LONGEST_FILE, Pronunciations, read_pronunciations
from mamtra.text.tokenizer import NanoTokenizer

WRITTEN = b"cat\tk ae t\ndog\td ao g\nhouse\thh aw s\no'clock\tax k l aa k\none\tw ah n\n"


@pytest.fixture
def known() -> Pronunciations:
    return Pronunciations(WRITTEN)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Cat, DOG; bird.", "{k ae t}, {d ao g}; bird."),
        ("a cat's dog's house's", "a {k ae t s} {d ao g z} {hh aw s ax z}"),
        ("cat-house and cat-bird", "{k ae t hh aw s} and cat-bird"),
        ("one o'clock", "{w ah n} {ax k l aa k}"),
        ("concat {k ae t} {hello} catdog", "concat {k ae t} {hello} catdog"),
        ("'cat' - '", "'{k ae t}' - '"),
        ("", ""),
    ],
)
def test_known_words_are_put_in_phones(known: Pronunciations, text: str, spelled: str) -> None:
    assert known.spell(text) == spelled


def test_the_first_and_the_last_word_are_found_and_parts_of_lines_are_not(
    known: Pronunciations,
) -> None:
    assert known.phones("cat") == "k ae t"
    assert known.phones("one") == "w ah n"
    assert Pronunciations(WRITTEN.rstrip()).phones("one") == "w ah n"
    assert [known.phones(word) for word in ("bat", "dot", "zoo")] == [None, None, None]
    assert known.phones("ae t") is None
    assert known.phones("k ae t") is None
    assert known.phones("") is None


def test_a_tokenizer_with_pronunciations_reads_as_one_that_is_given_phones(
    known: Pronunciations,
) -> None:
    with_them, plain = NanoTokenizer(known), NanoTokenizer()
    assert with_them.encode("The cat.") == plain.encode("the {k ae t}.")
    assert plain.encode("The cat.") == plain.encode("the cat.")


def test_a_reader_takes_the_file_of_its_model(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(WRITTEN)
    config = TextConfig(pronunciations="words.txt")
    assert reader_for(config, tmp_path).encode("cat") == NanoTokenizer().encode("{k ae t}.")
    assert asdict(TextConfig())["pronunciations"] == ""
    with pytest.raises(ModelError, match="cannot read the pronunciations"):
        reader_for(TextConfig(pronunciations="other.txt"), tmp_path)
    with pytest.raises(ConfigError, match="must name a file in the model's folder"):
        TextConfig(pronunciations="../words.txt")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"cat k ae t\n", b"\x00" * 100):
        (tmp_path / "words.txt").write_bytes(content)
        with pytest.raises(ModelError, match="not a file of pronunciations"):
            read_pronunciations(tmp_path / "words.txt")
    with (tmp_path / "long.txt").open("wb") as file:
        file.truncate(LONGEST_FILE + 1)
    with pytest.raises(ModelError, match="too long"):
        read_pronunciations(tmp_path / "long.txt")
    (tmp_path / "long.txt.gz").write_bytes(gzip.compress(bytes(LONGEST_FILE + 1)))
    with pytest.raises(ModelError, match="too long"):
        read_pronunciations(tmp_path / "long.txt.gz")
    with pytest.raises(ModelError, match="pronunciation of 'cat' is damaged"):
        Pronunciations(b"cat\tk \xff t\n").phones("cat")


def test_a_packed_file_reads_as_the_plain_one_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    packed, path = gzip.compress(WRITTEN), tmp_path / "words.txt.gz"
    path.write_bytes(packed)
    assert read_pronunciations(path).lines == WRITTEN
    for damaged in (WRITTEN, packed[:-9], packed[:20] + b"\xff\xff" + packed[22:]):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="damaged or not packed"):
            read_pronunciations(path)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_page_gives_the_same_ids(known: Pronunciations, tmp_path: Path) -> None:
    texts = [
        "the cat's house, one dog-cat.",
        "o'clock bird-cat 'cat' dogs?",
        "house's; cat",
        "{k ae t} {hh aw s}",
    ]
    program = tmp_path / "program.js"
    page = files("mamtra").joinpath("web", "ids.js").read_text()
    (tmp_path / "ids.js").write_text(page)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    program.write_text(
        'import { Pronunciations, encode } from "./ids.js";\n'
        f"const known = new Pronunciations({json.dumps(WRITTEN.decode())});\n"
        f"console.log(JSON.stringify({json.dumps(texts)}.map((text) => encode(text, known))));\n"
    )
    ran = subprocess.run(["node", program], capture_output=True, text=True, check=True)
    tokenizer = NanoTokenizer(known)
    assert json.loads(ran.stdout) == [tokenizer.encode(text) for text in texts]
