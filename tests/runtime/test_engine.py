"""The engine: what it chooses, what it refuses, and that it says the same in every form."""

import copy
from dataclasses import asdict

import pytest
import torch
from eight_bit import INT8
from torch.testing import assert_close

from mamtra import cores
from mamtra.backbone import BackboneConfig
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import load_part, save_part
from mamtra.errors import CheckpointError, ConfigError
from mamtra.runtime.torch import engine
from mamtra.runtime.torch.engine import EngineConfig, open_speech_lm, prepare, resolve
from mamtra.speech_lm import SpeechLM, SpeechLMConfig, zero_shot

SIZES = BackboneConfig(
    dim=64,
    layout="AMMA",
    query_heads=4,
    kv_heads=2,
    head_dim=16,
    mlp_dim=96,
    rope_theta=1e4,
)
# of the largest logit: 8 bits keep two digits, bfloat16 a little more
DTYPES = ["float32", "bfloat16", INT8]
TOLERANCE = {"float32": 1e-5, "bfloat16": 0.03, "int8": 0.05}
SMALL, BIG = 1_000_000, 500_000_000


@pytest.fixture(scope="module")
def model() -> SpeechLM:
    torch.manual_seed(0)
    config = SpeechLMConfig(backbone=SIZES, text_vocabulary=30, speech_vocabulary=40)
    return SpeechLM(config).eval().requires_grad_(False)


def logits(model: SpeechLM, rows: int = 2, steps: int = 6) -> torch.Tensor:
    """What a model answers to prompts of different lengths and a few ids."""
    state = model.new_state(rows)
    prompts = [zero_shot([1, 2, 3 + row], [], [7] * (5 * row)) for row in range(rows)]
    answers = [model.read(prompts, state)]
    answers += [model.step(torch.arange(rows) + place, state) for place in range(steps)]
    return torch.stack(answers).float()


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_answers_as_the_model_in_float32(model, dtype, rows, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    wanted = logits(model, rows)
    got = logits(prepare(copy.deepcopy(model), EngineConfig(dtype=dtype)), rows)
    scale = wanted.abs().max()
    assert_close(got / scale, wanted / scale, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_model_opened_from_disk_answers_as_one_made_ready(
    tmp_path, model, dtype, stored, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = ModelConfig(name="a", speech_lm=asdict(model.config))
    write_config(tmp_path, config)
    save_part(model, tmp_path / "speech_lm.safetensors", stored)
    loaded = SpeechLM(model.config)
    load_part(loaded, tmp_path / "speech_lm.safetensors")
    asked = EngineConfig(dtype=dtype)
    opened = open_speech_lm(ModelFolder(tmp_path), asked)
    assert_close(logits(opened), logits(prepare(loaded, asked)), atol=TOLERANCE[dtype], rtol=1e-3)
    assert opened.text_embedding.weight.dtype is stored


def test_weights_that_do_not_fit_are_refused(tmp_path, model):
    config = asdict(model.config) | {"speech_vocabulary": 41}
    write_config(tmp_path, ModelConfig(name="a", speech_lm=config))
    save_part(model, tmp_path / "speech_lm.safetensors")
    with pytest.raises(CheckpointError, match="of another shape"):
        open_speech_lm(ModelFolder(tmp_path))


def test_a_small_model_is_exact_on_one_thread_and_a_large_one_small(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores, "available_cores", lambda: 4)
    monkeypatch.setattr(engine, "missing_for_compiled", lambda: None)
    small, large = resolve(EngineConfig(), SMALL), resolve(EngineConfig(), BIG)
    assert (small.dtype, small.kind, small.threads) == ("float32", "eager", 1)
    assert (large.dtype, large.kind, large.threads) == ("int8", "eager", 4)
    assert set(small.reasons) == {"dtype", "kind", "threads"}


def test_the_reason_tells_as_many_cores_as_compute(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores, "available_cores", lambda: 64)
    chosen = resolve(EngineConfig(dtype="float32"), BIG)
    assert f"read by {chosen.threads} cores together" in chosen.reasons["threads"]


def test_threads_that_the_environment_names_are_kept(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert resolve(EngineConfig(), BIG).threads == 1
    assert resolve(EngineConfig(threads=3), BIG).threads == 3


def test_a_gpu_speaks_bfloat16_through_graphs(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    chosen = resolve(EngineConfig(device="cuda"), SMALL)
    assert (chosen.dtype, chosen.kind) == ("bfloat16", "graph")
    assert resolve(EngineConfig(device="cuda", kind="eager"), SMALL).kind == "eager"
    with pytest.raises(ConfigError, match="int8"):
        resolve(EngineConfig(device="cuda", dtype="int8"), BIG)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve(EngineConfig(device="cuda:1"), SMALL).device == "cuda:1"
    with pytest.raises(ConfigError, match="the last of 2 GPUs here is cuda:1"):
        resolve(EngineConfig(device="cuda:2"), SMALL)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"device": "tpu"}, "device 'tpu' is unknown"),
        ({"device": "cpu:0"}, "device 'cpu:0' is unknown; possible are cpu and cuda"),
        ({"dtype": "float16"}, "dtype 'float16' is unknown"),
        ({"kind": "fast"}, "engine 'fast' is unknown"),
        ({"threads": -1}, "threads=-1"),
    ],
)
def test_unknown_values_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        EngineConfig(**config)


def test_what_is_not_possible_together_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA GPU"):
        resolve(EngineConfig(device="cuda"), SMALL)
    with pytest.raises(ConfigError, match="needs device cuda"):
        resolve(EngineConfig(kind="graph"), SMALL)
    monkeypatch.setattr(engine, "missing_for_compiled", lambda: "numba is not installed")
    with pytest.raises(ConfigError, match="numba is not installed"):
        resolve(EngineConfig(dtype="int8"), SMALL)
    for vectors, dtype in (("AVX512", "bfloat16"), ("AVX2", "float32")):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda found=vectors: found)
        assert resolve(EngineConfig(), BIG).dtype == dtype
