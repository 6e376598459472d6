"""Grouped-query attention with rotary positions, exactly as in Qwen2.

Several query heads share one key and one value head. Queries, keys and values have biases, the
output has none. Softmax is computed in float32; weights and activations keep the type of the
module.

Axes: b batch, t time, p stored positions, h query heads, k key/value heads, g query heads per
key/value head, d head width.
"""

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.backbone.positions import Positions, apply_rotary
from mamtra.backbone.state import KeyValueState

SHORT = 512  # tokens up to which 16-bit scores on a CPU are written out


def attend_short(
    queries: Float[Tensor, "batch time heads head_dim"],
    keys: Float[Tensor, "batch time kv_heads head_dim"],
    values: Float[Tensor, "batch time kv_heads head_dim"],
) -> Float[Tensor, "batch time heads head_dim"]:
    """Attend with the scores written out: two batched products in 16 bit.

    At a few hundred tokens, forward and backward together, this takes half the time of PyTorch's
    CPU kernel in float32 (measured at 4 heads of 48).
    """
    time, group = queries.shape[1], queries.shape[2] // keys.shape[2]
    rows = "b t h d -> (b h) t d"
    keys, values = (repeat(part, "b t k d -> (b k g) t d", g=group) for part in (keys, values))
    future = torch.full((time, time), -torch.inf, dtype=queries.dtype).triu(1)
    scores = torch.baddbmm(
        future.expand(keys.shape[0], time, time),
        rearrange(queries, rows),
        keys.transpose(1, 2),
        alpha=queries.shape[-1] ** -0.5,
    )
    return rearrange(scores.softmax(-1) @ values, "(b h) t d -> b t h d", b=queries.shape[0])


def attend(
    queries: Float[Tensor, "batch time heads head_dim"],
    keys: Float[Tensor, "batch time kv_heads head_dim"],
    values: Float[Tensor, "batch time kv_heads head_dim"],
) -> Float[Tensor, "batch time heads head_dim"]:
    """Let every token look at itself and all tokens before it, from an empty memory."""
    exact = queries.dtype
    if queries.device.type == "cpu" and queries.requires_grad and exact is not torch.float32:
        if queries.shape[1] <= SHORT:
            return attend_short(queries, keys, values)
        # PyTorch's CPU kernel has a 16-bit backward pass 2-3 times slower than its float32 one
        queries, keys, values = queries.float(), keys.float(), values.float()
    mixed = F.scaled_dot_product_attention(
        queries.transpose(1, 2),
        keys.transpose(1, 2),
        values.transpose(1, 2),
        is_causal=True,
        enable_gqa=queries.shape[2] != keys.shape[2],
    )
    return mixed.to(exact).transpose(1, 2)


def attend_one(
    queries: Float[Tensor, "batch 1 heads head_dim"],
    keys: Float[Tensor, "batch kv_heads past head_dim"],
    values: Float[Tensor, "batch kv_heads past head_dim"],
    positions: Positions,
) -> Float[Tensor, "batch 1 heads head_dim"]:
    """Let one new token per row look at the stored ones: two small matrix products per group."""
    grouped = rearrange(queries, "b 1 (k g) d -> b k g d", k=keys.shape[1])
    scores = (grouped @ keys.transpose(-1, -2)).float() * queries.shape[-1] ** -0.5
    if positions.shared_start is None:
        scores = scores.masked_fill(~positions.visible, -torch.inf)
    mixed = scores.softmax(-1).to(values.dtype) @ values
    return rearrange(mixed, "b k g d -> b 1 (k g) d")


