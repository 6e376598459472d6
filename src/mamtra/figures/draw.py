"""Pictures of benchmarks: speed over length, memory by part, subjects side by side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mamtra.figures.picture import save_picture

MEBIBYTE = 2**20
PARTS = ("interpreter", "weights_resident", "states", "activations_and_allocator")


def rate_of(line: dict[str, Any]) -> dict[str, float]:
    """Tokens a second of a line's first timed cell; zeros where none was timed."""
    for cell in line.get("decode", ()):
        if "tokens_per_second" in cell:
            return cell["tokens_per_second"]
    return {"median": 0.0, "least": 0.0, "most": 0.0}


def paint_speed(row: dict[str, Any]) -> Callable[[Any], None]:
    """Seconds for a token over the context, a line for each subject and batch."""

    def paint(axes: Any) -> None:
        """Fill the axes."""
        drawn: set[int] = set()
        for name, line in row["lines"].items():
            cells = [cell for cell in line.get("decode", ()) if "seconds_per_step" in cell]
            for batch in sorted({cell["batch"] for cell in cells}):
                chosen = [cell for cell in cells if cell["batch"] == batch]
                contexts = [cell["context"] for cell in chosen]
                drawn.update(contexts)
                medians = [cell["seconds_per_step"]["median"] * 1000 for cell in chosen]
                axes.plot(contexts, medians, marker=".", label=f"{name}, batch {batch}")
        axes.set_xscale("log")
        axes.set_xticks(sorted(drawn), [f"{context:,}" for context in sorted(drawn)])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("tokens in mind")
        axes.set_ylabel("milliseconds for a step")
        axes.legend()

    return paint


def paint_memory(row: dict[str, Any]) -> Callable[[Any], None]:
    """Peak memory of each subject, stacked by part."""

    def paint(axes: Any) -> None:
        """Fill the axes."""
        names = list(row["lines"])
        base = [0.0] * len(names)
        for part in PARTS:
            memory = [line.get("memory", {}).get(part) for line in row["lines"].values()]
            held = [max(0.0, found["median"]) / MEBIBYTE if found else 0.0 for found in memory]
            axes.bar(names, held, bottom=base, label=part.replace("_", " "))
            base = [low + high for low, high in zip(base, held, strict=True)]
        axes.set_ylabel("peak memory while speaking, MiB")
        axes.tick_params(axis="x", rotation=25)
        axes.legend()

    return paint


def paint_compare(row: dict[str, Any]) -> Callable[[Any], None]:
    """Tokens a second of each subject, with the spread over rounds and real time as a line."""

    def paint(axes: Any) -> None:
        """Fill the axes."""
        names = list(row["lines"])
        rates = [rate_of(line) for line in row["lines"].values()]
        medians = [rate["median"] for rate in rates]
        below = [rate["median"] - rate["least"] for rate in rates]
        above = [rate["most"] - rate["median"] for rate in rates]
        axes.bar(names, medians, yerr=[below, above], capsize=4)
        axes.axhline(25, linestyle="--", color="gray", label="real time, 25 a second")
        axes.set_ylabel("speech tokens a second")
        axes.tick_params(axis="x", rotation=25)
        axes.legend()

    return paint


PAINTERS = {"speed": paint_speed, "memory": paint_memory, "compare": paint_compare}


def draw(row: dict[str, Any], picture: Path) -> None:
    """Draw a benchmark's row; the row goes beside the picture as JSON.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigError: the picture cannot be written.
    """
    save_picture(picture, PAINTERS[row["benchmark"]](row), row)
