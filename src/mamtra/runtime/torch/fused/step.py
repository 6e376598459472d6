"""A whole stack and its head for one new token per row, in five or six kernels a layer.

The counterpart of ``StackStep`` with the same meaning, for a GPU and for few rows: norm and inward
product, attention or one turn of the recurrence, outward product onto the residual stream, norm and
gated product, and the product back onto the stream. Each kernel may begin to load its weights while
the one before it still runs (programmatic dependent launch), where the GPU can do that.

Dtype rule: weights, keys, values and windows keep their type; everything between is float32.

Axes: b rows.
"""

import math
from typing import Any

import torch
import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn

from mamtra.backbone.block import Block, GatedMLP
from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.mixers.mamba import Mamba
from mamtra.backbone.mixers.mixer import Mixer
from mamtra.backbone.norm import RMSNorm
from mamtra.backbone.stack import Stack
from mamtra.backbone.state import KeyValueState, ScanState, StackState
from mamtra.runtime.torch.fused.attention import attend, join
from mamtra.runtime.torch.fused.products import (
    normed_convolved,
    normed_gate_up,
    normed_product,
    product_onto,
)
from mamtra.runtime.torch.fused.recurrence import scan_step
from mamtra.runtime.torch.fused.shapes import (
    ATTENTION_TILE,
    ATTENTION_WARPS,
    LEAST_TILE,
    SCAN_WARPS,
    SHAPES,
    power_of_two,
    splits_for,
)
from mamtra.runtime.torch.layers import Buffers
from mamtra.runtime.torch.positions import StepPositions

LOG2_E = math.log2(math.e)


class Launcher:
    """Starts kernels.

    Args:
        early: whether a kernel may begin before the one ahead of it ends; such a kernel waits by
            itself for what it needs.
        exact: whether attention multiplies in float32 what is stored in 16 bit.
    """

    def __init__(self, early: bool, exact: bool) -> None:
        self.early, self.exact = early, exact
        self.options = {"launch_pdl": True} if early else {}

    def __call__(self, kernel: Any, grid: tuple[int, ...], *given: Any, **sizes: Any) -> None:
        """Start as many programs as the grid has."""
        kernel[grid](*given, **sizes, **self.options, EARLY=self.early)

    def product(self, kernel: Any, name: str, weight: Tensor, *given: Any, **sizes: Any) -> None:
        """Start a product with a matrix in the shape of this name."""
        shape = SHAPES[name].fitted(weight.shape[1])
        outs = weight.shape[0] // shape.rows_each
        self(
            kernel,
            (triton.cdiv(outs, shape.block),),
            *given,
            **sizes,
            WIDTH=weight.shape[1],
            OUTS=outs,
            BLOCK=shape.block,
            TILE=shape.tile,
            num_warps=shape.warps,
        )


def matrix_of(layer: nn.Linear) -> Tensor:
    """The weights of a layer, row by row."""
    return layer.weight.contiguous()


class NormedProduct:
    """A norm and the linear layer behind it."""

    def __init__(self, launch: Launcher, name: str, norm: RMSNorm, layer: nn.Linear) -> None:
        self.launch, self.name = launch, name
        self.scale, self.eps = norm.weight, norm.eps
        self.weight, self.bias = matrix_of(layer), layer.bias

    def __call__(self, vectors: Tensor, out: Tensor) -> None:
        """Overwrite ``out``."""
        self.launch.product(
            normed_product,
            self.name,
            self.weight,
            *(vectors, self.scale, self.weight, self.bias, out, self.eps),
            ROWS=len(vectors),
            BIASED=self.bias is not None,
        )


