"""The layers of a stack for exactly one new token per row, written for few and cheap operations.

A step of a small model costs what its operations cost to start, not what they compute. So here
every result goes into a buffer that was made once, every view of a buffer was made once, memories
are changed in place, and products add themselves onto the residual stream. The numbers are those of
the modules in attention.py, mamba.py and block.py, whose weights are read and never copied; the
contract suite holds both together.

Dtype rule: as the modules; what they round to 16 bit between two operations may stay float32 here.

Axes: b rows, h heads, k key/value heads, g heads of a key/value head, d head width, s state width,
w value width, n states, r readers of a state, m states of a key/value head, c channels.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mamtra.backbone.block import GatedMLP
from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.mixers.mamba import Mamba
from mamtra.backbone.mixers.mixer import Mixer, State
from mamtra.backbone.norm import RMSNorm
from mamtra.backbone.state import KeyValueState, ScanState
from mamtra.runtime.torch.int8 import Int8Linear
from mamtra.runtime.torch.positions import StepPositions


@dataclass(slots=True)
class Buffers:
    """Memory that the layers of a step share: one tensor per name and shape."""

    rows: int
    dtype: torch.dtype
    device: torch.device
    held: dict[tuple, Tensor] = field(default_factory=dict)

    def get(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """The tensor of this name and shape; a row per row of the batch in front."""
        key = (name, shape, dtype)
        if key not in self.held:
            kind = dtype or self.dtype
            self.held[key] = torch.zeros(self.rows, *shape, dtype=kind, device=self.device)
        return self.held[key]


class Product:
    """A linear layer that writes into a given tensor, or adds onto one."""

    def __init__(self, layer: nn.Linear) -> None:
        self.weight, self.bias = layer.weight.t(), layer.bias

    def into(self, vectors: Tensor, out: Tensor) -> None:
        """Overwrite ``out`` with the product."""
        if self.bias is None:
            torch.mm(vectors, self.weight, out=out)
        else:
            torch.addmm(self.bias, vectors, self.weight, out=out)

    def onto(self, vectors: Tensor, total: Tensor) -> None:
        """Add the product to ``total``; for layers without a bias."""
        total.addmm_(vectors, self.weight)


def product_of(layer: nn.Linear | Int8Linear) -> Product | Int8Linear:
    """What writes a layer's product where it belongs."""
    return Product(layer) if isinstance(layer, nn.Linear) else layer


class Norm:
    """Root-mean-square norm: a vector over its length, kept from zero by eps."""

    def __init__(self, weight: Tensor, eps: float) -> None:
        width = weight.shape[-1]
        self.scale = weight.float() * math.sqrt(width)
        self.floor = torch.tensor(math.sqrt(width * eps), device=weight.device)

    @classmethod
    def of(cls, norm: RMSNorm) -> "Norm":
        """The norm of a module."""
        return cls(norm.weight, norm.eps)

    def into(self, vectors: Tensor, exact: Tensor, out: Tensor) -> None:
        """Overwrite ``out``; ``exact`` is float32 and may be the same tensor."""
        length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True, dtype=torch.float32)
        torch.hypot(length, self.floor, out=length)
        torch.div(vectors, length, out=exact)
        torch.mul(exact, self.scale, out=out)


class MLPStep:
    """The gated MLP."""

    def __init__(self, mlp: GatedMLP, buffers: Buffers) -> None:
        self.gate_up, self.down = product_of(mlp.gate_up_proj), product_of(mlp.down_proj)
        self.wide = buffers.get("wide", mlp.gate_up_proj.out_features)
        self.gate, self.up = self.wide.chunk(2, dim=-1)

    def __call__(self, normal: Tensor, hidden: Tensor) -> None:
        """Add the MLP of ``normal`` onto ``hidden``."""
        self.gate_up.into(normal, self.wide)
        self.down.onto(F.silu(self.gate, inplace=True).mul_(self.up), hidden)


