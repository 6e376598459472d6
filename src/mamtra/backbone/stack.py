"""The stack: blocks of attention and Mamba in the order of a layout, then a final norm.

The stack takes vectors and gives vectors; embeddings and heads belong to the models around it. Used
without a state it reads whole sequences (training); with a state it continues from it by one or
many tokens.

Axes: b batch, t time.
"""

from dataclasses import dataclass, field, fields
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mamtra.backbone.block import Block
from mamtra.backbone.layout import Layout
from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.mixers.mamba import Mamba, MambaConfig, as_mamba
from mamtra.backbone.norm import RMSNorm
from mamtra.backbone.positions import Span, span_of
from mamtra.backbone.state import StackState
from mamtra.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneConfig:
    """Sizes of the stack; defaults are Qwen2.5-0.5B, all attention.

    ``mamba`` may be given as the dict that a config.json holds.
    """

    dim: int = 896
    layout: str = "A" * 24
    query_heads: int = 14
    kv_heads: int = 2
    head_dim: int = 64
    mlp_dim: int = 4864
    rope_theta: float = 1_000_000.0
    rms_eps: float = 1e-6
    attention_bias: bool = True
    mamba: MambaConfig | dict[str, Any] = field(default_factory=MambaConfig)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layout", str(Layout.parse(str(self.layout))))
        object.__setattr__(self, "mamba", as_mamba(self.mamba))
        for name in ("dim", "query_heads", "kv_heads", "head_dim", "mlp_dim"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        if self.query_heads % self.kv_heads:
            raise ConfigError(
                f"query_heads={self.query_heads} is not a multiple of kv_heads={self.kv_heads}"
            )
        if self.head_dim % 2:
            raise ConfigError(f"head_dim={self.head_dim} must be even for rotary positions")
        sizes = self.mamba_sizes
        if sizes.heads % sizes.kv_heads:
            raise ConfigError(
                f"the Mamba layers' heads={sizes.heads} are not a multiple of their "
                f"kv_heads={sizes.kv_heads}"
            )
        if sizes.rotary and sizes.state_dim != self.head_dim:
            raise ConfigError(
                f"rotary Mamba layers need state_dim={sizes.state_dim} to equal the attention "
                f"layers' head_dim={self.head_dim}; set state_dim to 0 or switch rotary off"
            )

    @property
    def mamba_sizes(self) -> MambaConfig:
        """The Mamba layers' config with every size written out."""
        return as_mamba(self.mamba).filled(self.query_heads, self.kv_heads, self.head_dim)

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.layout)


def mixer_for(kind: str, config: BackboneConfig) -> nn.Module:
    """Build the mixer that a layout letter names."""
    match kind:
        case "A":
            return Attention(
                config.dim,
                config.query_heads,
                config.kv_heads,
                config.head_dim,
                bias=config.attention_bias,
            )
        case "M":
            return Mamba(config.dim, config.mamba_sizes)
        case _:
            raise AssertionError(f"layout letter {kind!r} passed the check but has no mixer")


class Stack(nn.Module):
    """Blocks in layout order and a final norm.

    Attributes:
        recompute: in training keep only what each layer reads, and compute the rest again for the
            gradients: a third more work, several times less memory.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            Block(mixer_for(kind, config), config.dim, config.mlp_dim, config.rms_eps)
            for kind in config.layout
        )
        self.norm = RMSNorm(config.dim, config.rms_eps)
        self.recompute = False

    @property
    def blocks(self) -> list[Block]:
        """The layers, with their type."""
        return [cast(Block, layer) for layer in self.layers]

    def new_state(
        self,
        batch: int,
        capacity_hint: int = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> StackState:
        """An empty memory for ``batch`` rows; ``capacity_hint`` tokens fit without growing.

        Keys and values are stored in ``dtype`` (default: that of the weights), recurrences in
        float32.
        """
        weight = self.norm.weight
        dtype, device = dtype or weight.dtype, device or weight.device
        layers = [
            block.mixer.new_state(batch, capacity_hint, dtype, device) for block in self.blocks
        ]
        return StackState(layers, [0] * batch)

    def span(
        self,
        hidden: Float[Tensor, "batch time dim"],
        state: StackState | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Span:
        """Where these tokens lie: from each row's position in ``state``, or from 0.

        Raises:
            ConfigError: the state or the lengths do not fit the batch.
        """
        batch, time = hidden.shape[:2]
        counts = None if lengths is None else tuple(int(count) for count in lengths)
        if state is not None and len(state.positions) != batch:
            raise ConfigError(
                f"the state holds {len(state.positions)} rows and the input {batch}; "
                f"make the state with new_state({batch})"
            )
        if counts is not None and (len(counts) != batch or max(counts) > time or min(counts) < 0):
            raise ConfigError(
                f"lengths={list(counts)} do not fit an input of {batch} rows and {time} tokens"
            )
        starts = None if state is None else tuple(state.positions)
        return span_of(hidden, self.config.head_dim, self.config.rope_theta, starts, counts)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        state: StackState | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Run the new tokens through all layers and the final norm.

        Args:
            hidden: embeddings of the new tokens, padded on the right.
            state: continue each row from here, and leave the memory after its last real token here.
            lengths: real tokens of each row; the output at padding means nothing.
        """
        span = self.span(hidden, state, lengths)
        again = self.recompute and state is None and torch.is_grad_enabled()
        for index, block in enumerate(self.layers):
            if again:
                hidden = cast(Tensor, checkpoint(block, hidden, span, use_reentrant=False))
            else:
                hidden = block(hidden, span, None if state is None else state.layers[index])
        if state is not None:
            counts = span.lengths or (span.time,) * len(span.starts)
            state.positions = [
                start + count for start, count in zip(span.starts, counts, strict=True)
            ]
        return self.norm(hidden)


def as_config(config: BackboneConfig | dict[str, Any]) -> BackboneConfig:
    """Rebuild a config from the dict that a config.json holds; a config passes through.

    Raises:
        ConfigError: a key is unknown, or a value cannot work.
    """
    if isinstance(config, BackboneConfig):
        return config
    known = [entry.name for entry in fields(BackboneConfig)]
    if unknown := sorted(set(config) - set(known)):
        raise ConfigError(
            f"the backbone config has unknown keys {', '.join(unknown)}; "
            f"known are {', '.join(known)}"
        )
    return BackboneConfig(**config)
