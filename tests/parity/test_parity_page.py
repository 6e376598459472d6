"""The table of reference cases: every case is in it, and in the test that it names."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
ROW = re.compile(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", re.MULTILINE)
ROWS = dict(ROW.findall((ROOT / "docs" / "parity.md").read_text()))
KEPT = {path.stem for path in (TESTS / "data" / "reference").iterdir()}
OTHERWISE = {"inventory": "INVENTORY"}  # a case without a file: what its test says


def test_every_kept_case_is_in_the_table() -> None:
    assert set(ROWS) >= KEPT
    assert set(ROWS) - KEPT == set(OTHERWISE)


@pytest.mark.parametrize("case", ROWS)
def test_the_named_tests_use_the_case(case: str) -> None:
    for name in re.findall(r"`([^`]+)`", ROWS[case]):
        assert OTHERWISE.get(case, f'"{case}"') in (ROOT / name).read_text()


def test_the_kept_cases_are_small() -> None:
    sizes = [path.stat().st_size for path in (TESTS / "data").rglob("*") if path.is_file()]
    assert sum(sizes) < 6e6