class ModuleStep:
    """Any mixer: its module reads the token. The state's tensors stay where they are, so that a
    recorded step may use them.
    """

    uses_positions = True

    def __init__(self, mixer: Mixer, buffers: Buffers) -> None:
        self.mixer, self.dtype = mixer, buffers.dtype

    def __call__(
        self, normal: Tensor, hidden: Tensor, step_positions: StepPositions, state: State
    ) -> None:
        """Run the module and add what it makes of ``normal`` onto ``hidden``."""
        before = state.tensors
        mixed = self.mixer(normal.unsqueeze(1), step_positions.as_pass(self.dtype), state)
        for own, new in zip(before, state.tensors, strict=True):
            if new is not own:
                own.copy_(new)
        state.set_tensors(before)
        hidden.add_(mixed[:, 0])


class AttentionStep:
    """Attention of one query per row and head to everything stored."""

    uses_positions = True

    def __init__(self, mixer: Attention, buffers: Buffers) -> None:
        rows, heads, kv_heads = buffers.rows, mixer.query_heads, mixer.kv_heads
        width = mixer.head_dim
        self.project, self.out = product_of(mixer.qkv_proj), product_of(mixer.o_proj)
        self.projected = buffers.get("qkv", (heads + 2 * kv_heads) * width)
        self.queries, self.keys, self.values = self.projected.view(rows, -1, width).split(
            [heads, kv_heads, kv_heads], dim=1
        )
        self.turned_queries = buffers.get("queries", heads, width)
        self.turned_keys = buffers.get("keys", kv_heads, width)
        self.grouped = self.turned_queries.view(rows * kv_heads, heads // kv_heads, width)
        self.mixed = buffers.get("attended", heads, width)
        self.mixed_groups = self.mixed.view(self.grouped.shape)
        self.flat = self.mixed.view(rows, heads * width)

    def __call__(
        self, normal: Tensor, hidden: Tensor, step_positions: StepPositions, state: KeyValueState
    ) -> None:
        """Store the new keys and values, and add what attention makes of them onto ``hidden``."""
        self.project.into(normal, self.projected)
        torch.bmm(self.queries, step_positions.turn_queries, out=self.turned_queries)
        torch.bmm(self.keys, step_positions.turn, out=self.turned_keys)
        step_positions.store(self.turned_keys, state.keys)
        step_positions.store(self.values, state.values)
        keys = state.keys.flatten(0, 1).narrow(1, 0, step_positions.end).transpose(1, 2)
        values = state.values.flatten(0, 1).narrow(1, 0, step_positions.end)
        if step_positions.hidden_from is None:
            scores = torch.bmm(self.grouped, keys)
        else:
            scores = torch.baddbmm(step_positions.hidden_from, self.grouped, keys)
        weights = scores.softmax(-1, dtype=torch.float32).to(values.dtype)
        torch.bmm(weights, values, out=self.mixed_groups)
        self.out.onto(self.flat, hidden)


class MambaStep:
    """One turn of the recurrence; the state is changed in place."""

    def __init__(self, mixer: Mamba, buffers: Buffers) -> None:
        config, rows, exact = mixer.config, buffers.rows, torch.float32
        self.config, kv_heads = config, config.kv_heads
        self.uses_positions = config.rotary
        shared, readers = config.states // kv_heads, config.heads // config.states
        self.project, self.out = product_of(mixer.in_proj), product_of(mixer.out_proj)
        sections = config.sections
        self.projected = buffers.get("zxBCdt", sum(sections.values()))
        z, inputs, self.dt = self.projected.split(
            [sections["z"], config.channels, config.states], dim=-1
        )
        self.z = z.view(rows, -1, config.head_dim)
        self.inputs = inputs.unsqueeze(1)
        self.set_convolution(mixer, buffers)
        self.mix = buffers.get("mix", config.channels, dtype=exact)
        x, B, C = self.mix.split([sections[name] for name in ("x", "B", "C")], dim=-1)
        self.x = x.view(rows, kv_heads, 1, config.head_dim)
        self.write = B.view(rows, kv_heads, config.state_dim)
        self.read = C.view(rows, config.heads, config.state_dim)
        self.turned_write, self.turned_read = self.write, self.read
        if config.rotary or rows > 1:  # reads of several rows must lie side by side
            self.turned_read = buffers.get("C", config.heads, config.state_dim, dtype=exact)
        if config.rotary:
            self.turned_write = buffers.get("B", kv_heads, config.state_dim, dtype=exact)
        self.writes = self.turned_write.view(rows, kv_heads, 1, config.state_dim, 1)
        self.reads = self.turned_read.view(-1, readers, config.state_dim)
        self.dt_bias, self.rate = mixer.dt_bias.float(), -mixer.A_log.float().exp()
        self.sums = buffers.get("dt", config.states, dtype=exact)
        self.steps = (rows, kv_heads, shared, 1)
        self.decay = buffers.get("decay", config.states, dtype=exact)
        self.kept = self.decay.view(*self.steps, 1)
        self.added = buffers.get("added", kv_heads, shared, config.head_dim, dtype=exact)
        self.memory = (rows, kv_heads, shared, config.state_dim, config.head_dim)
        self.y = buffers.get("y", config.heads, config.head_dim, dtype=exact)
        self.y_states = self.y.view(-1, readers, config.head_dim)
        self.y_groups = self.y.view(rows, kv_heads, -1, config.head_dim)
        self.skip = mixer.D.float().view(kv_heads, -1, 1)
        self.done = buffers.get("done", config.heads, config.head_dim)
        self.flat = self.done.view(rows, -1)
        weight = mixer.norm.weight.view(config.heads, -1) if config.norm else None
        self.norm = None if weight is None else Norm(weight, config.norm_eps)

    def set_convolution(self, mixer: Mamba, buffers: Buffers) -> None:
        """The window with a row of ones in front, and the taps with the bias in front."""
        width, channels = self.config.conv_width, self.config.channels
        if mixer.conv1d is None:
            return
        self.window = buffers.get("window", width + 1, channels, dtype=torch.float32)
        self.window[:, 0] = 1.0
        self.recent, self.kept_inputs = self.window[:, 1:], self.window[:, 2:]
        assert mixer.conv1d.bias is not None
        bias = mixer.conv1d.bias.float().unsqueeze(0)
        self.taps = torch.cat([bias, mixer.conv1d.weight.float().squeeze(1).t()])
        self.tapped = torch.empty_like(self.window)

    def convolve(self, state: ScanState) -> None:
        """Mix each channel with its last inputs, and remember this one."""
        if not self.config.conv_width:
            self.mix.copy_(self.inputs.squeeze(1))
        else:
            torch.cat([state.window, self.inputs], dim=1, out=self.recent)
            state.window.copy_(self.kept_inputs)
            torch.mul(self.window, self.taps, out=self.tapped)
            torch.sum(self.tapped, 1, out=self.mix)
        if self.config.activation == "silu":
            F.silu(self.mix, inplace=True)

    def __call__(
        self, normal: Tensor, hidden: Tensor, step_positions: StepPositions, state: ScanState
    ) -> None:
        """Fade the state, write into it, read from it, and add the result onto ``hidden``."""
        self.project.into(normal, self.projected)
        self.convolve(state)
        if self.config.rotary:
            torch.bmm(self.write, step_positions.exact_turn, out=self.turned_write)
            torch.bmm(self.read, step_positions.exact_turn, out=self.turned_read)
        elif self.turned_read is not self.read:
            self.turned_read.copy_(self.read)
        torch.add(self.dt, self.dt_bias, out=self.sums)
        steps = F.softplus(self.sums)
        torch.mul(steps, self.rate, out=self.decay).exp_()
        torch.mul(self.x, steps.view(self.steps), out=self.added)
        memory = state.scan.view(self.memory)
        memory.mul_(self.kept).addcmul_(self.writes, self.added.unsqueeze(3))
        torch.bmm(self.reads, state.scan.flatten(0, 1), out=self.y_states)
        self.y_groups.addcmul_(self.skip, self.x)
        if self.config.gate != "none":
            self.y.mul_(F.silu(self.z, inplace=True))
        if self.norm is None:
            self.done.copy_(self.y)
        else:
            self.norm.into(self.y, self.y, self.done)
        self.out.onto(self.flat, hidden)


# quick forms by the kind of mixer; any other runs its module
QUICK_STEPS: dict[type, Any] = {Attention: AttentionStep, Mamba: MambaStep}


def mixer_step(mixer: Mixer, buffers: Buffers) -> Any:
    """The quickest form of a mixer for one token per row."""
    return QUICK_STEPS.get(type(mixer), ModuleStep)(mixer, buffers)
