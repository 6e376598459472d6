"""The layers of a step on a CPU in float32, with numpy between the products.

The same as step_layers.py, whose docstring tells the ways; this is its fast form where nothing is
recorded and no GPU is involved. PyTorch keeps what it does faster: products, softmax, silu, and the
update of a recurrence's state, which is the only large array here. The contract suite holds both.

Every row of a batch gets, bit for bit, what it would get alone, as each operation works on numbers
one by one or along a row; only attention may differ in the last bit where rows have read different
numbers of tokens.

Axes: b rows, h heads, k key/value heads, g heads of a key/value head, d head width, s state width,
w value width, n states, r readers of a state, c channels.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy import add, multiply, ndarray

from mamtra.backbone.block import Block, GatedMLP
from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.mixers.mamba import Mamba
from mamtra.backbone.norm import RMSNorm
from mamtra.backbone.state import KeyValueState, ScanState
from mamtra.runtime.torch.layers import Buffers
from mamtra.runtime.torch.numpy_positions import NumpyPlace, Turner
from mamtra.runtime.torch.numpy_products import Factor, numpy_product


class NumpyNorm:
    """Root-mean-square norm of the residual stream, in two parts: numbers now, a factor later."""

    def __init__(self, norm: RMSNorm) -> None:
        self.weight, self.eps = norm.weight.numpy(), norm.eps

    def into(self, hidden: ndarray, out: ndarray) -> Factor:
        """Write the scaled vectors to ``out``; they have still to be multiplied by the result."""
        sums = [float(row.dot(row)) for row in hidden]
        multiply(hidden, self.weight, out=out)
        width = len(self.weight)
        factors = [(total / width + self.eps) ** -0.5 for total in sums]
        if len(factors) == 1:
            return factors[0]
        return np.array(factors, np.float32)[:, None]


class NumpyMLP:
    """The gated MLP. Its wide vectors are written as seldom as can be: factors wait to the end."""

    def __init__(self, mlp: GatedMLP, buffers: Buffers) -> None:
        self.project = numpy_product(mlp.gate_up_proj, buffers)
        self.down = numpy_product(mlp.down_proj, buffers)
        self.width = mlp.down_proj.in_features
        self.spread = buffers.get("spread", self.width).numpy()

    def __call__(self, factor: Factor, hidden: torch.Tensor) -> None:
        """Add the MLP of the vectors in ``project``, times their factors, onto ``hidden``."""
        wide, factor = self.project.pending(factor)
        gate, up = wide[:, : self.width], wide[:, self.width :]
        gated = multiply(gate, up, out=self.down.vectors)
        spread = multiply(gate, -factor, out=self.spread)
        np.exp(spread, out=spread)
        add(spread, 1.0, out=spread)
        np.divide(gated, spread, out=gated)  # silu(gate) * up
        self.down.onto(hidden, factor * factor)


class NumpyAttention:
    """Attention of one query per row and head to everything stored."""

    def __init__(self, mixer: Attention, buffers: Buffers) -> None:
        rows, heads, kv_heads = buffers.rows, mixer.query_heads, mixer.kv_heads
        width, group = mixer.head_dim, mixer.query_heads // mixer.kv_heads
        self.width = width
        self.project = numpy_product(mixer.qkv_proj, buffers)
        self.out = numpy_product(mixer.o_proj, buffers)
        self.projected = buffers.get("qkv", (heads + 2 * kv_heads) * width)
        heads_side_by_side = self.projected.numpy().reshape(rows, -1, width)
        self.values = heads_side_by_side[:, heads + kv_heads :]
        self.queries = Turner(heads_side_by_side[:, :heads], buffers, "queries")
        self.keys = Turner(heads_side_by_side[:, heads : heads + kv_heads], buffers, "keys")
        self.grouped = self.queries.turned.view(rows * kv_heads, group, width)
        self.mixed = torch.from_numpy(self.out.vectors).view(rows * kv_heads, group, width)

    def stored(self, state: KeyValueState, place: NumpyPlace) -> tuple[torch.Tensor, torch.Tensor]:
        """Views of the keys, transposed, and of the values that may be seen."""
        groups, width, end = self.grouped.shape[0], self.width, place.end
        stride = state.capacity * width
        keys = state.keys.as_strided((groups, width, end), (stride, 1, width))
        return keys, state.values.as_strided((groups, end, width), (stride, width, 1))

    def __call__(
        self, factor: Factor, hidden: torch.Tensor, place: NumpyPlace, state: KeyValueState
    ) -> None:
        """Store the new keys and values, and add what attention makes of them onto ``hidden``."""
        self.project.into(factor, self.projected)
        self.queries.turn(place.query_cosine, place.query_sine)
        place.store(self.keys.turn(place.cosine, place.sine), state.keys)
        place.store(self.values, state.values)
        keys, values = self.stored(state, place)
        if place.hidden_from is None:
            scores = torch.bmm(self.grouped, keys)
        else:
            scores = torch.baddbmm(place.hidden_from, self.grouped, keys)
        torch.bmm(torch.softmax(scores, -1), values, out=self.mixed)
        self.out.onto(hidden)


class NumpyMamba:
    """One turn of the recurrence; the state is changed in place."""

    def __init__(self, mixer: Mamba, buffers: Buffers) -> None:
        config, rows = mixer.config, buffers.rows
        self.config, kv_heads, states = config, config.kv_heads, config.states
        shared, readers = states // kv_heads, config.heads // states
        self.project = numpy_product(mixer.in_proj, buffers)
        self.out = numpy_product(mixer.out_proj, buffers)
        sections = list(config.sections.values())
        self.projected = buffers.get("zxBCdt", sum(sections))
        ends = np.cumsum([sections[0], config.channels])
        z, self.inputs, self.dt = np.split(self.projected.numpy(), ends, axis=-1)
        self.gate = self.projected[:, : sections[0]]
        self.z = z.reshape(rows, -1, config.head_dim)
        self.set_convolution(mixer, buffers)
        self.mix = buffers.get("mix", config.channels)
        x, B, C = np.split(self.mix.numpy(), np.cumsum(sections[1:3]), axis=-1)
        self.x = x.reshape(rows, kv_heads, 1, config.head_dim)
        B = B.reshape(rows, kv_heads, config.state_dim)
        C = C.reshape(rows, config.heads, config.state_dim)
        self.write = Turner(B, buffers, "B")
        self.read = Turner(C, buffers, "C")
        self.reads = self.read.turned.view(-1, readers, config.state_dim)
        self.writes = self.write.turned.view(rows, kv_heads, 1, config.state_dim, 1)
        self.dt_bias, self.rate = mixer.dt_bias.numpy(), -mixer.A_log.exp().numpy()
        self.steps = buffers.get("dt", states).numpy()
        self.shared_steps = self.steps.reshape(rows, kv_heads, shared, 1)
        decay = buffers.get("decay", states)
        self.decay, self.kept = decay.numpy(), decay.view(rows, kv_heads, shared, 1, 1)
        added = buffers.get("added", kv_heads, shared, config.head_dim)
        self.added, self.adds = added.numpy(), added.unsqueeze(3)
        self.memory = (rows, kv_heads, shared, config.state_dim, config.head_dim)
        y = buffers.get("y", config.heads, config.head_dim)
        self.y, self.y_states = y.numpy(), y.view(-1, readers, config.head_dim)
        self.y_groups = self.y.reshape(rows, kv_heads, -1, config.head_dim)
        self.skip = mixer.D.view(kv_heads, -1, 1).numpy()
        self.skipped = buffers.get("skipped", *self.y_groups.shape[1:]).numpy()
        self.done = self.out.vectors.reshape(self.y.shape)
        weight = mixer.norm.weight.view(config.heads, -1).numpy() if config.norm else None
        self.weight, self.eps = weight, config.norm_eps

    def set_convolution(self, mixer: Mamba, buffers: Buffers) -> None:
        """The window with a row of ones in front, and the taps with the bias in front."""
        width, channels = self.config.conv_width, self.config.channels
        if not width:
            return
        self.window = buffers.get("window", width + 1, channels).numpy()
        self.window[:, 0] = 1.0
        assert mixer.conv1d is not None
        assert mixer.conv1d.bias is not None
        bias, taps = mixer.conv1d.bias.unsqueeze(0), mixer.conv1d.weight.squeeze(1).t()
        self.taps = torch.cat([bias, taps]).numpy()
        self.tapped = buffers.get("tapped", width + 1, channels).numpy()

    def convolve(self, state: ScanState) -> None:
        """Mix each channel with its last inputs, and remember this one."""
        if not self.config.conv_width:
            self.mix.numpy()[...] = self.inputs
        else:
            window, before = self.window, state.window.numpy()
            window[:, 1:-1] = before
            window[:, -1] = self.inputs
            before[...] = window[:, 2:]
            multiply(window, self.taps, out=self.tapped)
            add.reduce(self.tapped, axis=1, out=self.mix.numpy())
        if self.config.activation == "silu":
            F.silu(self.mix, inplace=True)

    def recur(self, state: ScanState) -> None:
        """Fade the state, write into it, read from it."""
        steps = add(self.dt, self.dt_bias, out=self.steps)
        np.logaddexp(steps, 0.0, out=steps)  # softplus
        multiply(steps, self.rate, out=self.decay)
        np.exp(self.decay, out=self.decay)
        multiply(self.x, self.shared_steps, out=self.added)
        memory = state.scan.view(self.memory)
        memory.mul_(self.kept).addcmul_(self.writes, self.adds)
        torch.bmm(self.reads, state.scan.flatten(0, 1), out=self.y_states)
        multiply(self.skip, self.x, out=self.skipped)
        add(self.y_groups, self.skipped, out=self.y_groups)

    def finish(self) -> None:
        """Gate the output and normalise each head."""
        if self.config.gate != "none":
            F.silu(self.gate, inplace=True)
            multiply(self.y, self.z, out=self.y)
        if self.weight is None:
            self.done[...] = self.y
            return
        squares = multiply(self.y, self.y, out=self.done)
        lengths = add.reduce(squares, axis=-1, keepdims=True)
        lengths /= self.config.head_dim
        lengths += self.eps
        np.sqrt(lengths, out=lengths)
        np.divide(self.y, lengths, out=self.done)
        multiply(self.done, self.weight, out=self.done)

    def __call__(
        self, factor: Factor, hidden: torch.Tensor, place: NumpyPlace, state: ScanState
    ) -> None:
        """Move the state on by one token, and add what it tells onto ``hidden``."""
        self.project.into(factor, self.projected)
        self.convolve(state)
        if self.config.rotary:
            self.write.turn(place.cosine, place.sine)
            self.read.turn(place.cosine, place.sine)
        else:
            self.write.keep()
            self.read.keep()
        self.recur(state)
        self.finish()
        self.out.onto(hidden)


class NumpyLayer:
    """A block: norm, mixer, norm, MLP."""

    def __init__(self, block: Block, buffers: Buffers) -> None:
        mixer = block.mixer
        kinds: dict[type, Any] = {Attention: NumpyAttention, Mamba: NumpyMamba}
        self.mixer = kinds[type(mixer)](mixer, buffers)
        self.mlp = NumpyMLP(block.mlp, buffers)
        self.before_mixer = NumpyNorm(block.input_layernorm)
        self.before_mlp = NumpyNorm(block.post_attention_layernorm)

    def __call__(
        self, hidden: torch.Tensor, place: NumpyPlace, state: KeyValueState | ScanState
    ) -> None:
        """Move the memory on, and ``hidden`` through the block."""
        array = hidden.numpy()
        factor = self.before_mixer.into(array, self.mixer.project.vectors)
        self.mixer(factor, hidden, place, state)
        factor = self.before_mlp.into(array, self.mlp.project.vectors)
        self.mlp(factor, hidden)