class Attention(nn.Module):
    """Causal self-attention; the memory, if any, is an argument."""

    qkv_proj: Any

    def __init__(
        self, dim: int, query_heads: int, kv_heads: int, head_dim: int, bias: bool = True
    ) -> None:
        super().__init__()
        self.query_heads, self.kv_heads, self.head_dim = query_heads, kv_heads, head_dim
        self.biased = bias
        self.q_proj = nn.Linear(dim, query_heads * head_dim, bias=bias)
        self.k_proj = nn.Linear(dim, kv_heads * head_dim, bias=bias)
        self.v_proj = nn.Linear(dim, kv_heads * head_dim, bias=bias)
        self.o_proj = nn.Linear(query_heads * head_dim, dim, bias=False)
        self.register_module("qkv_proj", None)

    @property
    def projections(self) -> list[nn.Linear]:
        """The layers of queries, keys and values, in this order; none once they are joined."""
        return [] if self.qkv_proj is not None else [self.q_proj, self.k_proj, self.v_proj]

    def join(self, joined: nn.Module) -> None:
        """Let one layer stand for the three projections, which then are gone."""
        del self.q_proj, self.k_proj, self.v_proj
        self.qkv_proj = joined

    def new_state(
        self, batch: int, capacity: int, dtype: torch.dtype, device: torch.device | str
    ) -> KeyValueState:
        """An empty memory with room for ``capacity`` tokens."""
        shape = (batch, self.kv_heads, capacity, self.head_dim)
        empty = torch.zeros(shape, dtype=dtype, device=device)
        return KeyValueState(empty, empty.clone())

    def project(
        self, hidden: Float[Tensor, "batch time dim"]
    ) -> Float[Tensor, "batch time projected"]:
        """Queries, keys and values side by side.

        In training one product of the joined weights is faster (one pass over the input, one over
        its gradient); a few tokens are faster without copying the weights together.
        """
        if self.qkv_proj is not None:
            return self.qkv_proj(hidden)
        parts = self.projections
        if not torch.is_grad_enabled():
            return torch.cat([part(hidden) for part in parts], dim=-1)
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts]) if self.biased else None
        return F.linear(hidden, weight, bias)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        positions: Positions,
        state: KeyValueState | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Mix over time; with a state, continue from it and store the new keys and values in it."""
        heads = rearrange(self.project(hidden), "b t (h d) -> b t h d", d=self.head_dim)
        turned, values = torch.split(
            heads, [self.query_heads + self.kv_heads, self.kv_heads], dim=2
        )
        turned = apply_rotary(turned, positions.cosine, positions.sine)
        queries, keys = torch.split(turned, [self.query_heads, self.kv_heads], dim=2)
        if state is not None:
            self.store(keys, values, positions, state)
        if state is None or positions.end == positions.time:
            mixed = attend(queries, keys, values)
        else:
            mixed = self.recall(queries, positions, state)
        return self.o_proj(rearrange(mixed, "b t h d -> b t (h d)"))

    def store(
        self,
        keys: Float[Tensor, "batch time kv_heads head_dim"],
        values: Float[Tensor, "batch time kv_heads head_dim"],
        positions: Positions,
        state: KeyValueState,
    ) -> None:
        """Write the new keys and values at each row's own positions.

        Padding is written as well, beyond the row's end: nothing may look there, and the row's next
        tokens overwrite it.
        """
        state.reserve(positions.end)
        if (start := positions.shared_start) is not None:
            state.keys[:, :, start : positions.end] = rearrange(keys, "b t k d -> b k t d")
            state.values[:, :, start : positions.end] = rearrange(values, "b t k d -> b k t d")
            return
        index = positions.index
        row = rearrange(torch.arange(len(positions.starts), device=keys.device), "b -> b 1")
        state.keys[row, :, index] = keys.to(state.keys.dtype)
        state.values[row, :, index] = values.to(state.values.dtype)

    def recall(
        self,
        queries: Float[Tensor, "batch time heads head_dim"],
        positions: Positions,
        state: KeyValueState,
    ) -> Float[Tensor, "batch time heads head_dim"]:
        """Attend to everything stored, the new tokens included."""
        keys = state.keys[:, :, : positions.end].to(queries.dtype)
        values = state.values[:, :, : positions.end].to(queries.dtype)
        if positions.time == 1:
            return attend_one(queries, keys, values, positions)
        mixed = F.scaled_dot_product_attention(
            rearrange(queries, "b t h d -> b h t d"),
            keys,
            values,
            attn_mask=positions.visible,
            enable_gqa=self.query_heads != self.kv_heads,
        )
        return rearrange(mixed, "b h t d -> b t h d")
