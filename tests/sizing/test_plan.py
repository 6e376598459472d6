"""What is planned is what is allocated."""

import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mamtra.backbone import Stack, StackState
from mamtra.backbone.state import KeyValueState
from mamtra.benchmark.decode.timing import filled_state
from mamtra.benchmark.random_weights import with_random_weights
from mamtra.checkpoints.format import ModelFolder
from mamtra.cli.plan import part_rows
from mamtra.errors import ConfigError, LayoutError
from mamtra.runtime.torch.cuda_graph import GraphStepper
from mamtra.runtime.torch.engine import EngineConfig, prepare
from mamtra.runtime.torch.open import open_part
from mamtra.sizing.gpus import memory_of, readable
from mamtra.sizing.inference_bytes import (
    acoustic_bytes,
    break_even_tokens,
    capacity_of,
    held_bytes,
    layer_bytes,
    paper_break_even_tokens,
    prefill_bytes,
    speech_lm_bytes,
    state_bytes,
)
from mamtra.sizing.mixer_sizes import MIXER_SIZES
from mamtra.sizing.plan import CONTEXT_BYTES, fit, plan, usable_bytes
from mamtra.sizing.sizes import (
    CHATTERBOX,
    COSYVOICE2,
    COSYVOICE3,
    SHAPES,
    TOY,
    ModelSizes,
    model_sizes,
    shaped,
)
from mamtra.speech_lm import SpeechLM

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
WITHIN = 0.05  # what a plan may be wrong by


def held(state: StackState, tokens: int) -> int:
    """Bytes of a state that has grown to so many tokens."""
    for layer in state.layers:
        if isinstance(layer, KeyValueState):
            layer.reserve(tokens)
    return state.nbytes


def with_deltanet(sizes: ModelSizes) -> ModelSizes:
    """The same sizes with Gated DeltaNet where Mamba is."""
    backbone = replace(sizes.backbone, layout=sizes.backbone.layout.replace("M", "G"))
    return replace(sizes, speech_lm=replace(sizes.speech_lm, backbone=backbone))


@pytest.mark.parametrize("shape", [*SHAPES, "deltanet"])
def test_weights_and_states_are_predicted_to_the_byte(shape: str) -> None:
    sizes = with_deltanet(shaped(TOY, "1:1")) if shape == "deltanet" else shaped(TOY, shape)
    model = SpeechLM(sizes.speech_lm)
    for dtype, kind in DTYPES.items():
        model = model.to(kind)
        assert speech_lm_bytes(sizes.speech_lm, dtype) == held_bytes(model)
        for tokens, streams in ((1, 1), (256, 3), (257, 2), (700, 5)):
            state = model.new_state(streams)
            predicted = state_bytes(sizes.backbone, tokens, streams, dtype)
            assert predicted.total == held(state, tokens), (dtype, tokens, streams)


def test_a_memory_on_a_recorded_step_is_predicted_as_well() -> None:
    sizes = shaped(TOY, "1:1")
    model = prepare(with_random_weights(lambda: SpeechLM(sizes.speech_lm)), EngineConfig(threads=1))
    model.stepper = GraphStepper(model, lambda body: body)  # repeats a step instead of recording it
    state = filled_state(model, 260, batch=2, room=0)
    model.step(torch.tensor([1, 2]), state)
    assert state.nbytes == state_bytes(sizes.backbone, 260, 2, "float32", "graph").total
    assert capacity_of(260, "graph") == 512


@pytest.mark.parametrize("shape", SHAPES)
def test_the_large_model_is_predicted_within_5_percent(shape: str) -> None:
    sizes = shaped(COSYVOICE2, shape)
    with torch.device("meta"):  # counts what would be allocated
        model = SpeechLM(sizes.speech_lm)
    predicted = speech_lm_bytes(sizes.speech_lm, "float32")
    assert predicted == pytest.approx(held_bytes(model), rel=WITHIN)
    state = model.backbone.new_state(32, 4096, torch.bfloat16, "meta")
    predicted = state_bytes(sizes.backbone, 4096, 32, "bfloat16").total
    recurrent = [layer for layer in state.layers if not isinstance(layer, KeyValueState)]
    real = state.nbytes
    assert all(layer.scan.dtype is torch.float32 for layer in recurrent)
    assert predicted == pytest.approx(real, rel=WITHIN)


def test_a_folder_is_planned_as_it_is_loaded(tiny_model_folder: Path) -> None:
    sizes = model_sizes(str(tiny_model_folder))
    planned = plan(sizes, seconds=10.0, streams=2, dtype="float32")
    real = {
        name: held_bytes(open_part(ModelFolder(tiny_model_folder), name))
        for name in planned.weights
    }
    assert planned.weights == real
    assert planned.layout == "AM"


def test_the_published_sizes_are_those_of_the_inventory() -> None:
    # parameters as counted in the published checkpoints, float32
    assert acoustic_bytes(COSYVOICE2)["decoder"] == pytest.approx(4 * 112_549_360, rel=1e-4)
    assert acoustic_bytes(COSYVOICE2)["vocoder"] == pytest.approx(4 * 20_821_295, rel=2e-3)
    lm = speech_lm_bytes(COSYVOICE2.speech_lm, "float32")
    assert lm == 4 * 505_803_812


def test_the_papers_break_even_and_ours() -> None:
    hybrid = shaped(COSYVOICE2, "1:5").backbone
    assert paper_break_even_tokens(hybrid) == 242
    assert break_even_tokens(hybrid, "bfloat16") == 462  # the scan state is float32
    grouped = shaped(COSYVOICE2, "1:5-grouped").backbone
    assert paper_break_even_tokens(grouped) == 50
    assert break_even_tokens(grouped, "bfloat16") == 78


