"""What each kind of mixer holds and computes, by arithmetic, and a table of the kinds.

Letters of a layout find their sizes in ``MIXER_SIZES``; one that is not there is an error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mamtra.backbone import BackboneConfig
from mamtra.backbone.config import KINDS
from mamtra.backbone.mixers.scan import CHUNK_TOKENS
from mamtra.backbone.mixers.variant import Variant
from mamtra.errors import ConfigError
from mamtra.sizing.matrix import Matrix


@runtime_checkable
class MixerSizes(Protocol):
    """Sizes of one mixer. Numbers are counted, not bytes."""

    @property
    def matrices(self) -> list[Matrix]:
        """Its linear layers."""
        ...

    @property
    def rest(self) -> int:
        """Numbers that are no linear layer: convolution, gates, rates, skips, norm."""
        ...

    @property
    def recurrence(self) -> int:
        """Numbers of a row's recurrent state, float32 always."""
        ...

    @property
    def window(self) -> int:
        """Numbers of a row's convolution window, in the type of the activations."""
        ...

    @property
    def prefill(self) -> tuple[int, int]:
        """Numbers for each token that live at the widest point: activations, float32."""
        ...

    def operations(self, length: float) -> float:
        """Operations for each token that no weight takes part in, at a mean length of rows."""
        ...


class AttentionSizes:
    """Attention: four projections, and scores that grow with the length."""

    rest = recurrence = window = 0

    def __init__(self, config: BackboneConfig) -> None:
        self.config = config

    @property
    def matrices(self) -> list[Matrix]:
        """Queries, keys, values, output."""
        config = self.config
        heads = config.query_heads * config.head_dim
        keys = config.kv_heads * config.head_dim
        inward = [Matrix(row, config.dim, config.attention_bias) for row in (heads, keys, keys)]
        return [*inward, Matrix(config.dim, heads)]

    @property
    def prefill(self) -> tuple[int, int]:
        """Projections and their rotated copies."""
        heads, keys = self.config.query_heads, self.config.kv_heads
        return (4 * heads + 4 * keys) * self.config.head_dim, 0

    def operations(self, length: float) -> float:
        """Scores and their sum of values, for half of the length on average."""
        return 2.0 * 2 * self.config.query_heads * self.config.head_dim * length / 2


class RecurrentSizes:
    """What a recurrent mixer holds whatever its rule: both projections, convolution, states.

    Args:
        dim: of the stack.
        sizes: of the mixer.
        rule: what its rule needs beside them.
    """

    def __init__(self, dim: int, sizes: Variant, rule: "Rule") -> None:
        self.dim, self.sizes, self.rule = dim, sizes, rule
        self.inner = sizes.heads * sizes.head_dim

    @property
    def matrices(self) -> list[Matrix]:
        """Inward and outward."""
        rows = sum(self.sizes.sections.values())
        return [Matrix(rows, self.dim, self.sizes.biased), Matrix(self.dim, self.inner)]

    @property
    def rest(self) -> int:
        """The convolution, and the rule's own."""
        sizes = self.sizes
        taps = sizes.channels * (sizes.conv_width + 1) if sizes.conv_width else 0
        return taps + self.rule.numbers

    @property
    def recurrence(self) -> int:
        """One matrix for each state."""
        return self.sizes.states * self.sizes.state_dim * self.sizes.head_dim

    @property
    def window(self) -> int:
        """The convolution's last inputs."""
        return max(self.sizes.conv_width - 1, 0) * self.sizes.channels

    @property
    def prefill(self) -> tuple[int, int]:
        """Rows inward, what is convolved and what is said; the rule in chunks."""
        rows = sum(self.sizes.sections.values()) + 2 * self.sizes.channels + self.inner
        chunks = self.rule.chunk_squares * self.sizes.heads * CHUNK_TOKENS
        return rows, 6 * self.inner + chunks + self.rule.carried

    def operations(self, length: float) -> float:
        """Every turn of the state, whose length does not matter."""
        del length
        return 2.0 * self.rule.turns * self.inner * self.sizes.state_dim


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one recurrence needs.

    Attributes:
        numbers: weights that are no linear layer and no convolution.
        chunk_squares: matrices of tokens by tokens of a chunk, for each head.
        carried: numbers a token that live beside them.
        turns: passes over the state for each token.
    """

    numbers: int
    chunk_squares: int
    carried: int
    turns: int


def mamba_sizes(config: BackboneConfig) -> RecurrentSizes:
    """Mamba: steps and rates of each state, a skip for each head, norm.

    A token fades, writes and reads a state. In chunks: decay between tokens, scores, their product,
    and carried states.
    """
    sizes = config.mamba_sizes
    rule = Rule(
        numbers=2 * sizes.states
        + sizes.heads
        + (sizes.heads * sizes.head_dim if sizes.norm else 0),
        chunk_squares=3,
        carried=2 * sizes.states * sizes.state_dim * sizes.head_dim // CHUNK_TOKENS,
        turns=3,
    )
    return RecurrentSizes(config.dim, sizes, rule)


def deltanet_sizes(config: BackboneConfig) -> RecurrentSizes:
    """Gated DeltaNet: steps, rates and shares of each head, norm.

    A token fades a state, looks up, writes and reads. In chunks: decay, overlap of keys, scores;
    the triangular system and its sides.
    """
    sizes = config.deltanet_sizes
    rule = Rule(
        numbers=3 * sizes.heads + sizes.heads * sizes.head_dim,
        chunk_squares=5,
        carried=2 * sizes.heads * (sizes.state_dim + sizes.head_dim),
        turns=4,
    )
    return RecurrentSizes(config.dim, sizes, rule)


MIXER_SIZES: dict[str, Callable[[BackboneConfig], MixerSizes]] = {
    "A": AttentionSizes,
    "M": mamba_sizes,
    "G": deltanet_sizes,
}


def mixer_sizes(kind: str, config: BackboneConfig) -> MixerSizes:
    """The sizes of a kind of mixer in a stack.

    Raises:
        ConfigError: nobody wrote down what this kind costs.
    """
    if kind not in MIXER_SIZES:
        raise ConfigError(
            f"what a mixer {kind} ({KINDS[kind].name}) costs is not known; "
            f"possible are {', '.join(MIXER_SIZES)}"
        )
    return MIXER_SIZES[kind](config)
