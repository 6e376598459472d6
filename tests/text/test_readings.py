"""The share of written lines that are read right, over both tables of readings."""

from readings import HELD_OUT, REPORTED, read


def test_most_of_what_was_written_down_beforehand_is_read_right() -> None:
    readings = read(HELD_OUT)
    right = sum(reading.is_right for reading in readings)
    assert right >= 0.83 * len(readings)
    assert len(read(REPORTED)) == 118
