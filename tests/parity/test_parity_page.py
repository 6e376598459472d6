"""The table of reference cases: every case is in it, and in the test that it names."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
ROW = re.compile(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", re.MULTILINE)
HEADINGS = re.compile(r"^## (?:CosyVoice 3|Chatterbox)\n", re.MULTILINE)
PARTS = HEADINGS.split((ROOT / "docs" / "parity.md").read_text())
FOLDERS = ("reference", "cosyvoice3", "chatterbox")
TABLES = {name: dict(ROW.findall(part)) for name, part in zip(FOLDERS, PARTS, strict=True)}
CASES = [(folder, case) for folder, rows in TABLES.items() for case in rows]
OTHERWISE = {"inventory": "INVENTORY"}  # a case without a file: what its test says


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_kept_case_is_in_the_table(folder: str) -> None:
    more = {"inventory"} if folder == "reference" else set()
    kept = {path.stem for path in (TESTS / "data" / folder).iterdir()}
    assert set(TABLES[folder]) == kept | more


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_the_named_tests_use_the_case(folder: str, case: str) -> None:
    for name in re.findall(r"`([^`]+)`", TABLES[folder][case]):
        assert OTHERWISE.get(case, f'"{case}"') in (ROOT / name).read_text()


def test_the_kept_cases_are_small() -> None:
    sizes = [path.stat().st_size for path in (TESTS / "data").rglob("*") if path.is_file()]
    assert sum(sizes) < 6e6
