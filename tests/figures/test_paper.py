"""The paper's tables with ours beside: arithmetic, committed rows, and what is missing."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mamtra.cli.evaluate import app
from mamtra.errors import CorpusError
from mamtra.figures.paper import growth_finding, operations_table, paper_tables
from mamtra.figures.paper_speech import laboratory_lines, speech_table
from mamtra.sizing.sizes import COSYVOICE2, TOY

ROOT = Path(__file__).parents[2]


def test_operations_and_parameters_of_every_ratio_stand_beside_the_papers() -> None:
    rows = {row[0]: row for row in operations_table(COSYVOICE2).rows}
    assert list(rows) == ["1:0", "1:1", "1:3", "1:5", "1:11"]
    assert rows["1:0"][1:3] == ("1.78", "1.78")
    assert rows["1:1"][1:3] == ("1.64", "1.64")
    parameters = [float(row[4]) for row in rows.values()]
    assert parameters == sorted(parameters)  # a hybrid has more than its teacher
    states = [float(row[-1].replace(",", "")) for row in rows.values()]
    assert states == sorted(states, reverse=True)


def test_cells_come_from_the_committed_rows() -> None:
    tables = {grid.title: grid for grid in paper_tables([TOY], ROOT)}
    losses = {row[0]: row for row in tables["Table 4"].rows}
    kept = json.loads((ROOT / "docs/pictures/lab-losses.json").read_text())["bars"]
    for bar in kept:
        if bar["what"] in losses:
            assert losses[bar["what"]][2] == f"{bar['wer']:.1f}"
    (figures,) = (grid for title, grid in tables.items() if title.startswith("Figures"))
    assert [row[0][0] for row in figures.rows] == ["3", "4", "5", "6"]
    assert all("not measured" not in row[2] for row in figures.rows), "every cell of nano is filled"
    assert all("not measured" not in figures.rows[place][3] for place in (0, 2))


def test_growth_on_a_card_is_that_of_one_row_and_names_its_card() -> None:
    rows = [
        json.loads(line)
        for line in (ROOT / "benchmarks/results/gpu.jsonl").read_text().splitlines()
    ]
    cards = [
        row["provenance"]["machine"]["gpu"]
        for row in rows
        if {"1:0", "1:1"} <= {name for name, found in row["results"].items() if "decode" in found}
        and row["settings"]["part"] == "one stream"
    ]
    told = growth_finding(ROOT, "gpu.jsonl", "cosyvoice2 --device cuda")
    assert f"{cards[-1]}: 1:0 1.15, 1:1 1.12, 1:5 1.07 (gpu.jsonl)" in told


def test_every_cell_of_nano_in_table_3_is_filled() -> None:
    lines = [row for row in speech_table(ROOT).rows if row[0].startswith("nano")]
    ratios = {"nano-teacher", "nano", "nano-1-3", "nano-1-5", "nano-1-11"}
    for kind in ("everyday", "unpredictable", "length"):
        assert ratios <= {row[0] for row in lines if row[1].startswith(kind)}
    assert not any("not measured" in cell or not cell for row in lines for cell in row)
    spoken = [row for row in lines if not row[1].startswith("length")]
    assert all(cell != "-" for row in spoken for cell in row)


def test_without_rows_every_cell_names_its_command(tmp_path: Path) -> None:
    told = "\n".join(grid.markdown() for grid in paper_tables([], tmp_path))
    for command in (
        "evaluate seed-tts",
        "lab losses",
        "lab ratios",
        "lab starts",
        "bench decode --model nano --targets baseline,1:0,1:1",
        "bench decode --model nano --targets 1:0,1:1 --contexts",
        "bench decode --model cosyvoice2 --targets baseline,1:0,1:1",
        "bench decode --model cosyvoice2 --device cuda --targets 1:0,1:1 --contexts",
    ):
        assert f"not measured here: mamtra {command}" in told


def test_a_damaged_file_of_rows_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    (tmp_path / "docs" / "pictures" / "lab-losses.json").write_text("{")
    with pytest.raises(CorpusError, match="cannot read"):
        paper_tables([], tmp_path)


def test_the_command_prints_and_writes_the_tables(tmp_path: Path) -> None:
    arguments = ["paper", "--model", "toy", "--repository", str(ROOT), "-o", str(tmp_path)]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "Table 4" in done.stdout
    assert (tmp_path / "paper.md").read_text().count("## ") == 5
    assert (tmp_path / "paper.tex").read_text().count(r"\begin{tabular}") == 5


def test_ratios_of_nano_that_no_row_has_come_from_the_laboratory(tmp_path: Path) -> None:
    kept = Path("docs/pictures/lab-ratios.json")
    (tmp_path / kept).parent.mkdir(parents=True)
    shutil.copy(ROOT / kept, tmp_path / kept)
    cells = {row[0]: row for row in speech_table(tmp_path).rows}
    points = json.loads((ROOT / kept).read_text())["points"]
    best = min(point["wer"] for point in points if point["ratio"] == "1:11")
    assert cells["nano-1-11 (laboratory)"][2] == f"pocketsphinx {best:.1f}"
    assert "mamtra nano student-1-11" in cells["nano-1-11 (laboratory)"][3]
    assert laboratory_lines(tmp_path, ["nano-1-3", "nano-1-5", "nano-1-11"]) == []
