"""What each kind of mixer holds and computes, by arithmetic: one class a kind, one table of them.

Letters of a layout find their class in ``MIXER_SIZES``; one that is not there is an error.
"""

from typing import Protocol, runtime_checkable

from mamtra.backbone import BackboneConfig
from mamtra.backbone.config import KINDS
from mamtra.backbone.mixers.scan import CHUNK_TOKENS
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


class MambaSizes:
    """Mamba: one projection inward, one outward, a state for each head or group."""

    def __init__(self, config: BackboneConfig) -> None:
        self.dim, self.sizes = config.dim, config.mamba_sizes
        self.inner = self.sizes.heads * self.sizes.head_dim

    @property
    def matrices(self) -> list[Matrix]:
        """Inward and outward."""
        biased = self.sizes.input_bias or self.sizes.gate == "open"
        rows = sum(self.sizes.sections.values())
        return [Matrix(rows, self.dim, biased), Matrix(self.dim, self.inner)]

    @property
    def rest(self) -> int:
        """Convolution, steps and rates of each state, a skip for each head, norm."""
        sizes = self.sizes
        taps = sizes.channels * (sizes.conv_width + 1) if sizes.conv_width else 0
        return taps + 2 * sizes.states + sizes.heads + (self.inner if sizes.norm else 0)

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
        """The chunked scan: decay between tokens, scores, their product, and carried states."""
        rows = sum(self.sizes.sections.values())
        chunks = 3 * self.sizes.heads * CHUNK_TOKENS
        carried = 2 * self.recurrence // CHUNK_TOKENS
        return rows + 2 * self.sizes.channels + self.inner, 6 * self.inner + chunks + carried

    def operations(self, length: float) -> float:
        """Fading, writing and reading a state."""
        del length
        return 2.0 * 3 * self.inner * self.sizes.state_dim


class DeltaNetSizes:
    """Gated DeltaNet: as Mamba with a state for each head, and a lookup before each write."""

    def __init__(self, config: BackboneConfig) -> None:
        self.dim, self.sizes = config.dim, config.deltanet_sizes
        self.inner = self.sizes.heads * self.sizes.head_dim

    @property
    def matrices(self) -> list[Matrix]:
        """Inward and outward."""
        biased = self.sizes.input_bias or self.sizes.gate == "open"
        rows = sum(self.sizes.sections.values())
        return [Matrix(rows, self.dim, biased), Matrix(self.dim, self.inner)]

    @property
    def rest(self) -> int:
        """Convolution; steps, rates and shares of each head; norm."""
        sizes = self.sizes
        taps = sizes.channels * (sizes.conv_width + 1) if sizes.conv_width else 0
        return taps + 3 * sizes.heads + self.inner

    @property
    def recurrence(self) -> int:
        """One matrix for each head."""
        return self.sizes.heads * self.sizes.state_dim * self.sizes.head_dim

    @property
    def window(self) -> int:
        """The convolution's last inputs."""
        return max(self.sizes.conv_width - 1, 0) * self.sizes.channels

    @property
    def prefill(self) -> tuple[int, int]:
        """The chunked rule: decay, overlap of keys, scores; the triangular system and its sides."""
        sizes = self.sizes
        rows = sum(sizes.sections.values())
        chunks = 5 * sizes.heads * CHUNK_TOKENS
        sides = 2 * sizes.heads * (sizes.state_dim + sizes.head_dim)
        return rows + 2 * sizes.channels + self.inner, 6 * self.inner + chunks + sides

    def operations(self, length: float) -> float:
        """Fading, looking up, writing and reading a state."""
        del length
        return 2.0 * 4 * self.inner * self.sizes.state_dim


MIXER_SIZES = {"A": AttentionSizes, "M": MambaSizes, "G": DeltaNetSizes}


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
