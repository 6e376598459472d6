"""Pictures of a decode benchmark: speed of targets, cost of length, memory by part."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mamtra.errors import ConfigError
from mamtra.figures.picture import save_picture

MEBIBYTE = 2**20
PARTS = ("interpreter", "weights_resident", "states", "activations_and_allocator")


def middle(value: Any) -> float:
    """The median of a spread, or a plain number itself."""
    return float(value["median"] if isinstance(value, Mapping) else value)


def rate_of(line: dict[str, Any]) -> dict[str, float]:
    """Tokens a second of a line's first timed cell; zeros where none was timed."""
    for cell in line.get("decode", ()):
        if "tokens_per_second" in cell:
            return cell["tokens_per_second"]
    return {"median": 0.0, "least": 0.0, "most": 0.0}


def paint_length(row: dict[str, Any], axes: Any) -> None:
    """Seconds for a token over the context, a line for each target and batch."""
    drawn: set[int] = set()
    for name, line in row["results"].items():
        cells = [cell for cell in line.get("decode", ()) if "seconds_per_step" in cell]
        for batch in sorted({cell["batch"] for cell in cells}):
            chosen = [cell for cell in cells if cell["batch"] == batch]
            contexts = [cell["context"] for cell in chosen]
            drawn.update(contexts)
            medians = [middle(cell["seconds_per_step"]) * 1000 for cell in chosen]
            axes.plot(contexts, medians, marker=".", label=f"{name}, batch {batch}")
    axes.set_xscale("log")
    axes.set_xticks(sorted(drawn), [f"{context:,}" for context in sorted(drawn)])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("tokens held")
    axes.set_ylabel("milliseconds for a step")
    axes.legend()


def paint_memory(row: dict[str, Any], axes: Any) -> None:
    """Peak memory of each target, stacked by part."""
    names = list(row["results"])
    base = [0.0] * len(names)
    for part in PARTS:
        memory = [line.get("memory", {}).get(part) for line in row["results"].values()]
        held = [max(0.0, middle(found)) / MEBIBYTE if found else 0.0 for found in memory]
        axes.bar(names, held, bottom=base, label=part.replace("_", " "))
        base = [low + high for low, high in zip(base, held, strict=True)]
    axes.set_ylabel("peak memory while speaking, MiB")
    axes.tick_params(axis="x", rotation=25)
    axes.legend()


def paint_speed(row: dict[str, Any], axes: Any) -> None:
    """Tokens a second of each target, with the spread over rounds and real time as a line."""
    names = list(row["results"])
    rates = [rate_of(line) for line in row["results"].values()]
    medians = [rate["median"] for rate in rates]
    below = [rate["median"] - rate["least"] for rate in rates]
    above = [rate["most"] - rate["median"] for rate in rates]
    axes.bar(names, medians, yerr=[below, above], capsize=4)
    axes.axhline(25, linestyle="--", color="gray", label="real time, 25 a second")
    axes.set_ylabel("speech tokens a second")
    axes.tick_params(axis="x", rotation=25)
    axes.legend()


PAINTERS = {"speed": paint_speed, "length": paint_length, "memory": paint_memory}


def best_picture(row: dict[str, Any]) -> str:
    """The picture that a row is good for: several contexts show length, no timing shows memory."""
    cells = [cell for result in row["results"].values() for cell in result.get("decode", ())]
    timed = {cell["context"] for cell in cells if "seconds_per_step" in cell}
    if not timed:
        return "memory"
    return "length" if len(timed) > 1 else "speed"


def draw(row: dict[str, Any], picture: Path, what: str = "") -> None:
    """Draw a row of ``mamtra bench decode``; the row goes beside the picture as JSON.

    Args:
        row: of the benchmark.
        picture: PNG, SVG or PDF.
        what: ``speed``, ``length`` or ``memory``; without it, what the row is good for.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigError: the row has no picture, or the picture cannot be written.
    """
    if row["benchmark"] != "decode":
        raise ConfigError(
            f"a row of {row['benchmark']} has no picture; rows of mamtra bench decode have"
        )
    chosen = what or best_picture(row)
    if chosen not in PAINTERS:
        raise ConfigError(f"picture {chosen!r} is unknown; known: {', '.join(PAINTERS)}")
    save_picture(picture, partial(PAINTERS[chosen], row), row)
