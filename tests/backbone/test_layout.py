"""Layouts: strings with one letter per layer."""

import pytest

from mamtra.backbone import Layout
from mamtra.errors import LayoutError


@pytest.mark.parametrize(
    ("placement", "ratio", "expected"),
    [
        ("block-begin", (1, 1), list(range(0, 24, 2))),
        ("block-begin", (1, 5), [0, 6, 12, 18]),
        ("block-begin", (1, 11), [0, 12]),
        ("block-end", (1, 3), [3, 7, 11, 15, 19, 23]),
        ("block-end", (1, 11), [11, 23]),
        ("front", (1, 5), [0, 1, 2, 3]),
        ("middle", (1, 5), [10, 11, 12, 13]),
        ("back", (1, 5), [20, 21, 22, 23]),
        ("sandwich", (1, 5), [0, 1, 22, 23]),
    ],
)
def test_placements_are_the_papers(placement, ratio, expected):
    assert Layout.named(placement, *ratio, 24).attention_layers == expected


def test_an_odd_sandwich_has_the_larger_half_in_front():
    assert str(Layout.named("sandwich", 1, 1, 6)) == "AAMMMA"


def test_a_layout_is_read_and_written_as_letters():
    layout = Layout.parse("AMMM AMMM")
    assert layout == Layout.repeat(attention=1, other=3, layers=8)
    assert (str(layout), len(layout), layout[4]) == ("AMMMAMMM", 8, "A")
    assert layout.attention_layers == [0, 4]
    assert Layout.of([0, 4], 8) == layout


def test_a_layout_may_hold_every_kind():
    assert str(Layout.named("back", 1, 2, 6, kind="G")) == "GGGGAA"
    assert Layout.parse("AGMG").attention_layers == [0]
    with pytest.raises(LayoutError, match="'X' at layer 1"):
        Layout.repeat(1, 1, 4, kind="X")


def test_ratios_may_have_one_side_only():
    assert str(Layout.repeat(1, 0, 3)) == "AAA"
    assert str(Layout.named("back", 0, 1, 3)) == "MMM"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Layout.parse("AMX"),
            r"'X' at layer 2; allowed are A \(attention\), M \(Mamba\), G",
        ),
        (lambda: Layout.parse(" "), "at least one layer"),
        (lambda: Layout.repeat(1, 4, 12), r"1:4 has period 5, which does not divide 12 layers"),
        (lambda: Layout.repeat(0, 0, 12), r"0:0 over 12 layers is not possible"),
        (lambda: Layout.named("top", 1, 1, 4), "possible are block-begin, block-end, front"),
        (lambda: Layout.of([4], 4), "layers go from 0 to 3"),
        (lambda: Layout.of([1, 1], 4), "listed twice"),
    ],
)
def test_errors_say_what_is_possible(make, message):
    with pytest.raises(LayoutError, match=message):
        make()