class Living(TorchDispatchMode):
    """Counts the bytes of the storages that live at once, from those that were there before."""

    def __init__(self, before: StackState) -> None:
        super().__init__()
        tensors = [value for layer in before.layers for value in (layer.keys, layer.values)]
        self.known = {tensor.untyped_storage()._cdata for tensor in tensors}
        self.now = self.peak = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        made = function(*arguments, **(options or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self.see(tensor.untyped_storage())
        return made

    def see(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.forget, storage._cdata, storage.nbytes())

    def forget(self, storage: int, count: int) -> None:
        self.known.discard(storage)
        self.now -= count


@pytest.mark.parametrize("shape", ["1:0", "1:1", "1:5-grouped", "deltanet"])
def test_the_estimate_of_a_prefill_is_of_the_right_size(shape: str) -> None:
    hybrid = shaped(COSYVOICE2, "1:1" if shape == "deltanet" else shape)
    sizes = with_deltanet(hybrid) if shape == "deltanet" else hybrid
    short = replace(sizes.backbone, layout=sizes.backbone.layout[:2])  # a layer of each kind
    with torch.device("meta"), torch.inference_mode():
        stack = Stack(short)
        hidden, state = torch.zeros(2, 96, short.dim), stack.new_state(2, 96)
        keys = StackState([layer for layer in state.layers if hasattr(layer, "keys")], [])
        with Living(keys) as living:
            stack(hidden, state)
    assert 0.7 < prefill_bytes(short, 96, 2, "float32") / living.peak < 1.4


def test_a_card_holds_what_fits_and_not_one_stream_more() -> None:
    sizes = shaped(COSYVOICE2, "1:5")
    card = memory_of("24 GiB")
    wanted = plan(sizes, seconds=60.0, streams=4, dtype="bfloat16")
    found = fit(sizes, wanted, card)
    assert found.fits
    assert plan(sizes, 60.0, found.streams, "bfloat16").total <= usable_bytes(card)
    assert plan(sizes, 60.0, found.streams + 1, "bfloat16").total > usable_bytes(card)
    assert found.seconds is not None
    assert plan(sizes, float(found.seconds), 4, "bfloat16").total <= usable_bytes(card)
    assert plan(sizes, found.seconds + 1.0, 4, "bfloat16").total > usable_bytes(card)


def test_a_card_that_is_too_small_holds_nothing() -> None:
    wanted = plan(COSYVOICE2, 10.0, 1, "float32")
    found = fit(COSYVOICE2, wanted, CONTEXT_BYTES)
    assert (found.fits, found.streams, found.seconds) == (False, 0, 0)


def test_cards_and_amounts_are_read() -> None:
    assert memory_of("H100") == 80 * 2**30
    assert memory_of("1.5 gib") == 3 * 2**29
    assert memory_of("141GB") == memory_of("h200") == 141 * 10**9
    assert readable(1536) == "1.5 KiB"
    assert readable(12) == "12 B"
    assert readable(3 * 2**40) == "3.0 TiB"
    with pytest.raises(ConfigError, match="'24 GiB'"):
        memory_of("much")


def test_a_mixer_without_sizes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(MIXER_SIZES, "G")
    with pytest.raises(ConfigError, match=r"a mixer G \(Gated DeltaNet\) costs is not known"):
        layer_bytes("G", TOY.backbone, "float32")


def test_a_shape_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="removed-12"):
        shaped(TOY, "one to five")
    with pytest.raises(LayoutError, match="does not divide 24"):
        shaped(TOY, "1:6")
    with pytest.raises(ConfigError, match="cannot be removed"):
        shaped(TOY, "removed-24")
    with pytest.raises(ConfigError, match="at least one stream"):
        plan(TOY, 1.0, 0, "float32")
    for seconds in (0.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="more than 0 seconds"):
            plan(TOY, seconds, 1, "float32")
    with pytest.raises(ConfigError, match="possible are eager"):
        plan(TOY, 1.0, 1, "float32", "steam")
    with pytest.raises(ConfigError, match="possible are float32"):
        plan(TOY, 1.0, 1, "int4")


def test_the_diffusion_transformer_is_counted():
    held = acoustic_bytes(COSYVOICE3)
    assert held["decoder"] == pytest.approx(4 * 332_257_088, rel=1e-6)
    assert held["vocoder"] == pytest.approx(4 * 20_779_887, rel=1e-3)


def test_chatterbox_holds_twenty_times_as_much_for_each_token():
    # 30 layers, 16 heads of 64, keys and values, two rows: docs/benchmarks.md
    planned = plan(CHATTERBOX, 40.0, 1, "bfloat16")
    assert planned.key_values == planned.capacity * 245_760
    other = plan(COSYVOICE2, 40.0, 1, "bfloat16")
    assert planned.key_values / planned.capacity == 20 * other.key_values / other.capacity
    half = plan(shaped(CHATTERBOX, "1:1"), 40.0, 1, "bfloat16")
    assert half.key_values * 2 == planned.key_values
    assert half.break_even < other.break_even


def test_the_weights_of_chatterbox_are_those_of_its_modules():
    with torch.device("meta"):
        model = SpeechLM(CHATTERBOX.speech_lm)
    numbers = sum(weight.numel() for weight in model.parameters())
    found = speech_lm_bytes(CHATTERBOX.speech_lm, "float32")
    assert found == 4 * numbers


def test_the_table_counts_every_layer_with_a_state_of_constant_size() -> None:
    planned = plan(with_deltanet(shaped(TOY, "1:1")), 10.0, 1, "float32")
    told = {part: how for part, how, _ in part_rows(planned)}
    recurrent = len(planned.layout) - planned.layout.count("A")
    assert recurrent
    assert told["scan states"] == f"{recurrent} layers, float32"
