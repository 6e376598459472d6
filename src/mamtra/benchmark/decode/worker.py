"""One fresh process that measures one target: ``python -m mamtra.benchmark.decode.worker CONFIG``.

Its settings come as JSON in the only argument, and what was measured goes to standard output as one
JSON line. A process of its own for each target, because memory that one model has taken, threads
that it has started and kernels that it has warmed would count for the next.
"""

import sys
from typing import Any

import torch

from mamtra.benchmark.decode.chain import PROMPT, Acoustics, chain_row, speak_once
from mamtra.benchmark.decode.config import BenchConfig, read_config
from mamtra.benchmark.decode.target import (
    Target,
    build,
    bytes_per_step,
    expected_state_bytes,
    make_ready,
)
from mamtra.benchmark.decode.timing import bytes_per_second, decode_row, prefill_row
from mamtra.benchmark.memory import (
    device_bytes,
    forget_peak,
    free_bytes,
    peak_bytes,
    resident_bytes,
)
from mamtra.benchmark.process import answer
from mamtra.sizing.gpus import readable
from mamtra.sizing.sizes import TOKENS_PER_SECOND

SHARE = 0.6  # of the free memory that a state may take before that context is left out


def watched(
    target: Target, acoustics: Acoustics | None, config: BenchConfig, before: int | None
) -> dict[str, Any]:
    """Memory by part while a text is spoken.

    What a loaded model takes is seen from outside: of a table that stays in its file, only the rows
    that were read are in memory.

    Args:
        target: the language model.
        acoustics: what follows it, if it is to be measured too.
        config: how much is spoken.
        before: memory of the process before any weight was there.
    """
    device = target.model.device
    loading, resident = peak_bytes(), resident_bytes()
    forgotten = forget_peak(device)
    states = speak_once(target.model, PROMPT, config.spoken)
    if acoustics is not None:
        acoustics.sound(acoustics.draw(max(1, round(config.seconds * TOKENS_PER_SECOND))))
    peak = peak_bytes() if forgotten else max(peak_bytes(), loading)
    row: dict[str, Any] = {
        "interpreter": before,
        "weights": target.weight_bytes + (acoustics.nbytes if acoustics is not None else 0),
        "states": states,
        "peak_loading": loading,
        "peak_speaking": peak,
        "device": device_bytes(device),
    }
    if before is not None and resident is not None and device.type == "cpu":
        row["weights_resident"] = resident - before
        row["activations_and_allocator"] = peak - resident - states
    return row


def decode_rows(
    target: Target, config: BenchConfig, bandwidth: float | None
) -> list[dict[str, Any]]:
    """Every context with every batch; what would not fit into memory is reported, not tried.

    Args:
        target: what speaks.
        config: the contexts and batches.
        bandwidth: bytes that memory gives in a second, if that was measured.
    """
    rows = []
    for context in config.contexts:
        for batch in config.batches:
            needed = expected_state_bytes(target, context, batch)
            free = free_bytes(target.model.device)
            if free is not None and needed > SHARE * free:
                reason = f"needs {readable(needed)} and {readable(free)} are free"
                rows.append({"context": context, "batch": batch, "skipped": reason})
                continue
            row = decode_row(target.model, context, batch, config.steps, config.repeats)
            if bandwidth is not None:
                floor = bytes_per_step(target, context, batch) / bandwidth
                row |= {"share_of_bandwidth": floor / row["seconds_per_step"]}
            rows.append(row | {"predicted_bytes": needed})
    return rows


def measure(config: BenchConfig) -> dict[str, Any]:
    """Everything that was asked for."""
    make_ready(config)
    before = resident_bytes()
    target = build(config)
    acoustics = Acoustics.of(config, target) if config.seconds else None
    row: dict[str, Any] = {
        "target": config.target,
        "layout": target.sizes.backbone.layout,
        "engine": target.engine,
        "weight_bytes": target.weight_bytes,
    }
    if config.spoken:
        row["memory"] = watched(target, acoustics, config, before)
    row["prefill"] = [
        prefill_row(target.model, tokens, config.repeats) for tokens in config.prompts
    ]
    bandwidth = bytes_per_second(target.model.device) if config.steps else None
    if bandwidth is not None:
        row["bandwidth"] = bandwidth
    row["decode"] = decode_rows(target, config, bandwidth)
    if acoustics is not None:
        row["chain"] = chain_row(target, acoustics, config)
    return row


def main(written: str) -> dict[str, Any]:
    """Measure what the written settings ask for."""
    config = read_config(written)
    torch.manual_seed(config.seed)
    return measure(config)


if __name__ == "__main__":
    answer(main, *sys.argv[1:])
