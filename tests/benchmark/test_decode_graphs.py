"""Graphs measured by the calls that measure modules."""

from dataclasses import replace

import numpy as np
import pytest

from mamtra.benchmark.decode import worker
from mamtra.benchmark.decode.config import BenchConfig
from mamtra.benchmark.decode.target import build
from mamtra.errors import ConfigError
from mamtra.sizing.inference_bytes import speech_lm_bytes

pytest.importorskip("onnx", reason="exporting graphs needs the package onnx")
CONFIG = BenchConfig(
    target="1:1",
    model="toy",
    engine="onnx",
    dtype="int8",
    threads=1,
    contexts=(40,),
    batches=(2,),
    steps=1,
    repeats=1,
)


def test_a_graph_is_timed_and_its_memory_is_as_planned() -> None:
    row = worker.measure(replace(CONFIG, prompts=(12,), spoken=3))
    assert row["engine"] == {"engine": "onnx", "dtype": "int8", "bits": 8, "threads": 1}
    (cell,) = row["decode"]
    assert cell["tokens_per_second"] > 0
    assert cell["state_bytes"] <= cell["predicted_bytes"]  # a plan rounds up to whole steps
    assert row["prefill"][0]["cpu_seconds"] > 0
    assert row["memory"]["states"] > 0


def test_the_chain_of_graphs_speaks_after_a_prompt() -> None:
    config = replace(CONFIG, seconds=1.2, prompt_seconds=1.0, flow_context=1)
    chain = worker.measure(config)["chain"]
    assert chain["prompt_tokens"] == 25 + 8
    assert chain["flow_context"] == 1
    assert chain["flow_dtype"] in ("float32", "bfloat16")
    stream = chain["stream"]
    assert 0 < stream["first_audio_seconds"] <= stream["real_time_factor"] * 1.2
    assert stream["once_for_a_voice_seconds"] > 0


def test_graphs_of_fewer_bits_weigh_less() -> None:
    exact, eight, four = (
        build(replace(CONFIG, dtype=dtype)) for dtype in ("float32", "int8", "int4")
    )
    assert exact.read_bytes > eight.read_bytes > four.read_bytes
    sizes = exact.sizes
    planned = speech_lm_bytes(sizes.speech_lm, "bfloat16")
    assert exact.weight_bytes == pytest.approx(planned, rel=0.02)


def test_a_filled_state_of_a_graph_can_go_on() -> None:
    from mamtra.benchmark.decode.timing import filled_state

    target = build(CONFIG)
    state = filled_state(target.model, 40, 2, 3)
    assert state.positions == [40, 40]
    logits = target.model.step(np.array([1, 2]), state)
    assert np.isfinite(logits).all()


def test_a_target_may_name_its_own_engine() -> None:
    configs = replace(CONFIG, engine="auto", dtype="auto").of_each(["1:1", "1:1@onnx-int4"])
    assert [one.engine for one in configs.values()] == ["auto", "onnx"]
    assert configs["1:1@onnx-int4"].dtype == "int4"
    with pytest.raises(ConfigError, match="int3"):
        replace(CONFIG, dtype="auto").of_each(["1:1@onnx-int3"])
