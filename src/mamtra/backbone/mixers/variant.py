"""What the configs of recurrent mixers have in common: choices, sizes, and values to begin at.

A variant is a frozen config of one kind of mixer. Sizes of 0 mean "as in the attention layers";
``filled`` writes them out.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.mixers.fused_scan import ScanForm
from mamtra.errors import ConfigError

SHORTEST_HALF_LIFE, LONGEST_HALF_LIFE = 100.0, 1000.0  # tokens; our long-memory start
OPEN_GATE = 1.2784645  # silu of this is 1
SIZES = ("heads", "kv_heads", "head_dim", "state_dim", "conv_width")

ConvStart = Literal["random", "identity"]
Activation = Literal["silu", "none"]
Gate = Literal["silu", "open", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What the config of every recurrent mixer says; each mixer's adds its own.

    Attributes:
        heads: that read a state.
        kv_heads: of what is written, each shared by a group of the heads.
        head_dim: width of a head.
        state_dim: height of a state, the width of what it is read by.
        conv_width: tokens that the short convolution sees; 0 without one.
        input_bias: whether the input projection carries the biases of an attention layer.
        rotary: whether reads and writes rotate with their position.
        conv_start, activation, gate, scan: choices, see their types.
    """

    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    state_dim: int = 0
    conv_width: int = 4
    conv_start: ConvStart = "random"
    activation: Activation = "silu"
    input_bias: bool = False
    rotary: bool = False
    gate: Gate = "silu"
    norm_eps: float = 1e-5
    scan: ScanForm = "auto"

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if get_origin(hint) is Literal and getattr(self, name) not in get_args(hint):
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} is unknown; "
                    f"possible are {', '.join(get_args(hint))}"
                )
        for name in SIZES:
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}={getattr(self, name)} must not be negative")

    @property
    def states(self) -> int:
        """Recurrent states of a layer: one per head."""
        return self.heads

    @property
    def biased(self) -> bool:
        """Whether ``in_proj`` has biases; an open gate needs them."""
        return self.input_bias or self.gate == "open"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the gate, of what is written, where, what reads, and of the rows after these."""
        raise NotImplementedError

    @property
    def sections(self) -> dict[str, int]:
        """Rows of ``in_proj`` by name, in order."""
        gate = 0 if self.gate == "none" else self.heads * self.head_dim
        written, where = self.kv_heads * self.head_dim, self.kv_heads * self.state_dim
        rows = (gate, written, where, self.heads * self.state_dim)
        steps = [self.states] * (len(self.names) - len(rows))
        return dict(zip(self.names, (*rows, *steps), strict=True))

    @property
    def channels(self) -> int:
        """Channels of the short convolution: all between the gate and the rows for the steps."""
        return sum([*self.sections.values()][1:4])


VariantT = TypeVar("VariantT", bound=Variant)


def filled(config: VariantT, heads: int, kv_heads: int, head_dim: int) -> VariantT:
    """The same with every size written out, taken from the attention layers where it is 0."""
    width = config.head_dim or head_dim
    return replace(
        config,
        heads=config.heads or heads,
        kv_heads=config.kv_heads or kv_heads,
        head_dim=width,
        state_dim=config.state_dim or width,
    )


def inverse_softplus(value: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """What softplus turns into ``value``."""
    return value + torch.log(-torch.expm1(-value))


def long_memory_rates(states: int) -> Float[Tensor, " states"]:
    """Decay rates, for steps of 1, whose half-lives span our long-memory start."""
    ends = math.log(SHORTEST_HALF_LIFE), math.log(LONGEST_HALF_LIFE)
    return math.log(2.0) / torch.linspace(*ends, states).exp()
