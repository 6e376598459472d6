"""What the configs of recurrent mixers have in common: choices, sizes, and values to begin at.

A variant is a frozen config of one kind of mixer. Sizes of 0 mean "as in the attention layers";
``filled`` writes them out.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Protocol, TypeVar, get_args, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.errors import ConfigError

SHORTEST_HALF_LIFE, LONGEST_HALF_LIFE = 100.0, 1000.0  # tokens; our long-memory start
OPEN_GATE = 1.2784645  # silu of this is 1
SIZES = ("heads", "kv_heads", "head_dim", "state_dim", "conv_width")

ConvStart = Literal["random", "identity"]
Activation = Literal["silu", "none"]
Gate = Literal["silu", "open", "none"]


@runtime_checkable
class Variant(Protocol):
    """The config of a recurrent mixer, as far as others need to know it.

    Attributes:
        heads: that read a state.
        kv_heads: of what is written, each shared by a group of the heads.
        head_dim: width of a head.
        state_dim: height of a state, the width of what it is read by.
        conv_width: tokens that the short convolution sees; 0 without one.
        input_bias: whether the input projection carries the biases of an attention layer.
        rotary: whether reads and writes rotate with their position.
        conv_start, activation, gate: choices of a variant, see their types.
    """

    @property
    def heads(self) -> int: ...  # noqa: D102
    @property
    def kv_heads(self) -> int: ...  # noqa: D102
    @property
    def head_dim(self) -> int: ...  # noqa: D102
    @property
    def state_dim(self) -> int: ...  # noqa: D102
    @property
    def conv_width(self) -> int: ...  # noqa: D102
    @property
    def input_bias(self) -> bool: ...  # noqa: D102
    @property
    def rotary(self) -> bool: ...  # noqa: D102
    @property
    def conv_start(self) -> ConvStart: ...  # noqa: D102
    @property
    def activation(self) -> Activation: ...  # noqa: D102
    @property
    def gate(self) -> Gate: ...  # noqa: D102
    @property
    def states(self) -> int:
        """Recurrent states of a layer."""
        ...

    @property
    def biased(self) -> bool:
        """Whether ``in_proj`` has biases."""
        ...

    @property
    def sections(self) -> dict[str, int]:
        """Rows of ``in_proj`` by name, in order."""
        ...

    @property
    def channels(self) -> int:
        """Channels of the short convolution."""
        ...


VariantT = TypeVar("VariantT", bound=Variant)


def check_values(config: Variant, choices: Mapping[str, Any]) -> None:
    """Refuse values that a variant cannot have.

    Args:
        config: a variant.
        choices: by the name of a value, a ``Literal`` of those that are possible.

    Raises:
        ConfigError: a choice is unknown, or a size negative.
    """
    for name, allowed in choices.items():
        if getattr(config, name) not in get_args(allowed):
            raise ConfigError(
                f"{name}={getattr(config, name)!r} is unknown; "
                f"possible are {', '.join(get_args(allowed))}"
            )
    for name in SIZES:
        if getattr(config, name) < 0:
            raise ConfigError(f"{name}={getattr(config, name)} must not be negative")


def filled(config: VariantT, heads: int, kv_heads: int, head_dim: int) -> VariantT:
    """The same with every size written out, taken from the attention layers where it is 0."""
    width = config.head_dim or head_dim
    sizes = {
        "heads": config.heads or heads,
        "kv_heads": config.kv_heads or kv_heads,
        "head_dim": width,
        "state_dim": config.state_dim or width,
    }
    # variants are frozen dataclasses, which no protocol can say
    return replace(config, **sizes)  # pyright: ignore[reportArgumentType,reportUnknownVariableType]


def inverse_softplus(value: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """What softplus turns into ``value``."""
    return value + torch.log(-torch.expm1(-value))


def long_memory_rates(states: int) -> Float[Tensor, " states"]:
    """Decay rates, for steps of 1, whose half-lives span our long-memory start."""
    ends = math.log(SHORTEST_HALF_LIFE), math.log(LONGEST_HALF_LIFE)
    return math.log(2.0) / torch.linspace(*ends, states).exp()
