"""What the commands of ``mamtra evaluate`` share: running, the table, the row."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamtra.atomic import append_row, write_file, write_json
from mamtra.cli.progress import tracked
from mamtra.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from mamtra.evaluation.harness import Judged, Judges
    from mamtra.evaluation.line_set import LineSet
    from mamtra.evaluation.report import Grid
    from mamtra.evaluation.run_folder import RunFolder
    from mamtra.evaluation.systems import System
    from mamtra.evaluation.text_rules import Profile

SCORES, TABLE, TEX = "scores.json", "table.md", "table.tex"
PACKAGES = ("jiwer", "onnxruntime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that one evaluation does.

    Attributes:
        kind: the command's name.
        baselines: for a system's name, the one that it is compared with.
        settings: what else belongs into the row.
    """

    kind: str
    line_set: "LineSet"
    systems: "Sequence[System]"
    judges: "Judges"
    profile: "Profile"
    language: str = "en"
    runs: int = 1
    seed: int = 0
    baselines: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def judge_all(evaluation: Evaluation, folder: "RunFolder") -> "list[Judged]":
    """Say and judge what is missing, with a bar of progress."""
    from mamtra.evaluation.harness import judged_lines
    from mamtra.evaluation.scores import check_lines

    lines = evaluation.line_set.lines
    check_lines(lines, evaluation.profile.rule(evaluation.language))
    clips = judged_lines(lines, evaluation.systems, evaluation.judges, folder, evaluation.runs)
    total = len(lines) * len(evaluation.systems) * evaluation.runs
    return list(tracked(clips, total, "speaking and judging"))


def weights_of(system: "System") -> str:
    """A short name for the weights of a model or of a stage of one; recordings have none."""
    return getattr(system, "weights", "")


def row_of(evaluation: Evaluation, judged: "Sequence[Judged]") -> dict[str, Any]:
    """The row: settings, who judged, every system's figures, where they come from."""
    from mamtra.evaluation.scores import score
    from mamtra.evaluation.systems import SpeakingModel
    from mamtra.figures.provenance import provenance

    packages = [judge.identity.package for judge in evaluation.judges.all]
    models = [system for system in evaluation.systems if isinstance(system, SpeakingModel)]
    return {
        "evaluation": evaluation.kind,
        "set": evaluation.line_set.name,
        "lines": len(evaluation.line_set.lines),
        "set_sha256": evaluation.line_set.sha256,
        "profile": evaluation.profile.name,
        "language": evaluation.language,
        "runs": evaluation.runs,
        **evaluation.settings,
        "judges": [judge.identity.row() for judge in evaluation.judges.all],
        "weights": {one.name: found for one in evaluation.systems if (found := weights_of(one))},
        "parameters": {model.name: model.parameters for model in models},
        "systems": score(
            judged, evaluation.profile, evaluation.language, evaluation.baselines, evaluation.seed
        ),
        "provenance": provenance(evaluation.seed, [*PACKAGES, *packages]),
    }


def evaluate(
    evaluation: Evaluation,
    output: Path | None,
    rows: Path | None = None,
    more: Callable[[], dict[str, Any]] = dict,
    page: bool = False,
) -> dict[str, Any]:
    """Run an evaluation, show its table, keep its row; returns the row.

    Args:
        evaluation: what to do.
        output: where everything is kept; without it, only the table is shown.
        rows: a file that the row is added to.
        more: further figures of the row, asked for when everything has been said.
        page: also write a page to listen to, into ``output``.

    Raises:
        CorpusError: results cannot be kept.
        ConfigError: a page was asked for without a folder.
    """
    import tempfile

    from mamtra.evaluation.run_folder import RunFolder

    if page and output is None:
        raise ConfigError("a page needs a folder; add -o FOLDER")
    with ExitStack() as stack:
        place = output or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = RunFolder(place)
        judged = judge_all(evaluation, folder)
    row = row_of(evaluation, judged) | more()
    grid = show(evaluation, row, output)
    if page and output is not None:
        from mamtra.evaluation.harness import sound_files
        from mamtra.evaluation.page import write_page

        sounds = sound_files(folder, evaluation.systems, judged)
        rule = evaluation.profile.rule(evaluation.language)
        written = write_page(output / "page", judged, sounds, grid, rule)
        print(f"written: {written}", file=sys.stderr)
    if rows is not None:
        append_row(rows, row, CorpusError)
    return row


def show(evaluation: Evaluation, row: Mapping[str, Any], output: Path | None) -> "Grid":
    """Print the table, and write it beside the row; returns the table."""
    from rich.console import Console

    from mamtra.evaluation.report import difference_notes, failure_notes, flawless_notes, table

    first, systems = evaluation.profile.first, row["systems"]
    rule = f"WER: {first}, text rule {evaluation.profile.name}; 95 % intervals over lines"
    notes = [
        *[rule] * bool(evaluation.judges.hearing),
        *(str(judge.identity) for judge in evaluation.judges.all),
        *difference_notes(systems, first),
        *flawless_notes(systems),
        *failure_notes(systems),
    ]
    title = f"{row['set']}, {row['lines']} lines"
    grid = table(systems, first, title, notes)
    console = Console()
    console.print(grid.terminal())
    if output is not None:
        write_json(output / SCORES, row, indent=1, error=CorpusError)
        write_file(output / TABLE, grid.markdown(), error=CorpusError)
        write_file(output / TEX, grid.latex(), error=CorpusError)
        Console(stderr=True).print(f"written: {output / SCORES}, {TABLE}, {TEX}", soft_wrap=True)
    return grid
