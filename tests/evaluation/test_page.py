"""The page to listen to: what it plays, what it marks, what comes first."""

import html.parser
from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import Audio, write
from mamtra.evaluation.harness import Judged
from mamtra.evaluation.line_set import Line
from mamtra.evaluation.page import marked, write_page
from mamtra.evaluation.report import Grid
from mamtra.evaluation.run_folder import Said
from mamtra.evaluation.word_errors import marked_words, plain_words

pytest.importorskip("jiwer")

GRID = Grid(("system", "WER %"), (("a & b", "1.0"),), "A <title>", ("a note",))
HEARD = {
    "same": {"good": "we walked home", "bad": "we walked home"},
    "apart": {"good": "see you soon", "bad": "sea soon"},
}
TEXTS = {"same": "We walked home.", "apart": "See you soon."}


class Reader(html.parser.HTMLParser):
    """Notes the sounds and the words of a page in order."""

    def __init__(self) -> None:
        super().__init__()
        self.sounds: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "audio":
            self.sounds.append(str(dict(attrs)["src"]))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    judged, sounds = [], {}
    for line, heard in HEARD.items():
        for system, words in heard.items():
            key = f"{system}-{line}"
            failed = key == "bad-same"
            said = Said(key=key, system=system, run=0, line=line, error="it stuck" * failed)
            judged.append(
                Judged(
                    line=Line(id=line, text=TEXTS[line]),
                    said=said,
                    heard={"ear": words},
                    ratings={"mos": 3.5},
                )
            )
            if not failed:
                sounds[key] = tmp_path / f"{key}.wav"
                write(sounds[key], Audio(samples=np.ones(99, np.float32) / 2, rate_hz=16_000))
    return write_page(tmp_path / "page", judged, sounds, GRID, plain_words)


def test_words_are_aligned_and_marked() -> None:
    assert marked_words("see you there soon", "sea there soon now") == [
        ("see", "sea"), ("you", ""), ("there", "there"), ("soon", "soon"), ("", "now"),
    ]  # fmt: skip
    assert marked_words("", "now") == [("", "now")]
    assert marked("see <you>", "see") == "see <del>&lt;you&gt;</del>"


def test_the_folder_holds_everything_that_the_page_plays(page: Path) -> None:
    reader = Reader()
    reader.feed(page.read_text())
    assert len(reader.sounds) == 3
    assert all((page.parent / sound).is_file() for sound in reader.sounds)
    assert "http" not in page.read_text()
    text = " ".join(reader.words)
    assert "it stuck" in text
    assert "mos 3.50" in text
    assert "A <title>" in text


def test_lines_on_which_systems_differ_come_first(page: Path) -> None:
    text = page.read_text()
    assert text.index("See you soon.") < text.index("We walked home.")


def test_every_clip_has_its_spectrogram(page: Path) -> None:
    pictures = sorted((page.parent / "sounds").glob("*.png"))
    assert [path.stem for path in pictures] == ["bad-apart-0", "good-apart-0", "good-same-0"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert page.read_text().count("<img") == 3
