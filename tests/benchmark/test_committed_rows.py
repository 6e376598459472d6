"""What committed rows tell by arithmetic comes out again to the digit."""

from pathlib import Path
from typing import Any

import pytest

from mamtra.benchmark.decode.config import BASELINE, OWN
from mamtra.benchmark.row import read_rows
from mamtra.sizing.inference_bytes import speech_lm_bytes, state_bytes
from mamtra.sizing.sizes import ModelSizes, model_sizes, shaped

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
FILES = ("batches", "chain-speed", "compare", "length", "memory")
HELD_BESIDE = 0.003  # scales of 8-bit rows and fused projections, which the arithmetic counts apart
# keys and values grow by blocks that the planning rounds up
LEAST_OF_PLAN, MOST_OF_PLAN = 0.97, 1.10


def targets(name: str) -> list[tuple[ModelSizes, dict[str, Any]]]:
    """Every target of a file's rows: its sizes, and what was measured."""
    found = []
    for row in read_rows(RESULTS / f"{name}.jsonl"):
        for target, result in row["results"].items():
            sizes = model_sizes(row["settings"]["model"])
            if target != OWN:
                sizes = shaped(sizes, "1:0" if target == BASELINE else target)
            found.append((sizes, result))
    return found


@pytest.mark.parametrize("name", FILES)
def test_planned_bytes_and_layouts_of_committed_rows_come_out_again(name: str) -> None:
    for sizes, result in targets(name):
        kept, engine = result["engine"]["dtype"], result["engine"]["engine"]
        assert sizes.backbone.layout == result["layout"]
        planned = [
            state_bytes(sizes.backbone, cell["context"], cell["batch"], kept, engine).total
            for cell in result["decode"]
        ]
        assert planned == [cell["predicted_bytes"] for cell in result["decode"]]


@pytest.mark.parametrize("name", FILES)
def test_what_was_held_is_what_is_planned(name: str) -> None:
    for sizes, result in targets(name):
        weights = speech_lm_bytes(sizes.speech_lm, result["engine"]["dtype"])
        assert weights == pytest.approx(result["weight_bytes"], rel=HELD_BESIDE)
        for cell in result["decode"]:
            share = cell["state_bytes"] / cell["predicted_bytes"]
            assert LEAST_OF_PLAN <= share <= MOST_OF_PLAN
