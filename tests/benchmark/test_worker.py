"""One target measured: what is timed, what is counted, what is left out."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from eight_bit import INT8

from mamtra.backbone.state import KeyValueState
from mamtra.benchmark.decode import chain, worker
from mamtra.benchmark.decode.config import BenchConfig, read_config
from mamtra.benchmark.decode.rounds import run_config
from mamtra.benchmark.decode.target import build
from mamtra.benchmark.decode.timing import Speaker, Timing, decode_row, fill_stack, prompt_of
from mamtra.benchmark.memory import forget_peak, peak_bytes, resident_bytes
from mamtra.benchmark.process import answer
from mamtra.benchmark.random_weights import with_random_weights
from mamtra.errors import ConfigError, GenerationError
from mamtra.runtime.torch.engine import EngineConfig, prepare
from mamtra.sizing.inference_bytes import held_bytes, speech_lm_bytes
from mamtra.sizing.sizes import COSYVOICE2, TOY, shaped
from mamtra.speech_lm import SpeechLM

CONFIG = BenchConfig(
    target="1:5", model="toy", threads=1, contexts=(40, 300), batches=(1, 2), steps=1, repeats=1
)
WITHIN = 0.05  # what a plan may be wrong by


def test_settings_survive_their_journey() -> None:
    assert read_config(CONFIG.written()) == CONFIG
    with pytest.raises(ConfigError, match="unknown key speed"):
        read_config('{"speed": 1}')
    with pytest.raises(ConfigError, match="repeats=0"):
        replace(CONFIG, repeats=0)
    with pytest.raises(ConfigError, match="contexts must be"):
        replace(CONFIG, contexts=(0,))


def test_every_context_and_batch_is_timed_and_counted() -> None:
    row = worker.measure(replace(CONFIG, prompts=(12,), seconds=0.2))
    assert [(cell["context"], cell["batch"]) for cell in row["decode"]] == [
        (40, 1),
        (40, 2),
        (300, 1),
        (300, 2),
    ]
    for cell in row["decode"]:
        assert cell["tokens_per_second"] > 0
        assert cell["seconds_per_step"] > 0
        assert 0 < cell["share_of_bandwidth"] < 1  # tiny layers: nowhere near the floor
    assert row["prefill"][0]["tokens"] == 12
    assert set(row["chain"]["real_time_factor"]) == {"speech_lm", "decoder", "vocoder", "whole"}
    assert row["chain"]["stream"]["first_audio_seconds"] > 0
    assert row["engine"]["dtype"] == "float32"
    assert row["layout"] == "AMMMMM" * 4
    json.dumps(row)


def test_every_stage_of_the_chain_has_run_before_it_is_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, first = list[str](), list[list[str]]()
    for name in ("draw", "sound"):
        real = getattr(chain.Acoustics, name)

        def noted(self: chain.Acoustics, given: Any, name: str = name, real: Any = real) -> Any:
            done.append(name)
            return real(self, given)

        monkeypatch.setattr(chain.Acoustics, name, noted)

    def timed(work: Any, device: Any, repeats: int) -> Timing:
        before = list(done)
        work()
        first.append(before if done != before and done[-1] not in before else [])
        return Timing(seconds=(1.0,), cpu_seconds=(1.0,))

    monkeypatch.setattr(chain, "timed", timed)
    worker.measure(replace(CONFIG, contexts=(40,), batches=(1,), seconds=0.2))
    assert first
    assert not any(first), "a stage was timed that had not run before"


def test_counting_alone_times_nothing_and_meets_the_plan() -> None:
    row = worker.measure(replace(CONFIG, contexts=(4096,), batches=(4,), steps=0))
    (cell,) = row["decode"]
    assert "tokens_per_second" not in cell
    assert cell["predicted_bytes"] == pytest.approx(cell["state_bytes"], rel=WITHIN)


def test_the_baseline_is_measured_by_the_same_calls() -> None:
    row = worker.measure(replace(CONFIG, target="baseline", prompts=(12,), spoken=3))
    assert row["engine"]["engine"] == "transformers"
    assert row["memory"]["peak_speaking"] > row["memory"]["weights"]
    assert row["decode"][0]["tokens_per_second"] > 0


def test_what_does_not_fit_into_memory_is_told_and_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "free_bytes", lambda device: 1000)
    row = worker.measure(CONFIG)
    assert all("are free" in cell["skipped"] for cell in row["decode"])


@pytest.mark.parametrize("shape", ["1:0", "1:1", "1:5-grouped"])
@pytest.mark.parametrize("dtype", [INT8, "bfloat16", "float32"])
def test_a_prepared_model_weighs_what_was_planned(shape: str, dtype: str) -> None:
    layout = "A" if shape == "1:0" else "AM"
    backbone = replace(shaped(COSYVOICE2, shape).backbone, layout=layout, dim=128)
    config = replace(COSYVOICE2.speech_lm, backbone=backbone, text_vocabulary=2000)
    model = with_random_weights(lambda: SpeechLM(config))
    model = prepare(model, EngineConfig(dtype=dtype, threads=1))
    predicted = speech_lm_bytes(config, dtype)
    assert predicted == pytest.approx(held_bytes(model), rel=WITHIN)


def test_a_filled_memory_counts_its_tokens() -> None:
    model = with_random_weights(lambda: SpeechLM(shaped(TOY, "1:1").speech_lm))
    state = model.new_state(2, 300)
    fill_stack(state, 290)
    assert state.positions == [290, 290]
    attention = next(layer for layer in state.layers if isinstance(layer, KeyValueState))
    assert attention.keys[:, :, 289].abs().min() > 0
    assert attention.keys[:, :, 290:].abs().max() == 0


def test_speaking_on_and_on_never_draws_an_end() -> None:
    model = with_random_weights(lambda: SpeechLM(TOY.speech_lm))
    state = model.new_state(1, 40)
    speaker = Speaker(model, state, 1, model.read([prompt_of(model, 8)], state))
    speaker.speak(20)
    assert len(speaker.histories[0]) == 20
    assert max(speaker.histories[0]) < model.vocabulary.codes
    assert state.positions == [27]  # the last id was not read


def test_random_weights_are_random_finite_and_repeatable() -> None:
    config = shaped(TOY, "1:1").speech_lm
    first, again = (with_random_weights(lambda: SpeechLM(config)).state_dict() for _ in range(2))
    for name, weight in first.items():
        assert torch.isfinite(weight).all(), name
        if not name.endswith(("A_log", "dt_bias")):
            torch.testing.assert_close(weight, again[name])
    assert float(first["text_embedding.weight"].std()) > 0


def test_a_peak_can_be_forgotten() -> None:
    held = torch.ones(40 * 2**18)
    del held
    if not forget_peak(torch.device("cpu")):
        pytest.skip("the kernel keeps the peak of a process's whole life")
    assert peak_bytes() - (resident_bytes() or 0) < 20 * 2**20


def test_a_failure_is_one_sentence_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        answer(worker.main, replace(CONFIG, target="1:6").written())
    assert ended.value.code == ConfigError.exit_code
    assert "does not divide 24" in capsys.readouterr().err


@pytest.mark.slow
def test_a_fresh_process_measures_memory_of_a_model_from_disk() -> None:
    row = run_config(replace(CONFIG, contexts=(40,), batches=(1,), spoken=5))
    memory = row["memory"]
    assert memory["interpreter"] < memory["peak_speaking"]
    assert memory["states"] > 0
    with pytest.raises(GenerationError, match=r"measuring 1:6 of toy"):
        run_config(replace(CONFIG, target="1:6"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_a_gpu_is_measured(engine: str) -> None:
    # contexts to which a memory grows, so that the few steps after them hardly count
    config = replace(CONFIG, device="cuda", engine=engine, contexts=(256, 512), prompts=(12,))
    row = worker.measure(replace(config, spoken=5, seconds=0.2))
    assert row["memory"]["device"]["peak_allocated"] > 0
    for cell in row["decode"]:
        assert cell["predicted_bytes"] == pytest.approx(cell["state_bytes"], rel=WITHIN)


def test_times_are_those_of_the_model_and_not_of_its_filling() -> None:
    target = build(CONFIG)
    row = decode_row(target.model, context=30, batch=1, steps=2, repeats=3)
    assert row["tokens_per_second"] == pytest.approx(1 / row["seconds_per_step"])
