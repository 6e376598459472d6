"""The tables that ``mamtra bench`` shows to people."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mamtra.sizing.gpus import readable


def empty(row: dict[str, Any], columns: tuple[str, ...]) -> Table:
    """A table with its headings; where it was measured stands below."""
    machine = row["provenance"]["machine"]
    where = machine["gpu"] if row["settings"]["device"] != "cpu" else machine["cpu"]
    drawn = Table(
        title=f"{row['settings']['model']} on {row['settings']['device']}",
        caption=f"median (least-most) of {row['rounds']} rounds; {where}; load {machine['load']}",
        box=SIMPLE_HEAD,
    )
    for number, name in enumerate(columns):
        drawn.add_column(name, justify="right" if number else "left", no_wrap=number < 2)
    return drawn


def short(value: float) -> str:
    """Three digits, or the whole number where it has more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def number(found: dict[str, float] | None) -> str:
    """A median with its spread."""
    if found is None:
        return "-"
    if found["least"] == found["most"]:
        return short(found["median"])
    return f"{short(found['median'])} ({short(found['least'])}-{short(found['most'])})"


def size(found: dict[str, float] | int | None) -> str:
    """Bytes, the median if there is a spread."""
    if found is None:
        return "-"
    return readable(round(found["median"] if isinstance(found, dict) else found))


def speed_table(row: dict[str, Any]) -> Table:
    """Every context and batch of every subject.

    The floor is the time in which memory could hand out every weight and state once.
    """
    columns = ("shape", "held", "batch", "tokens/s", "x real time", "ms a step", "of floor")
    drawn = empty(row, columns)
    for name, line in row["lines"].items():
        for cell in line.get("decode", ()):
            told = [name, f"{cell['context']:,}", str(cell["batch"])]
            if "skipped" in cell:
                drawn.add_row(*told, "left out", cell["skipped"], "")
                continue
            step = cell["seconds_per_step"]["median"] * 1000
            rate = number(cell["tokens_per_second"])
            share = f"{100 * cell['share_of_bandwidth']['median']:.0f} %"
            real = f"{cell['times_real_time']['median']:.2f}"
            drawn.add_row(*told, rate, real, f"{step:.1f}", share)
        for cell in line.get("prefill", ()):
            told = [name, f"reads {cell['tokens']:,}", "1"]
            milliseconds = cell["seconds"]["median"] * 1000
            drawn.add_row(*told, number(cell["tokens_per_second"]), "", f"{milliseconds:.1f}")
        if chain := line.get("chain"):
            factors = chain["real_time_factor"]
            for stage, factor in factors.items():
                drawn.add_row(name, f"RTF {stage}", "1", number(factor))
            first = number(chain["first_audio_seconds"])
            drawn.add_row(name, "first audio, s", "1", first, "", "")
    return drawn


def memory_table(row: dict[str, Any]) -> Table:
    """Peak memory by part, and states as predicted and as held."""
    drawn = empty(row, ("shape", "what", "bytes", "predicted", "measured"))
    for name, line in row["lines"].items():
        memory = line.get("memory", {})
        for part, found in memory.items():
            if part in ("of_reference", "device_of_reference"):
                drawn.add_row(name, part.replace("_", " "), f"{found['median']:.2f}", "", "")
            elif part == "device":
                for inner, held in found.items():
                    drawn.add_row(name, f"GPU, {inner.replace('_', ' ')}", size(held), "", "")
            else:
                drawn.add_row(name, part.replace("_", " "), size(found), "", "")
        for cell in line.get("decode", ()):
            what = f"states, {cell['batch']} x {cell['context']:,} tokens"
            if "skipped" in cell:
                drawn.add_row(name, what, "left out", "", "")
                continue
            told = [size(cell.get(key)) for key in ("predicted_bytes", "measured_bytes")]
            drawn.add_row(name, what, size(cell["state_bytes"]), *told)
    return drawn


def compare_table(row: dict[str, Any]) -> Table:
    """Subjects below each other; ratios are to the first of them or to the yardstick.

    A line of growth tells a step's seconds at the longest context over those at the shortest.
    """
    reference = row["reference"]
    columns = ("subject", "held", "tokens/s", f"x {reference}", "x in CPU s", "peak", "of its")
    drawn = empty(row, columns)
    for name, line in row["lines"].items():
        memory = line.get("memory", {})
        share, peak = memory.get("of_reference"), size(memory.get("peak_speaking"))
        part = "-" if share is None else f"{100 * share['median']:.0f} %"
        for cell in line.get("decode", ()):
            held = f"{cell['batch']} x {cell['context']:,}"
            if "skipped" in cell:
                drawn.add_row(name, held, "left out", "", "", peak, part)
                continue
            keys = ("tokens_per_second", "times_reference", "times_reference_in_cpu_seconds")
            rates = [number(cell.get(key)) for key in keys]
            drawn.add_row(f"{name} {line['engine']['dtype']}", held, *rates, peak, part)
        for batch, growth in line.get("growth_with_length", {}).items():
            busy = number(line["growth_in_cpu_seconds"].get(batch))
            drawn.add_row(name, f"{batch}, growth", "", number(growth), busy, "", "")
    return drawn
