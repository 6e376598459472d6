"""Sizes of a stack, and the table that says which mixer each letter of a layout builds.

To add a mixer: write its module and its config (``mixers/``), give the config a field in
``BackboneConfig`` and the letter a row in ``KINDS``; say in ``transfer/forms.py`` how it starts
from attention, and in ``sizing/`` what it costs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.mixers.gated_deltanet import GatedDeltaNet, GatedDeltaNetConfig
from mamtra.backbone.mixers.mamba import Mamba, MambaConfig
from mamtra.backbone.mixers.mixer import Mixer
from mamtra.backbone.mixers.variant import Variant, VariantT, filled
from mamtra.backbone.positions import RopeScaling
from mamtra.errors import ConfigError, LayoutError

ATTENTION = "A"  # the letter of the layers that others replace
MAX_LAYERS = 1_000  # far beyond any model; a config.json may hold anything


def read_letters(letters: str) -> str:
    """The letters of a layout, one for each layer; spaces are ignored.

    Raises:
        LayoutError: a letter is unknown, or there is none.
    """
    layout = "".join(letters.split())
    if not layout:
        raise LayoutError("a layout needs at least one layer; write one letter per layer")
    if len(layout) > MAX_LAYERS:
        raise LayoutError(
            f"a layout of {len(layout):,} letters is not possible; the most are {MAX_LAYERS:,} "
            f"layers"
        )
    for layer, letter in enumerate(layout):
        if letter not in KINDS:
            raise LayoutError(
                f"layout {layout!r} has {letter!r} at layer {layer}; allowed are {known_kinds()}"
            )
    return layout


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneConfig:
    """Sizes of the stack; defaults are Qwen2.5-0.5B, all attention."""

    dim: int = 896
    layout: str = "A" * 24
    query_heads: int = 14
    kv_heads: int = 2
    head_dim: int = 64
    mlp_dim: int = 4864
    rope_theta: float = 1_000_000.0
    rope_scaling: RopeScaling | None = None
    rms_eps: float = 1e-6
    attention_bias: bool = True
    mamba: MambaConfig = field(default_factory=MambaConfig)
    deltanet: GatedDeltaNetConfig = field(default_factory=GatedDeltaNetConfig)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layout", read_letters(self.layout))
        for name in ("dim", "query_heads", "kv_heads", "head_dim", "mlp_dim"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("rope_theta", "rms_eps"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name}={getattr(self, name)} must be a number above 0")
        if self.query_heads % self.kv_heads:
            raise ConfigError(
                f"query_heads={self.query_heads} is not a multiple of kv_heads={self.kv_heads}"
            )
        if self.head_dim % 2:
            raise ConfigError(f"head_dim={self.head_dim} must be even for rotary positions")
        for kind in KINDS.values():
            if kind.field:
                self.check_variant(kind.name, self.filled(getattr(self, kind.field)))

    def check_variant(self, name: str, sizes: Variant) -> None:
        """Refuse sizes of a recurrent mixer that do not fit together, or not the attention's.

        Raises:
            ConfigError: groups do not come out even, or rotary widths differ.
        """
        if sizes.heads % sizes.kv_heads:
            raise ConfigError(
                f"the {name} layers' heads={sizes.heads} are not a multiple of their "
                f"kv_heads={sizes.kv_heads}"
            )
        if sizes.rotary and sizes.state_dim != self.head_dim:
            raise ConfigError(
                f"rotary {name} layers need state_dim={sizes.state_dim} to equal the attention "
                f"layers' head_dim={self.head_dim}; set state_dim to 0 or switch rotary off"
            )

    def filled(self, variant: VariantT) -> VariantT:
        """A variant with every size written out, the attention's where it has none."""
        return filled(variant, self.query_heads, self.kv_heads, self.head_dim)

    @property
    def mamba_sizes(self) -> MambaConfig:
        """The Mamba layers' config with every size written out."""
        return self.filled(self.mamba)

    @property
    def deltanet_sizes(self) -> GatedDeltaNetConfig:
        """The Gated DeltaNet layers' config with every size written out."""
        return self.filled(self.deltanet)

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.layout)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of mixer.

    Attributes:
        name: in tables and messages.
        build: makes a mixer of these sizes.
        config: class of its variants; None for attention, which has the sizes of the stack.
        field: of ``BackboneConfig``, which holds its variant; empty for attention.
    """

    name: str
    build: Callable[[BackboneConfig], Mixer]
    config: type[Any] | None = None
    field: str = ""

    def variant(self, config: BackboneConfig) -> Variant:
        """The variant of this kind that a stack has, with every size written out."""
        return config.filled(getattr(config, self.field))


def build_attention(config: BackboneConfig) -> Mixer:
    """Attention with the sizes of the config itself."""
    return Attention(
        config.dim,
        config.query_heads,
        config.kv_heads,
        config.head_dim,
        bias=config.attention_bias,
    )


KINDS: dict[str, Kind] = {
    ATTENTION: Kind("attention", build_attention),
    "M": Kind("Mamba", lambda sizes: Mamba(sizes.dim, sizes.mamba_sizes), MambaConfig, "mamba"),
    "G": Kind(
        "Gated DeltaNet",
        lambda sizes: GatedDeltaNet(sizes.dim, sizes.deltanet_sizes),
        GatedDeltaNetConfig,
        "deltanet",
    ),
}


def kind_of(variant: Variant) -> str:
    """The letter of the mixers that a variant describes."""
    (letter,) = (letter for letter, kind in KINDS.items() if kind.config is type(variant))
    return letter


def known_kinds() -> str:
    """The letters with their names, for messages."""
    return ", ".join(f"{letter} ({kind.name})" for letter, kind in KINDS.items())
