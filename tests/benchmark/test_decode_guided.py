"""A guided model is measured as it speaks: after a voice, with two rows for each stream."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mamtra.benchmark.decode import worker
from mamtra.benchmark.decode.chain import prompt_ids
from mamtra.benchmark.decode.config import BenchConfig
from mamtra.benchmark.decode.target import Target, build, bytes_per_step
from mamtra.benchmark.decode.timing import WARM_STEPS, beside_text, filled_state, prompt_of
from mamtra.checkpoints.format import ModelConfig, write_config
from mamtra.errors import ConfigError
from mamtra.sizing.inference_bytes import read_bytes, speech_lm_bytes, state_bytes
from mamtra.sizing.sizes import TOY
from mamtra.speech_lm.conditioning_config import ConditioningConfig

SPEECH_LM = replace(
    TOY.speech_lm,
    backbone=replace(TOY.backbone, layout="AMA"),
    conditioning=ConditioningConfig(
        text_positions=100,
        speech_positions=80,
        speaker_dim=8,
        prompt_tokens=10,
        prompt_queries=3,
        prompt_heads=2,
        text_start=1,
    ),
)
CONTEXT = 256 - WARM_STEPS - 1  # with the steps that are timed, a cache is full
BESIDE = 3 + 2 + 2 + 2  # vectors of a voice, speaker and emotion, marks of text, start marks


@pytest.fixture(params=["eager", "onnx"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> BenchConfig:
    """A toy of Chatterbox's kind, by its sizes alone."""
    if request.param == "onnx":
        pytest.importorskip("onnx", reason="exporting graphs needs the package onnx")
    assert TOY.decoder is not None
    assert TOY.vocoder is not None
    parts = {"decoder": asdict(TOY.decoder), "vocoder": asdict(TOY.vocoder)}
    write_config(tmp_path, ModelConfig(name="guided", speech_lm=asdict(SPEECH_LM), **parts))
    return BenchConfig(
        model=str(tmp_path),
        engine=request.param,
        dtype="float32",
        threads=1,
        contexts=(CONTEXT,),
        batches=(2,),
        steps=1,
        repeats=1,
    )


def test_a_stream_holds_two_rows_and_reads_a_voice_before_its_text(config: BenchConfig) -> None:
    row = worker.measure(replace(config, prompts=(4, 30), spoken=3))
    (cell,) = row["decode"]
    rows = state_bytes(SPEECH_LM.backbone, CONTEXT, 2 * 2, "float32").total
    assert cell["state_bytes"] == cell["predicted_bytes"] == rows
    assert cell["tokens_per_second"] == pytest.approx(2 / cell["seconds_per_step"])
    assert [each["tokens"] for each in row["prefill"]] == [BESIDE + 1, 30]
    assert row["memory"]["states"] > state_bytes(SPEECH_LM.backbone, 0, 1, "float32").total


def opened(config: BenchConfig) -> Target:
    """The target, and a check that its logits are guided."""
    target = build(config)
    prompt = prompt_of(target.model, 20)
    state = target.model.new_state(1)
    told = target.model.read([prompt], state)
    assert state.positions == [20]
    assert state.beneath.positions == [20, 20]
    assert np.isfinite(told).all()
    return target


def test_its_weights_and_what_a_step_reads_are_as_planned(config: BenchConfig) -> None:
    target = opened(config)
    stored = "bfloat16" if config.engine == "onnx" else "float32"
    assert target.weight_bytes == pytest.approx(speech_lm_bytes(SPEECH_LM, stored), rel=0.02)
    assert target.read_bytes == pytest.approx(read_bytes(SPEECH_LM, stored), rel=0.02)
    states = state_bytes(SPEECH_LM.backbone, 40, 2, "float32").total
    assert bytes_per_step(target, 40, 1) == target.read_bytes + states


def test_a_filled_stream_may_hold_more_than_there_are_positions(config: BenchConfig) -> None:
    target = opened(config)
    state = filled_state(target.model, 500, 2, 3)
    for _ in range(3):
        logits = target.model.step(torch.tensor([1, 2]), state)
    assert state.positions == [503, 503]
    assert np.isfinite(logits).all()
    assert not np.allclose(logits[0], logits[1])


def test_the_whole_chain_speaks_and_its_voice_is_no_prompt_of_text(config: BenchConfig) -> None:
    config = replace(config, seconds=1.2, prompt_seconds=1.0)
    read = prompt_ids(build(config), config)
    assert read == 17 + BESIDE  # letters of three words, and no speech tokens of the recording
    chain = worker.measure(config)["chain"]
    assert chain["prompt_tokens"] == read
    assert chain["stream"]["first_audio_seconds"] > 0


def test_other_models_read_two_marks_beside_their_text() -> None:
    assert beside_text(TOY.speech_lm) == 2
    assert beside_text(SPEECH_LM) == BESIDE


def test_the_baseline_of_a_guided_model_is_refused(config: BenchConfig) -> None:
    pytest.importorskip("transformers")
    attention = replace(SPEECH_LM, backbone=replace(SPEECH_LM.backbone, layout="AAA"))
    write_config(Path(config.model), ModelConfig(name="guided", speech_lm=asdict(attention)))
    with pytest.raises(ConfigError, match="is not guided; leave it out of --targets"):
        build(replace(config, target="baseline"))
