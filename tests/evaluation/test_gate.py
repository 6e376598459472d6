"""The regression gate: what is worse, and what cannot be compared."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mamtra.cli.evaluate import app
from mamtra.errors import CorpusError
from mamtra.evaluation.gate import compare, read_row

WORDS = [8] * 40


def row(wrong: list[float], **other: object) -> dict:
    return {
        "set_sha256": "a",
        "profile": "spoken",
        "language": "en",
        "judges": [{"name": "ear", "version": "1"}],
        "systems": {"m": {"words_by_line": WORDS, "wrong_by_line": {"ear": wrong}}},
        **other,
    }


def test_more_wrong_words_than_chance_are_worse_and_fewer_are_not() -> None:
    before = row([0, 1] * 20)
    (same,) = compare(before, before)
    (worse,) = compare(row([1, 2] * 20), before)
    (chance,) = compare(row([0, 1] * 19 + [1, 0]), before)
    (better,) = compare(row([0, 0] * 20), before)
    assert [v.worse for v in (same, worse, chance, better)] == [False, True, False, False]
    assert worse.difference.interval.value == 0.125


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"set_sha256": "b"}, "differ in set_sha256"),
        ({"profile": "f5"}, "differ in profile"),
        ({"judges": [{"name": "ear", "version": "2"}]}, "no judge is the same"),
        ({"systems": {"x": {}, "y": {}}}, "has several systems; choose one of: x, y"),
    ],
)
def test_what_differs_is_not_compared(other: dict, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        compare(row([0] * 40), row([0] * 40, **other))


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"benchmark": "say"}'])
def test_a_file_without_figures_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "row.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CorpusError):
        read_row(path)


def test_the_last_row_of_a_file_counts(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row([number] * 40)) + "\n" for number in (1, 2)))
    assert read_row(path)["systems"]["m"]["wrong_by_line"]["ear"][0] == 2


def test_a_model_is_not_worse_than_itself_and_worse_than_a_perfect_one(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    lines = tmp_path / "lines.txt"
    lines.write_text("Hello there.\nGood morning.\nSee you soon.\nIt was late.\n")
    common = ["--model", str(tiny_model_folder), "--sentences", str(lines)]
    common += ["-o", str(tmp_path / "out")]

    def run(*arguments: str) -> int:
        judge = [] if "--judge" in arguments else ["--judge", "pocketsphinx:choice"]
        given = [*arguments, *judge, *common]
        return CliRunner().invoke(app, given, catch_exceptions=False).exit_code

    assert run("intelligibility", "--stage", "speech") == 0
    path = tmp_path / "out" / "scores.json"
    before = tmp_path / "before.json"
    before.write_text(path.read_text())
    assert run("gate", "--baseline", str(before)) == 0
    said = (tmp_path / "out" / "said.jsonl").read_text()
    with pytest.raises(CorpusError, match="differ in set_sha256"):
        run("gate", "--baseline", str(before), "--limit", "2", "--seed", "9")
    with pytest.raises(CorpusError, match="no judge is the same"):
        run("gate", "--baseline", str(before), "--judge", "pocketsphinx", "--seed", "9")
    assert (tmp_path / "out" / "said.jsonl").read_text() == said, "nothing was said for nothing"
    told = json.loads(before.read_text())
    (system,) = told["systems"].values()
    assert sum(system["wrong_by_line"]["pocketsphinx choice"]) > 0
    system["wrong_by_line"]["pocketsphinx choice"] = [-8] * 4
    before.write_text(json.dumps(told))
    assert run("gate", "--baseline", str(before)) == 1


def test_the_gate_speaks_in_the_voice_of_its_baseline(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    lines, model = tmp_path / "lines.txt", str(tiny_model_folder)
    lines.write_text("Hello there.\nGood morning.\n")

    def run(*arguments: str) -> dict:
        given = [*arguments, "--judge", "pocketsphinx:choice", "-o", str(tmp_path / "out")]
        assert CliRunner().invoke(app, given, catch_exceptions=False).exit_code == 0
        return json.loads((tmp_path / "out" / "scores.json").read_text())

    before = tmp_path / "before.json"
    told = run("seed-tts", model, "--set", str(lines), "--voice", "high", "--one-piece")
    before.write_text(json.dumps(told))
    gate = ["gate", "--baseline", str(before), "--model", model, "--sentences", str(lines)]
    after = run(*gate)
    assert (after["voice"], after["one_piece"]) == ("high", True)
    assert run(*gate, "--voice", "low")["voice"] == "low"
