"""The right readings of written lines: all that were reported, and most of those held out."""

import pytest
from readings import HELD_OUT, REPORTED, Reading, read

SHARE = 0.95


@pytest.mark.parametrize("reading", read(REPORTED), ids=lambda reading: reading.written)
def test_what_was_reported_is_read_right(reading: Reading) -> None:
    assert reading.spoken in reading.right


def test_most_of_what_was_written_down_beforehand_is_read_right() -> None:
    readings = read(HELD_OUT)
    assert len(readings) >= 300
    wrong = [reading.written for reading in readings if not reading.is_right]
    assert len(wrong) <= (1 - SHARE) * len(readings), wrong
