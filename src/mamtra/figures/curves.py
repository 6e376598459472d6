"""Training curves of several runs in one picture, with the rows behind it as JSON.

A run's ``log.jsonl`` holds two kinds of lines: reports of training steps and evaluations. A curve
takes one value from whichever lines hold it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamtra.errors import TrainingError
from mamtra.figures.picture import save_picture


def curve(run: Path, value: str) -> list[tuple[int, float]]:
    """Steps and values of one run.

    A run that was killed may hold a step twice; the later line counts.

    Raises:
        TrainingError: there is no log, or no line holds that value.
    """
    log = run / "log.jsonl"
    if not log.is_file():
        raise TrainingError(f"no training log at {str(log)!r}; give the folder of a run")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    points = {row["step"]: row[value] for row in rows if value in row}
    if not points:
        known = sorted({name for row in rows for name in row} - {"step", "seconds"})
        raise TrainingError(f"{str(log)!r} holds no {value!r}; it holds: {', '.join(known)}")
    return sorted(points.items())


def draw_curves(
    runs: Mapping[str, Path],
    value: str,
    picture: Path,
    levels: Mapping[str, float] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Draw one value of several runs over their steps; rows go beside the picture as JSON.

    Args:
        runs: folders by label.
        value: a name from the logs, such as ``validation_letters``.
        picture: PNG, SVG or PDF.
        levels: horizontal lines to compare with, by label.
        notes: what else belongs beside the rows.

    Returns:
        The rows.
    """
    rows = {label: curve(folder, value) for label, folder in runs.items()}

    def paint(axes: Any) -> None:
        """A line for each run and level."""
        for label, points in rows.items():
            axes.plot(*zip(*points, strict=True), marker=".", label=label)
        for label, level in (levels or {}).items():
            axes.axhline(level, linestyle="--", color="gray")
            axes.annotate(label, (0.01, level), xycoords=("axes fraction", "data"), va="bottom")
        axes.set_xlabel("training step")
        axes.set_ylabel(value.replace("_", " "))
        axes.legend()

    content = {"value": value, "curves": rows, "levels": dict(levels or {}), **(notes or {})}
    save_picture(picture, paint, content)
    return content
