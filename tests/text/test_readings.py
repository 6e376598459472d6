"""The right readings of written lines: all that were reported, and most of those held out."""

from pathlib import Path

import pytest
from readings import HELD_OUT, LATER, NEW, REPORTED, Reading, read, words

from mamtra.text.frontend import by_sentences
from mamtra.text.markup import plain_text
from mamtra.text.normalize import normalize

SHARE = 0.95


@pytest.mark.parametrize("reading", read(REPORTED), ids=lambda reading: reading.written)
def test_what_was_reported_is_read_right(reading: Reading) -> None:
    assert reading.spoken in reading.right


TABLES = [(HELD_OUT, 336), (LATER, 60), *((table, 100) for table in NEW)]


@pytest.mark.parametrize(("table", "lines"), TABLES, ids=lambda value: getattr(value, "stem", None))
def test_most_of_what_was_written_down_is_read_right(table: Path, lines: int) -> None:
    readings = read(table)
    assert len(readings) == lines
    wrong = [reading.written for reading in readings if not reading.is_right]
    assert len(wrong) <= (1 - SHARE) * len(readings), wrong


@pytest.mark.parametrize("table", [REPORTED, HELD_OUT, LATER, *NEW], ids=lambda table: table.stem)
def test_a_line_cut_into_sentences_is_read_as_in_one(table: Path) -> None:
    readings = [reading for reading in read(table) if reading.is_right]
    wrong = [
        one.written
        for one in readings
        if words(by_sentences(plain_text(one.written), normalize)) not in one.right
    ]
    assert not wrong
