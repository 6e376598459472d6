"""The picture of length."""

import json
from pathlib import Path

import pytest

from mamtra.errors import CorpusError
from mamtra.figures.lengths import draw_lengths

KEYS = ("most_words", "utterances", "wer_percent", "degenerate_percent", "state_bytes")
BINS = [
    dict(zip(KEYS, values, strict=True)) for values in ((5, 3, 1.0, 0.0, 9), (10, 2, 4.0, 50.0, 12))
]


def row(bins: list) -> dict:
    return {"set": "lines", "lines": 5, "systems": {"a": {"by_words": bins}}}


def test_a_picture_has_its_row_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_lengths(row(BINS), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert json.loads((tmp_path / "a.json").read_text()) == row(BINS)


def test_a_row_without_words_has_no_picture(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no figures by length"):
        draw_lengths(row([]), tmp_path / "a.png")
