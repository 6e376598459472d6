"""What the rounds of a benchmark say, subject by subject: speed, memory, and ratios to one of them.

A line holds only what was measured: a benchmark of memory has no tokens a second.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mamtra.benchmark.rounds import Row, Spread, ratio_at, spread, spread_at, value_at

STEP = ("seconds_per_step", "median")
CPU_STEP = ("cpu_seconds_per_step",)
MEMORY = (
    "interpreter",
    "weights",
    "weights_resident",
    "states",
    "activations_and_allocator",
    "peak_loading",
    "peak_speaking",
)
DEVICE_MEMORY = ("allocated", "peak_allocated", "reserved", "peak_reserved", "used_on_card")
STAGES = ("speech_lm", "decoder", "vocoder")


def present(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was not measured."""
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def decode_cells(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """One cell for each context and batch."""
    cells = []
    for place, cell in enumerate(rows[0]["decode"]):
        path = ("decode", place)
        rate = (*path, "tokens_per_second")
        cells.append(
            present(
                {
                    "context": cell["context"],
                    "batch": cell["batch"],
                    "skipped": cell.get("skipped"),
                    "tokens_per_second": spread_at(rows, rate),
                    "times_reference": ratio_at(rows, others, rate),
                    "best_tokens_per_second": spread_at(rows, (*path, "best_tokens_per_second")),
                    "tokens_per_cpu_second": spread_at(rows, (*path, "tokens_per_cpu_second")),
                    "times_reference_in_cpu_seconds": ratio_at(
                        rows, others, (*path, "tokens_per_cpu_second")
                    ),
                    "times_real_time": spread_at(rows, (*path, "times_real_time")),
                    "seconds_per_step": spread_at(rows, (*path, *STEP)),
                    "share_of_bandwidth": spread_at(rows, (*path, "share_of_bandwidth")),
                    "state_bytes": cell.get("state_bytes"),
                    "predicted_bytes": cell.get("predicted_bytes"),
                    "measured_bytes": spread_at(rows, (*path, "measured_bytes")),
                }
            )
        )
    return cells


def growth_with_length(rows: Sequence[Row], step: Sequence[str] = STEP) -> dict[str, Spread]:
    """For each batch: a step's seconds after the longest context over those after the shortest."""
    found: dict[str, Spread] = {}
    cells = rows[0]["decode"]
    for batch in sorted({cell["batch"] for cell in cells}):
        places = [
            place
            for place, cell in enumerate(cells)
            if cell["batch"] == batch and "seconds_per_step" in cell
        ]
        if len(places) < 2:
            continue
        first = min(places, key=lambda place: cells[place]["context"])
        last = max(places, key=lambda place: cells[place]["context"])
        ratios = []
        for row in rows:
            late = value_at(row, ("decode", last, *step))
            early = value_at(row, ("decode", first, *step))
            if late and early:
                ratios.append(late / early)
        if ratios:
            found[str(batch)] = spread(ratios)
    return found


def memory_parts(rows: Sequence[Row], others: Sequence[Row]) -> Row:
    """Bytes by part, and the peak as a share of the reference's."""
    parts = {name: spread_at(rows, ("memory", name)) for name in MEMORY}
    device = {name: spread_at(rows, ("memory", "device", name)) for name in DEVICE_MEMORY}
    peak = ("memory", "peak_speaking")
    on_device = ("memory", "device", "peak_allocated")
    return present(
        {
            **parts,
            "device": present(device),
            "of_reference": ratio_at(rows, others, peak),
            "device_of_reference": ratio_at(rows, others, on_device),
        }
    )


def prefill_cells(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """One cell for each length of prompt."""
    cells = []
    for place, cell in enumerate(rows[0]["prefill"]):
        rate = ("prefill", place, "tokens_per_second")
        cells.append(
            present(
                {
                    "tokens": cell["tokens"],
                    "tokens_per_second": spread_at(rows, rate),
                    "times_reference": ratio_at(rows, others, rate),
                    "seconds": spread_at(rows, ("prefill", place, "seconds", "median")),
                }
            )
        )
    return cells


def chain_figures(rows: Sequence[Row]) -> Row:
    """Real-time factors of the stages and the time to first audio."""
    factors = {stage: spread_at(rows, ("chain", "real_time_factor", stage)) for stage in STAGES}
    return present(
        {
            "seconds_of_speech": value_at(rows[0], ("chain", "seconds_of_speech")),
            "prompt_tokens": value_at(rows[0], ("chain", "prompt_tokens")),
            "real_time_factor": present(factors),
            "first_audio_seconds": spread_at(rows, ("chain", "first_audio_seconds", "median")),
        }
    )


def line(rows: Sequence[Row], reference: Sequence[Row] = ()) -> Row:
    """All figures of one subject.

    Args:
        rows: of its rounds.
        reference: the rows of the subject that ratios are taken to, in the same order.
    """
    first = rows[0]
    return present(
        {
            "layout": first["layout"],
            "engine": first["engine"],
            "weight_bytes": first["weight_bytes"],
            "bandwidth": spread_at(rows, ("bandwidth",)),
            "decode": decode_cells(rows, reference),
            "growth_with_length": growth_with_length(rows),
            "growth_in_cpu_seconds": growth_with_length(rows, CPU_STEP),
            "prefill": prefill_cells(rows, reference),
            "memory": memory_parts(rows, reference),
            "chain": chain_figures(rows),
        }
    )


def summarise(measured: Mapping[str, Sequence[Row]], reference: str | None = None) -> Row:
    """The lines of all subjects; ratios are to ``reference``, if that was measured."""
    others = measured.get(reference or "", ())
    return {name: line(rows, others) for name, rows in measured.items()}
