"""Several evaluations in one table, and what is refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mamtra.cli.evaluate import app
from mamtra.errors import ConfigError, CorpusError
from mamtra.evaluation.joint import joint_table

RATE = {"value": 10.0, "low": 5.0, "high": 15.0}
WER = {"all words": RATE, "mean of utterances": RATE}


def row(name: str, **other: object) -> dict:
    apart = {"interval": RATE, "better": 1, "worse": 2, "sign_p": 0.5, "detectable": 3.0}
    figures = {
        "utterances": 7,
        "heard": {"ear": {"wer": WER, "dropped_percent": RATE}},
        "rated": {"mos": {"value": 4.0, "least": 3.0}},
        "degenerate_percent": 0.0,
        "failed": [],
        "baseline": "base",
        "against": {"ear": {"all words": apart, "mean of utterances": apart}},
    }
    judge = {"name": "ear", "package": "p", "version": "1", "sha256": "abc", "settings": {}}
    systems = {"base": figures, "mine": figures}
    return {"set": name, "profile": "spoken", "judges": [judge], "systems": systems, **other}


def test_every_system_of_every_set_is_a_line() -> None:
    grid = joint_table([row("everyday"), row("unpredictable")])
    assert [line[:4] for line in grid.rows] == [
        ("base", "everyday, 7", "ear", "10.0 (5.0 to 15.0)"),
        ("mine", "everyday, 7", "ear", "10.0 (5.0 to 15.0)"),
        ("base", "unpredictable, 7", "ear", "10.0 (5.0 to 15.0)"),
        ("mine", "unpredictable, 7", "ear", "10.0 (5.0 to 15.0)"),
    ]
    assert [line[4] for line in grid.rows[:2]] == ["", "+10.0 (+5.0 to +15.0)"]
    assert grid.rows[0][-2:] == ("4.00 (3.00)", "0.0")
    assert sum("better in 1 and worse in 2" in note for note in grid.notes) == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"judges": [{"name": "ear", "version": "2"}]}, "the judge ear is another one"),
        ({"profile": "f5"}, "different text rules: f5, spoken"),
    ],
)
def test_rows_that_do_not_fit_are_refused(other: dict, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        joint_table([row("a"), row("b", **other)])


def test_the_command_reads_all_rows_of_a_file_and_writes_the_table(tmp_path: Path) -> None:
    path, table = tmp_path / "rows.jsonl", tmp_path / "table.md"
    path.write_text("".join(json.dumps(row(name)) + "\n" for name in "ab"))
    done = CliRunner().invoke(app, ["table", str(path), "-o", str(table)], catch_exceptions=False)
    assert done.exit_code == 0
    assert table.read_text().count("| mine |") == 2
    with pytest.raises(ConfigError, match=r"may be \.md, \.tex"):
        CliRunner().invoke(app, ["table", str(path), "-o", "x.doc"], catch_exceptions=False)
