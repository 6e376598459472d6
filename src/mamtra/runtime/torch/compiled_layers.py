"""The layers of a step on a CPU whose 8-bit weights and small operations are compiled code.

A few calls of the compiled package do what lies between two products. The contract suite holds them
to the modules.

Importing this imports numba; compiled_step.py does so for weights that are packed for it.

Axes: b rows, h heads, d head width, s state width, c channels.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from mamtra.backbone.block import Block, GatedMLP
from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.mixers.mamba import Mamba
from mamtra.backbone.norm import RMSNorm
from mamtra.backbone.state import KeyValueState, ScanState
from mamtra.runtime.torch import compiled
from mamtra.runtime.torch.compiled_positions import RowPositions
from mamtra.runtime.torch.int8 import Int8Linear
from mamtra.runtime.torch.int8_kernels import NOTHING, CompiledKernel
from mamtra.runtime.torch.layers import Buffers


class CompiledNorm:
    """Root-mean-square norm before a product."""

    def __init__(self, norm: RMSNorm) -> None:
        self.weight, self.eps = norm.weight.numpy(), norm.eps


class CompiledProduct:
    """A layer with 8-bit weights.

    Attributes:
        vectors: what is to be multiplied; stays as it is.
        factors: of the vectors.
    """

    def __init__(self, layer: nn.Module, buffers: Buffers) -> None:
        assert isinstance(layer, Int8Linear)
        assert isinstance(layer.kernel, CompiledKernel)
        self.kernel = layer.kernel
        self.layer = layer.scales.numpy(), NOTHING if layer.bias is None else layer.bias.numpy()
        self.vectors = buffers.get("vectors", layer.in_features).numpy()
        self.factors = np.ones(buffers.rows, np.float32)
        whole, sums = layer.kernel.shapes(buffers.rows)
        rounded = buffers.get(f"{layer.in_features} rounded", *whole, dtype=torch.int8)
        self.room = rounded.numpy(), buffers.get("sums", *sums, dtype=torch.int32).numpy()

    def take(self, hidden: np.ndarray, norm: CompiledNorm) -> None:
        """Let the vectors be ``hidden`` behind a norm."""
        compiled.normal(hidden, norm.weight, norm.eps, self.vectors, self.factors)

    def into(self, out: np.ndarray) -> None:
        """Overwrite ``out`` with the product."""
        self.kernel.write(self.vectors, self.factors, self.layer, out, self.room)

    def onto(self, total: np.ndarray) -> None:
        """Add the product to ``total``."""
        self.kernel.write(self.vectors, self.factors, self.layer, total, self.room, adds=True)


class CompiledMLP:
    """The gated MLP and the norm before it."""

    def __init__(self, norm: RMSNorm, mlp: GatedMLP, buffers: Buffers) -> None:
        self.norm = CompiledNorm(norm)
        self.project = CompiledProduct(mlp.gate_up_proj, buffers)
        self.down = CompiledProduct(mlp.down_proj, buffers)
        self.wide = buffers.get("wide", mlp.gate_up_proj.out_features).numpy()

    def __call__(self, hidden: np.ndarray) -> None:
        """Add the MLP of ``hidden`` onto it."""
        self.project.take(hidden, self.norm)
        self.project.into(self.wide)
        compiled.gated(self.wide, self.down.vectors)
        self.down.onto(hidden)


class CompiledAttention:
    """Attention of one query per row and head to everything stored, and the norm before it."""

    def __init__(self, norm: RMSNorm, mixer: Attention, buffers: Buffers) -> None:
        self.heads, self.kv_heads, width = mixer.query_heads, mixer.kv_heads, mixer.head_dim
        self.norm, self.scale, self.buffers = CompiledNorm(norm), width**-0.5, buffers
        self.project = CompiledProduct(mixer.qkv_proj, buffers)
        self.out = CompiledProduct(mixer.o_proj, buffers)
        self.found = self.out.vectors.reshape(buffers.rows, self.heads, width)
        sides = self.heads + 2 * self.kv_heads
        self.projected = buffers.get("qkv", sides * width).numpy()
        self.packs = -(-self.heads // (self.kv_heads * compiled.QUERIES))
        shape = self.kv_heads, self.packs, width // 2, compiled.QUERIES, 2
        self.queries = buffers.get("queries", *shape).numpy()
        self.marks = self.mixed = np.empty((0, 0, 0, 0), np.float32)

    def make_room(self, cache_len: int) -> None:
        """Have memory for what is found in each span of so many positions."""
        groups, spans = self.kv_heads * self.packs, -(-cache_len // compiled.SPAN)
        if spans <= self.marks.shape[1]:
            return
        spans = 1 << (spans - 1).bit_length()  # so that it grows seldom
        width = self.found.shape[2]
        marks = self.buffers.get("marks", groups, spans, 2, compiled.QUERIES).flatten(0, 1)
        mixed = self.buffers.get("mixed", groups, spans, compiled.QUERIES, width).flatten(0, 1)
        self.marks, self.mixed = marks.numpy(), mixed.numpy()

    def __call__(
        self, hidden: np.ndarray, step_positions: RowPositions, state: KeyValueState
    ) -> None:
        """Store the new keys and values, and add what attention makes of them onto ``hidden``."""
        keys, values, positions = state.keys.numpy(), state.values.numpy(), step_positions.positions
        self.project.take(hidden, self.norm)
        self.project.into(self.projected)
        compiled.store(
            self.projected,
            *step_positions.flat_turn(),
            self.scale,
            positions,
            self.queries,
            keys,
            values,
            self.heads,
        )
        self.make_room(state.capacity)
        compiled.attend(
            self.queries,
            keys,
            values,
            positions,
            self.marks,
            self.mixed,
            self.found,
            torch.get_num_threads(),
        )
        self.out.onto(hidden)


class CompiledMamba:
    """One turn of the recurrence, and the norm before it; the state is changed in place."""

    def __init__(self, norm: RMSNorm, mixer: Mamba, buffers: Buffers) -> None:
        config = mixer.config
        self.norm, self.rotary = CompiledNorm(norm), config.rotary
        self.project = CompiledProduct(mixer.in_proj, buffers)
        self.out = CompiledProduct(mixer.out_proj, buffers)
        self.projected = buffers.get("zxBCdt", sum(config.sections.values())).numpy()
        self.mix = buffers.get("mix", config.channels).numpy()
        self.taps = np.empty((0, config.channels), np.float32)
        if config.conv_width:
            assert mixer.conv1d is not None
            assert mixer.conv1d.bias is not None
            bias, taps = mixer.conv1d.bias.unsqueeze(0), mixer.conv1d.weight.squeeze(1).t()
            self.taps = torch.cat([bias, taps]).numpy()
        self.with_silu = config.activation == "silu"
        rate = -mixer.A_log.exp().numpy()
        self.numbers = mixer.dt_bias.numpy(), rate, mixer.D.numpy(), config.norm_eps
        weight = mixer.norm.weight.numpy() if config.norm else NOTHING
        self.weight = weight.reshape(config.heads, -1)
        self.straight = (np.empty((0, config.state_dim), np.float32),) * 2

    def __call__(self, hidden: np.ndarray, step_positions: RowPositions, state: ScanState) -> None:
        """Move the state on by one token, and add what it tells onto ``hidden``."""
        cosine, sine = step_positions.flat_turn() if self.rotary else self.straight
        state.window, state.scan = state.window.contiguous(), state.scan.contiguous()
        self.project.take(hidden, self.norm)
        self.project.into(self.projected)
        compiled.advance(
            self.projected,
            state.window.numpy(),
            self.taps,
            self.with_silu,
            self.mix,
            cosine,
            sine,
            self.numbers,
            state.scan.numpy(),
            self.weight,
            self.out.vectors,
            torch.get_num_threads(),
        )
        self.out.onto(hidden)


class CompiledLayer:
    """A block: norm, mixer, norm, MLP."""

    def __init__(self, block: Block, buffers: Buffers) -> None:
        norm, mixer = block.input_layernorm, block.mixer
        kinds: dict[type, Any] = {Attention: CompiledAttention, Mamba: CompiledMamba}
        self.mixer = kinds[type(mixer)](norm, mixer, buffers)
        self.mlp = CompiledMLP(block.post_attention_layernorm, block.mlp, buffers)

    def __call__(
        self, hidden: torch.Tensor, step_positions: RowPositions, state: KeyValueState | ScanState
    ) -> None:
        """Move the memory on, and ``hidden`` through the block."""
        array = hidden.numpy()
        self.mixer(array, step_positions, state)  # pyright: ignore[reportArgumentType]
        self.mlp(array)
