"""One fresh process that measures one case: ``python -m mamtra.benchmark.worker CASE``.

The case comes as JSON in the only argument, and what was measured goes to standard output as one
JSON line. A process of its own for each case, because memory that one model has taken, threads
that it has started and kernels that it has warmed would count for the next.
"""

import json
import sys
from typing import Any

import torch

from mamtra.benchmark.bandwidth import bytes_per_second
from mamtra.benchmark.bench_config import Case, read_case
from mamtra.benchmark.chain_timing import Acoustics, chain_row, speak_once
from mamtra.benchmark.process_memory import (
    device_bytes,
    forget_peak,
    free_bytes,
    peak_bytes,
    resident_bytes,
)
from mamtra.benchmark.targets import (
    Subject,
    build,
    bytes_per_step,
    expected_state_bytes,
    make_ready,
)
from mamtra.benchmark.timing import decode_row, prefill_row
from mamtra.errors import MamtraError
from mamtra.sizing.gpus import readable
from mamtra.sizing.sizes import TOKENS_PER_SECOND

SHARE = 0.6  # of the free memory that a state may take before its case is left out
PROMPT = 100  # text ids, about 30 s of speech for CosyVoice 2


def watched(
    subject: Subject, acoustics: Acoustics | None, case: Case, before: int | None
) -> dict[str, Any]:
    """Memory by part while a text is spoken.

    What a loaded model takes is seen from outside: of a table that stays in its file, only the rows
    that were read are in memory.

    Args:
        subject: the language model.
        acoustics: what follows it, if it is to be measured too.
        case: how much is spoken.
        before: memory of the process before any weight was there.
    """
    device = subject.model.device
    loading, resident = peak_bytes(), resident_bytes()
    forgotten = forget_peak(device)
    states = speak_once(subject.model, PROMPT, case.spoken)
    if acoustics is not None:
        acoustics.sound(acoustics.draw(max(1, round(case.seconds * TOKENS_PER_SECOND))))
    peak = peak_bytes() if forgotten else max(peak_bytes(), loading)
    row: dict[str, Any] = {
        "interpreter": before,
        "weights": subject.weight_bytes + (acoustics.nbytes if acoustics is not None else 0),
        "states": states,
        "peak_loading": loading,
        "peak_speaking": peak,
        "device": device_bytes(device),
    }
    if before is not None and resident is not None and device.type == "cpu":
        row["weights_resident"] = resident - before
        row["activations_and_allocator"] = peak - resident - states
    return row


def decode_rows(subject: Subject, case: Case, bandwidth: float | None) -> list[dict[str, Any]]:
    """Every context with every batch; what would not fit into memory is told, not tried.

    Args:
        subject: what speaks.
        case: the contexts and batches.
        bandwidth: bytes that memory gives in a second, if that was measured.
    """
    rows = []
    for context in case.contexts:
        for batch in case.batches:
            needed = expected_state_bytes(subject, context, batch)
            free = free_bytes(subject.model.device)
            if free is not None and needed > SHARE * free:
                told = f"needs {readable(needed)} and {readable(free)} are free"
                rows.append({"context": context, "batch": batch, "skipped": told})
                continue
            row = decode_row(subject.model, context, batch, case.steps, case.repeats)
            if bandwidth is not None:
                floor = bytes_per_step(subject, context, batch) / bandwidth
                row |= {"share_of_bandwidth": floor / row["seconds_per_step"]["median"]}
            rows.append(row | {"predicted_bytes": needed})
    return rows


def measure(case: Case) -> dict[str, Any]:
    """Everything that a case asks for."""
    make_ready(case)
    before = resident_bytes()
    subject = build(case)
    acoustics = Acoustics.of(subject.sizes, subject.model.device) if case.seconds else None
    row: dict[str, Any] = {
        "subject": case.subject,
        "layout": subject.sizes.backbone.layout,
        "engine": subject.engine,
        "weight_bytes": subject.weight_bytes,
    }
    if case.spoken:
        row["memory"] = watched(subject, acoustics, case, before)
    row["prefill"] = [prefill_row(subject.model, tokens, case.repeats) for tokens in case.prompts]
    bandwidth = bytes_per_second(subject.model.device) if case.steps else None
    row |= {"bandwidth": bandwidth, "decode": decode_rows(subject, case, bandwidth)}
    if acoustics is not None:
        row["chain"] = chain_row(subject.model, acoustics, PROMPT, case.seconds, case.repeats)
    return row


def main() -> None:
    """Measure and print; a failure is one sentence and the exit code of its kind."""
    try:
        case = read_case(sys.argv[1])
        torch.manual_seed(case.seed)
        print(json.dumps(measure(case)))
    except MamtraError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