class FusedAttention:
    """Attention of one query per row and head to everything stored."""

    def __init__(self, launch: Launcher, norm: RMSNorm, mixer: Attention, buffers: Buffers) -> None:
        self.launch, self.mixer, self.buffers = launch, mixer, buffers
        self.project = NormedProduct(launch, "inward", norm, mixer.qkv_proj)
        self.weight = matrix_of(mixer.o_proj)
        self.projected = buffers.get("qkv", len(self.project.weight))
        self.mixed = buffers.get("mixed", self.weight.shape[1])
        exact = launch.exact or self.weight.dtype is torch.float32
        self.type = tl.float32 if exact else tl.bfloat16

    def __call__(
        self, before: Tensor, after: Tensor, positions: StepPositions, state: KeyValueState
    ) -> None:
        """Store the new keys and values; ``after`` is ``before`` and what attention adds to it."""
        self.project(before, self.projected)
        mixer, rows, cache_len = self.mixer, len(before), positions.end
        splits, split = splits_for(cache_len)
        sizes = {"SPLITS": splits, "SPLIT": split}
        heads = {"HEADS": mixer.query_heads, "WIDTH": mixer.head_dim}
        heads["WIDTH_BLOCK"] = max(LEAST_TILE, power_of_two(mixer.head_dim))
        get = self.buffers.get
        attended = get("attended", splits, mixer.query_heads, mixer.head_dim)
        parts = attended, *(get(name, splits, mixer.query_heads) for name in ("peaks", "sums"))
        self.launch(
            attend,
            (mixer.kv_heads * splits, rows),
            *(self.projected, *positions.table(cache_len), state.keys, state.values),
            *(positions.positions, *parts, state.keys.stride(0), state.keys.stride(1)),
            mixer.head_dim**-0.5 * LOG2_E,
            **heads,
            KV_HEADS=mixer.kv_heads,
            GROUP_BLOCK=max(LEAST_TILE, power_of_two(mixer.query_heads // mixer.kv_heads)),
            **sizes,
            TILE=min(ATTENTION_TILE, split),
            TYPE=self.type,
            num_warps=ATTENTION_WARPS,
        )
        given = (*parts, positions.positions, self.mixed)
        self.launch(join, (mixer.query_heads, rows), *given, **heads, **sizes)
        self.launch.product(
            product_onto,
            "outward",
            self.weight,
            *(self.mixed, self.weight, before, after),
            ROWS=rows,
        )


class FusedMamba:
    """One turn of the recurrence; the state is changed in place."""

    def __init__(self, launch: Launcher, norm: RMSNorm, mixer: Mamba, buffers: Buffers) -> None:
        self.launch, self.config, self.norm, self.conv = launch, mixer.config, norm, mixer.conv1d
        self.inward, self.bias = matrix_of(mixer.in_proj), mixer.in_proj.bias
        self.outward = matrix_of(mixer.out_proj)
        self.dt_bias, self.rate = mixer.dt_bias.float(), -mixer.A_log.float().exp()
        self.skip = mixer.D.float()
        self.scale = mixer.norm.weight if mixer.config.norm else None
        self.projected = buffers.get("zxBCdt", len(self.inward))
        self.mixed = buffers.get("y", self.outward.shape[1])

    def __call__(
        self, before: Tensor, after: Tensor, positions: StepPositions, state: ScanState
    ) -> None:
        """Move the state on; ``after`` is ``before`` and what the layer adds to it."""
        del positions
        config, rows, conv = self.config, len(before), self.conv
        taps = (None, None) if conv is None else (conv.weight, conv.bias)
        gate = config.sections["z"]
        self.launch.product(
            normed_convolved,
            "inward",
            self.inward,
            *(before, self.norm.weight, self.inward, self.bias, self.projected, self.norm.eps),
            *(state.window, *taps),
            ROWS=rows,
            BIASED=self.bias is not None,
            GATE=gate,
            CHANNELS=config.channels,
            PAST=max(config.conv_width - 1, 0),
            CONVOLVED=conv is not None,
            ACTIVATED=config.activation == "silu",
        )
        self.launch(
            scan_step,
            (config.states, rows),
            *(self.projected, state.scan, self.dt_bias, self.rate, self.skip, self.scale),
            *(self.mixed, config.norm_eps),
            OUTS=len(self.inward),
            GATE=gate,
            STATES=config.states,
            KV_HEADS=config.kv_heads,
            READERS=config.heads // config.states,
            STATE_WIDTH=config.state_dim,
            WIDTH=config.head_dim,
            STATE_BLOCK=power_of_two(config.state_dim),
            WIDTH_BLOCK=power_of_two(config.head_dim),
            NORMED=config.norm,
            num_warps=SCAN_WARPS,
        )
        self.launch.product(
            product_onto,
            "outward",
            self.outward,
            *(self.mixed, self.outward, before, after),
            ROWS=rows,
        )


class FusedMLP:
    """The gated MLP behind its norm."""

    def __init__(self, launch: Launcher, norm: RMSNorm, mlp: GatedMLP, buffers: Buffers) -> None:
        self.launch, self.norm = launch, norm
        self.gate_up, self.down = matrix_of(mlp.gate_up_proj), matrix_of(mlp.down_proj)
        self.wide = buffers.get("wide", self.down.shape[1])

    def __call__(self, before: Tensor, after: Tensor) -> None:
        """``after`` is ``before`` and what the MLP adds to it."""
        rows, norm = len(before), self.norm
        self.launch.product(
            normed_gate_up,
            "gate_up",
            self.gate_up,
            *(before, norm.weight, self.gate_up, self.wide, norm.eps),
            ROWS=rows,
        )
        self.launch.product(
            product_onto, "down", self.down, self.wide, self.down, before, after, ROWS=rows
        )


FUSED_MIXERS: dict[type[Mixer], Any] = {Attention: FusedAttention, Mamba: FusedMamba}


class FusedLayer:
    """A block: its mixer and its MLP, each with the norm before it."""

    def __init__(self, launch: Launcher, block: Block, buffers: Buffers) -> None:
        fused = FUSED_MIXERS[type(block.mixer)]
        self.mixer = fused(launch, block.input_layernorm, block.mixer, buffers)
        self.mlp = FusedMLP(launch, block.post_attention_layernorm, block.mlp, buffers)
        self.middle = buffers.get("middle", len(block.input_layernorm.weight))

    def __call__(self, hidden: Tensor, positions: StepPositions, state: Any) -> None:
        """Move the memory on, and ``hidden`` through the block."""
        self.mixer(hidden, self.middle, positions, state)
        self.mlp(self.middle, hidden)


class FusedStep:
    """Buffers for steps of ``rows`` rows; belongs to a stack that was made ready.

    Attributes:
        hidden: where the caller puts the embeddings of the new tokens; overwritten by ``run``.
        positions: of the new tokens, on the device.
        logits: of the next ids; overwritten by ``run``.
    """

    def __init__(
        self, stack: Stack, head: nn.Linear, rows: int, *, early: bool, exact: bool = False
    ) -> None:
        config, device = stack.config, stack.norm.weight.device
        launch = Launcher(early, exact)
        buffers = Buffers(rows, torch.float32, device)
        self.hidden = buffers.get("hidden", config.dim)
        self.logits = buffers.get("logits", len(head.weight))
        self.layers = [FusedLayer(launch, block, buffers) for block in stack.blocks]
        self.head = NormedProduct(launch, "head", stack.norm, head)
        self.step_positions = StepPositions(
            rows,
            config.kv_heads,
            config.head_dim,
            config.rope_theta,
            torch.float32,
            device,
            config.rope_scaling,
        )
        self.positions = self.step_positions.positions

    def run(self, state: StackState, cache_len: int) -> None:
        """Go from ``hidden`` to ``logits``, for positions below ``cache_len``.

        The caller moves positions on, in the tensor and in the state, and sees to it that the
        memories have room.
        """
        self.step_positions.end = cache_len
        for layer, memory in zip(self.layers, state.layers, strict=True):
            layer(self.hidden, self.step_positions, memory)
        self.head(self.hidden, self.logits)
