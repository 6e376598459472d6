"""Steps in fused kernels: on a CPU by Triton's interpreter, on a GPU in recorded graphs."""

import copy
from dataclasses import replace
from importlib import metadata

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mamtra.backbone import BackboneConfig, StackState
from mamtra.backbone.mixers.mamba import MambaConfig
from mamtra.runtime.torch.cuda_graph import GraphStepper, PlainPlan
from mamtra.runtime.torch.engine import EngineConfig, prepare
from mamtra.runtime.torch.fused.shapes import Shape, splits_for
from mamtra.runtime.torch.fused.support import (
    compiler_missing,
    triton_missing,
    unfit_machine,
    unfit_model,
    why_not_fused,
)
from mamtra.speech_lm import SpeechLM, SpeechLMConfig

GPU = torch.cuda.is_available()
TRITON = pytest.mark.skipif(triton_missing() is not None, reason=str(triton_missing()))
INTERPRETED = pytest.mark.skipif(GPU, reason="a GPU runs the kernels themselves")
SIZES = BackboneConfig(
    dim=20, layout="AM", query_heads=3, kv_heads=1, head_dim=6, mlp_dim=24, rope_theta=1e4
)
VARIANTS = {
    "default": MambaConfig(),
    "group": MambaConfig(decay="group", kv_heads=1, heads=2, head_dim=5),
    "bare": MambaConfig(norm=False, gate="none", conv_width=0, activation="none"),
    "open": MambaConfig(gate="open", input_bias=True, conv_width=2, state_dim=7),
}
TOLERANCE = {"float32": 1e-5, "bfloat16": 0.05}


def ready(sizes: BackboneConfig, dtype: str, device: str = "cpu") -> SpeechLM:
    torch.manual_seed(0)
    config = SpeechLMConfig(backbone=sizes, text_vocabulary=4, speech_vocabulary=9)
    model = SpeechLM(config).eval().requires_grad_(False)
    threads = torch.get_num_threads()
    return prepare(model, EngineConfig(device=device, dtype=dtype, threads=threads))


@torch.inference_mode()
def filled_state(model: SpeechLM, positions: list[int], capacity: int) -> StackState:
    """A memory of random content, as if rows had read so many tokens."""
    state = model.new_state(len(positions), capacity)
    state.reserve(capacity)
    for layer in state.layers:
        for tensor in layer.tensors:
            tensor.copy_(torch.randn(tensor.shape))
    state.positions = list(positions)
    return state


@torch.inference_mode()
def steps_of(model: SpeechLM, plan, state: StackState, cache_len: int, steps: int) -> list[Tensor]:
    """Logits of a few steps; the memory moves on."""
    plan.positions.copy_(torch.tensor(state.positions))
    logits = []
    for step in range(steps):
        ids = torch.arange(len(state.positions), device=model.device) + step
        plan.hidden.copy_(model.speech_embedding(ids))
        plan.run(state, cache_len)
        plan.positions.add_(1)
        logits.append(plan.logits.float().clone())
    return logits


def compare(model: SpeechLM, positions: list[int], cache_len: int, dtype: str) -> None:
    """Fused kernels against operations: logits, and what the memories hold afterwards."""
    from mamtra.runtime.torch.fused.step import FusedStep

    state = filled_state(model, positions, cache_len)
    mirrored = copy.deepcopy(state)
    plain = PlainPlan(model.backbone, model.head, len(positions))
    fused = FusedStep(model.backbone, model.head, len(positions), early=False, exact=True)
    wanted = steps_of(model, plain, state, cache_len, 2)
    got = steps_of(model, fused, mirrored, cache_len, 2)
    tolerance = TOLERANCE[dtype] * float(wanted[0].abs().max())
    for ours, theirs in zip(got, wanted, strict=True):
        assert_close(ours, theirs, atol=tolerance, rtol=0)
    for own, other in zip(mirrored.layers, state.layers, strict=True):
        for ours, theirs in zip(own.tensors, other.tensors, strict=True):
            assert_close(ours, theirs, atol=TOLERANCE[dtype] * 4, rtol=TOLERANCE[dtype])


@TRITON
@INTERPRETED
@pytest.mark.filterwarnings("ignore")  # the interpreter computes where a mask hides the result
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_fused_steps_equal_the_operations(variant, dtype):
    compare(ready(replace(SIZES, mamba=VARIANTS[variant]), dtype), [4, 1, 2], 64, dtype)


