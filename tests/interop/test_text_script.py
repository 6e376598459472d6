"""The page's text rules against Python's: the same words for every line of the readings."""

import json
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx", reason="the page is written beside graphs")
from mamtra.corpus.synthetic.sentences import held_out_sentences
from mamtra.errors import ModelError, TextError
from mamtra.interop.onnx.text_script import (
    Script,
    in_any_case,
    regular_expression,
    text_script,
    without_modifiers,
)
from mamtra.synthesis.text_reader import TextConfig, reader_for
from mamtra.text.normalize import normalize
from mamtra.text.notes import notes

sys.path.append(str(Path(__file__).parents[1] / "text"))
from readings import HELD_OUT, LATER, NEW, REPORTED, read

SHARE = 0.999  # of the lines that must be read as in Python
PIECES_SHARE = 0.99
LONGEST = 120

with_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's programs."""
    folder = tmp_path_factory.mktemp("page")
    for name in ("text.js", "python.js"):
        (folder / name).write_text(
            files("mamtra").joinpath("web", name).read_text("utf-8"), "utf-8"
        )
    (folder / "rules.js").write_text(text_script(), "utf-8")
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def answers(page: Path, call: str, given: list[str]) -> list[Any]:
    """What the page's function gives for each text."""
    (page / "given.json").write_text(json.dumps(given), "utf-8")
    (page / "program.js").write_text(
        'import { readFileSync } from "node:fs";\n'
        'import { normalize, notes, pieces, timedPieces } from "./text.js";\n'
        'const given = JSON.parse(readFileSync("given.json", "utf8"));\n'
        f"console.log(JSON.stringify(given.map((text) => {call})));\n"
    )
    ran = subprocess.run(["node", "program.js"], cwd=page, capture_output=True, check=True)
    return json.loads(ran.stdout)


def spoken(text: str) -> str:
    """What Python makes of it; nothing where nothing can be spoken."""
    try:
        return normalize(text)
    except TextError:
        return ""


@with_node
def test_the_page_reads_every_line_as_python_does(page: Path) -> None:
    lines = [one.written for table in (REPORTED, HELD_OUT, LATER, *NEW) for one in read(table)]
    lines += [
        "Say {HH AH0 L OW1}, or not.",
        "…",
        " ".join(lines[:60]),
        "5 > 3 & 2 < 4",
        "Dear <my name> <oh> [sigh] a",
    ]
    expected = [spoken(line) for line in lines]
    found = answers(page, "normalize(text)", lines)
    wrong = [line for line, a, b in zip(lines, found, expected, strict=True) if a != b]
    assert len(lines) > 900
    assert len(wrong) <= (1 - SHARE) * len(lines), wrong


@with_node
def test_the_page_cuts_paragraphs_into_the_same_pieces(page: Path) -> None:
    sentences = held_out_sentences()
    texts = [" ".join(islice(sentences, first, first + 3)) for first in range(0, len(sentences), 3)]
    bare_sentences = [sentence.rstrip(".?!") for sentence in sentences]
    texts += [", ".join(bare_sentences[first : first + 4]) + "." for first in range(0, 40, 4)]
    reader = reader_for(TextConfig(piece_characters=LONGEST), page)
    found = answers(page, f"pieces(text, {LONGEST})", texts)
    expected = [reader.pieces(text) for text in texts]
    bare = [[re.sub(r"\W+$", "", piece) for piece in one] for one in expected]
    got = [[re.sub(r"\W+$", "", piece) for piece in one] for one in found]
    wrong = [text for text, a, b in zip(texts, got, bare, strict=True) if a != b]
    assert len(wrong) <= (1 - PIECES_SHARE) * len(texts), wrong[:3]
    assert max(len(piece) for one in found for piece in one) <= LONGEST + 1


@with_node
def test_the_page_keeps_the_pauses_that_a_text_asks_for(page: Path) -> None:
    text = 'One. [pause 0.5] Two <break time="250ms"/> <break/> three. [pause]'
    (found,) = answers(page, f"timedPieces(text, {LONGEST})", [text])
    assert [(one["text"], one["pause"]) for one in found] == [
        ("One.", 0.5),
        ("Two.", 0.65),
        ("three.", 0.4),
    ]


@with_node
def test_the_page_tells_what_it_leaves_out_as_python_does(page: Path) -> None:
    texts = [
        "Nothing is left out.",
        "Good morning 🙂, see you 🚀 at 5 €, ½ past, 20 °C.",
        "She said привет to 世界 and ｈｅｌｌｏ, αβγ.",
        "日本語" * 30 + " and 🙂🚀🎉" * 20 + "".join(map(chr, range(0x1F300, 0x1F380))),
        "<p>A <blink>tag</blink> &amp; 5 < 6 > 4</p> [pause 0.5] <wobble/>",
        "A <thing with='an attribute that is longer than thirty characters'> here.",
        "Dear <your name>, <laugh> I [Laugh] <laugh> at [this]; 3 <b and c> 4.",
    ]
    assert answers(page, "notes(text)", texts) == [notes(text) for text in texts]


def test_groups_that_ignore_case_are_written_out() -> None:
    assert without_modifiers(r"a(?i:b[c\d]\w(?:d))e") == r"a(?:[bB][cC\d]\w(?:[dD]))e"
    assert in_any_case(r"(?<!a)\)") == r"(?<![aA])\)"
    assert regular_expression(re.compile(r"(?i)(?P<x>a)")) == 'py.re("(?<x>a)", "i")'
    with pytest.raises(ModelError, match="without an end"):
        without_modifiers("(?i:a[)]")


def asynchronous(match: "re.Match[str]") -> str:
    """Something that is not translated."""
    try:
        return match[0]
    except IndexError:
        return ""


def test_what_cannot_be_translated_is_an_error() -> None:
    with pytest.raises(ModelError, match="has no form in JavaScript"):
        Script().text({"name": asynchronous})
    with pytest.raises(ModelError, match="object has no form"):
        Script().text({"name": object()})
