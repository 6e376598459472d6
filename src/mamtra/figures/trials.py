"""Pictures and tables of many trained students: cross entropy against word errors, and bars.

Rows are dictionaries as a laboratory writes them; those of several seeds are drawn as their mean
with the range of the seeds.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mamtra.errors import CorpusError, require
from mamtra.evaluation.word_errors import EXTRA

CE, WER = "validation_letters", "wer"
INCHES = (7.5, 4.8)
PIXELS_PER_INCH = 140
MARKS = "os^Dvp*X"

Row = Mapping[str, Any]


def over_seeds(rows: Sequence[Row], by: Sequence[str]) -> list[dict[str, Any]]:
    """Rows that differ by their seed only as one row: means, and the range of each mean.

    Args:
        rows: each with ``seed``.
        by: names of the values that tell what is tried.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in by), []).append(row)
    means = []
    for group in groups.values():
        mean: dict[str, Any] = {name: group[0].get(name) for name in by}
        mean["seeds"] = sorted(row["seed"] for row in group)
        mean["layout"] = group[0]["layout"]
        for name in (CE, WER):
            values = [row[name] for row in group if name in row]
            if values:
                mean[name] = round(fmean(values), 4)
                mean[f"{name}_range"] = [min(values), max(values)]
        means.append(mean)
    return means


def spread(mean: Row, name: str) -> str:
    """A mean, and the range of several seeds, for a table."""
    if name not in mean:
        return ""
    low, high = mean[f"{name}_range"]
    digits = 1 if name == WER else 3
    told = f"{mean[name]:.{digits}f}"
    return told if low == high else f"{told} ({low:.{digits}f} to {high:.{digits}f})"


def table(means: Sequence[Row], by: Sequence[str], title: str) -> Table:
    """One row for each thing that was tried."""
    drawn = Table(title=title, box=SIMPLE_HEAD)
    for name in (*by, "layout"):
        drawn.add_column(name)
    for name in ("CE, nats", "word errors, %", "seeds"):
        drawn.add_column(name, justify="right")
    for mean in means:
        known = [str(mean.get(name) or "") for name in (*by, "layout")]
        drawn.add_row(*known, spread(mean, CE), spread(mean, WER), str(len(mean["seeds"])))
    return drawn


def save(figure: Any, picture: Path, content: Mapping[str, Any]) -> None:
    """Write the picture, and the rows behind it beside it as JSON."""
    try:
        figure.savefig(picture, dpi=PIXELS_PER_INCH)
        picture.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    except OSError as problem:
        raise CorpusError(f"cannot write {str(picture)!r}: {problem}") from problem


def draw_scatter(
    means: Sequence[Row],
    picture: Path,
    *,
    colour: str,
    mark: str,
    teacher: Row | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Cross entropy against word error rate, one point for each mean that has both.

    Args:
        means: what ``over_seeds`` gave.
        picture: PNG, SVG or PDF; the rows go beside it.
        colour, mark: the values that choose a point's colour and its form.
        teacher: drawn as a cross, to compare with.
        notes: what else belongs beside the rows.
    """
    pyplot = require("matplotlib.pyplot", EXTRA)
    points = [mean for mean in means if CE in mean and WER in mean]
    colours = {value: f"C{n}" for n, value in enumerate(dict.fromkeys(m[colour] for m in points))}
    marks = dict(zip(dict.fromkeys(m[mark] for m in points), MARKS * 9, strict=False))
    figure, axes = pyplot.subplots(figsize=INCHES, layout="constrained")
    for point in points:
        axes.scatter(
            point[CE], point[WER], color=colours[point[colour]], marker=marks[point[mark]], s=42
        )
    for value, shade in colours.items():
        axes.scatter([], [], color=shade, marker="s", label=f"{colour} {value}")
    for value, form in marks.items():
        axes.scatter([], [], color="gray", marker=form, label=value)
    if teacher is not None:
        axes.scatter(teacher[CE], teacher[WER], color="black", marker="+", s=90, label="teacher")
    axes.set_xlabel("cross entropy on held-out speech, nats a token")
    axes.set_ylabel("word error rate of generated speech, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)
    save(figure, picture, {"points": points, "teacher": teacher, **(notes or {})})
    pyplot.close(figure)


def draw_bars(
    means: Sequence[Row],
    picture: Path,
    *,
    label: str,
    teacher: Row | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Cross entropy of each mean as a bar, the range of its seeds as a line on it."""
    pyplot = require("matplotlib.pyplot", EXTRA)
    figure, axes = pyplot.subplots(figsize=INCHES, layout="constrained")
    names = [str(mean[label]) for mean in means]
    heights = [float(mean[CE]) for mean in means]
    ends = [
        [mean[CE] - mean[f"{CE}_range"][0] for mean in means],
        [mean[f"{CE}_range"][1] - mean[CE] for mean in means],
    ]
    axes.barh(names, heights, xerr=ends, color="C0", ecolor="black", capsize=3)
    axes.invert_yaxis()
    lowest = min(heights if teacher is None else [*heights, float(teacher[CE])])
    axes.set_xlim(left=lowest * 0.9)
    if teacher is not None:
        axes.axvline(teacher[CE], linestyle="--", color="gray", label="teacher")
        axes.legend()
    axes.set_xlabel("cross entropy on held-out speech, nats a token (axis does not begin at 0)")
    axes.grid(alpha=0.3, axis="x")
    save(figure, picture, {"bars": list(means), "teacher": teacher, **(notes or {})})
    pyplot.close(figure)