@TRITON
@INTERPRETED
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("position", "cache_len"), [(0, 256), (254, 256), (256, 512), (2100, 4096)]
)
def test_fused_attention_equals_the_operations_at_every_length(position, cache_len):
    sizes = replace(SIZES, layout="A", query_heads=4, kv_heads=2)
    compare(ready(sizes, "float32"), [position], cache_len, "float32")


@TRITON
@INTERPRETED
@pytest.mark.filterwarnings("ignore")
def test_a_stepper_that_is_given_fused_steps_equals_the_model():
    from mamtra.runtime.torch.fused.step import FusedStep

    def fused(stack, head, rows):
        return FusedStep(stack, head, rows, early=False)

    model = ready(SIZES, "float32")
    state = filled_state(model, [3, 2], 16)
    states = [state, copy.deepcopy(state)]
    stepper = GraphStepper(model, lambda body: body, fused)
    for ids in (torch.tensor([1, 2]), torch.tensor([3, 4])):
        got = stepper.step_embedded(model.speech_embedding(ids), states[1])
        assert_close(got, model.step(ids, states[0]), atol=1e-5, rtol=1e-4)


def test_models_that_no_fused_kernel_knows_say_why():
    model = ready(SIZES, "bfloat16")
    assert unfit_model(model.backbone, model.head) is None
    assert why_not_fused(model.backbone, model.head) == "fused kernels need a CUDA device"
    reasons = {
        "bfloat16 weights": ready(SIZES, "float32"),
        "rotary Mamba": ready(replace(SIZES, mamba=MambaConfig(rotary=True)), "bfloat16"),
        "GatedDeltaNet layers": ready(replace(SIZES, layout="AG"), "bfloat16"),
    }
    for reason, unfit in reasons.items():
        assert reason in str(unfit_model(unfit.backbone, unfit.head))


@pytest.mark.parametrize(
    ("version", "reason"),
    [("3.6.0", None), ("3.2.1", "triton 3.2.1 is older than 3.3"), (None, "not installed")],
)
def test_triton_has_to_be_there_and_new_enough(monkeypatch, version, reason):
    def found(name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", found)
    assert triton_missing() is reason if reason is None else reason in str(triton_missing())


def test_a_machine_without_a_compiler_or_with_an_old_gpu_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (7, 5))
    assert "Ampere or later" in str(unfit_machine(torch.device("cuda")))
    monkeypatch.setenv("CC", "gcc")
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"include": str(tmp_path)})
    assert "no Python.h" in str(compiler_missing())
    (tmp_path / "Python.h").touch()
    assert compiler_missing() is None
    monkeypatch.delenv("CC")
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert "no C compiler" in str(compiler_missing())


@pytest.mark.parametrize("cache_len", [4, 256, 512, 4096, 16_384, 32_768])
def test_splits_cover_every_position(cache_len):
    splits, split = splits_for(cache_len)
    assert splits * split >= cache_len
    assert splits <= 128


def test_a_wide_matrix_is_cut_into_fewer_rows():
    narrow, wide = (Shape(block=8).fitted(width) for width in (896, 30_000))
    assert narrow == Shape(block=8)
    assert wide.block * 30_000 <= 160 * 32 * wide.warps


@TRITON
@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="needs a CUDA GPU")
@pytest.mark.filterwarnings("default")  # kernels may warn as they compile
@pytest.mark.parametrize(("variant", "rows"), [("default", 1), ("default", 3), ("open", 1)])
def test_recorded_fused_steps_equal_the_operations(variant, rows):
    from mamtra.runtime.torch.fused.step import FusedStep

    sizes = replace(SIZES, layout="AMMA", dim=64, head_dim=16, mamba=VARIANTS[variant])
    model = ready(sizes, "bfloat16", "cuda")
    state = filled_state(model, [250 - row for row in range(rows)], 600)
    states = [state, copy.deepcopy(state)]
    fused, plain = GraphStepper(model), GraphStepper(model, plan=PlainPlan)
    for step in range(20):  # past the first 256 positions
        vectors = model.speech_embedding((torch.arange(rows) + step % 9).cuda())
        got = fused.step_embedded(vectors, states[0])
        wanted = plain.step_embedded(vectors, states[1]).float()
        assert_close(got, wanted, atol=0.05 * float(wanted.abs().max()), rtol=0)
    assert isinstance(fused.buffers[rows].plan, FusedStep)
