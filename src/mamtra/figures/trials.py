"""Pictures and tables of many trained students: cross entropy against word errors, and bars.

Rows are dictionaries as a laboratory writes them; those of several seeds are drawn as their mean
with the range of the seeds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mamtra.figures.picture import save_picture

CE, WER = "validation_letters", "wer"
INCHES = (7.5, 4.8)
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
    text = f"{mean[name]:.{digits}f}"
    return text if low == high else f"{text} ({low:.{digits}f} to {high:.{digits}f})"


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
    points = [mean for mean in means if CE in mean and WER in mean]
    colours = {value: f"C{n}" for n, value in enumerate(dict.fromkeys(m[colour] for m in points))}
    marks = dict(zip(dict.fromkeys(m[mark] for m in points), MARKS * 9, strict=False))

    def paint(axes: Any) -> None:
        """A point for each mean, and two legends in one."""
        for point in points:
            shade, form = colours[point[colour]], marks[point[mark]]
            axes.scatter(point[CE], point[WER], color=shade, marker=form, s=42)
        for value, shade in colours.items():
            axes.scatter([], [], color=shade, marker="s", label=f"{colour} {value}")
        for value, form in marks.items():
            axes.scatter([], [], color="gray", marker=form, label=value)
        if teacher is not None:
            axes.scatter(
                teacher[CE], teacher[WER], color="black", marker="+", s=90, label="teacher"
            )
        axes.set_xlabel("cross entropy on held-out speech, nats a token")
        axes.set_ylabel("word error rate of generated speech, %")
        axes.legend(fontsize="small", ncols=2)

    content = {"points": points, "teacher": teacher, **(notes or {})}
    save_picture(picture, paint, content, inches=INCHES)


def draw_bars(
    means: Sequence[Row],
    picture: Path,
    *,
    label: str,
    teacher: Row | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Cross entropy of each mean as a bar, the range of its seeds as a line on it."""
    names = [str(mean[label]) for mean in means]
    heights = [float(mean[CE]) for mean in means]
    ends = [
        [mean[CE] - mean[f"{CE}_range"][0] for mean in means],
        [mean[f"{CE}_range"][1] - mean[CE] for mean in means],
    ]
    lowest = min(heights if teacher is None else [*heights, float(teacher[CE])])

    def paint(axes: Any) -> None:
        """A bar for each mean."""
        axes.barh(names, heights, xerr=ends, color="C0", ecolor="black", capsize=3)
        axes.invert_yaxis()
        axes.set_xlim(left=lowest * 0.9)
        if teacher is not None:
            axes.axvline(teacher[CE], linestyle="--", color="gray", label="teacher")
            axes.legend()
        axes.set_xlabel("cross entropy on held-out speech, nats a token (axis does not begin at 0)")

    content = {"bars": list(means), "teacher": teacher, **(notes or {})}
    save_picture(picture, paint, content, inches=INCHES, grid="x")
