"""What each kind of mixer holds and computes, by arithmetic, and a table of the kinds.

Letters of a layout find their sizes in ``MIXER_SIZES``; one that is not there is an error.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mamtra.backbone import BackboneConfig
from mamtra.backbone.config import KINDS
from mamtra.backbone.mixers.scan import CHUNK_TOKENS
from mamtra.backbone.mixers.variant import Variant
from mamtra.errors import ConfigError
from mamtra.sizing.matrix import Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class MixerSizes:
    """Sizes of one mixer. Numbers are counted, not bytes.

    Attributes:
        matrices: its linear layers.
        rest: numbers that are no linear layer: convolution, gates, rates, skips, norm.
        recurrence: numbers of a row's recurrent state, float32 always.
        window: numbers of a row's convolution window, in the type of the activations.
        prefill: numbers for each token that live at the widest point: activations, float32.
        fixed, per_token_held: operations for each token that no weight takes part in: whatever the
            length, and for each token that is held.
    """

    matrices: list[Matrix]
    rest: int = 0
    recurrence: int = 0
    window: int = 0
    prefill: tuple[int, int]
    fixed: float = 0.0
    per_token_held: float = 0.0

    def operations(self, length: float) -> float:
        """Operations for each token that no weight takes part in, averaged over rows so long."""
        return self.fixed + self.per_token_held * length / 2


def attention_sizes(config: BackboneConfig) -> MixerSizes:
    """Attention: four projections and the rotated copies of two, scores and their sum of values."""
    heads, keys = config.query_heads * config.head_dim, config.kv_heads * config.head_dim
    inward = [Matrix(row, config.dim, config.attention_bias) for row in (heads, keys, keys)]
    return MixerSizes(
        matrices=[*inward, Matrix(config.dim, heads)],
        prefill=(4 * heads + 4 * keys, 0),
        per_token_held=2.0 * 2 * heads,
    )


def recurrent_sizes(
    dim: int, sizes: Variant, numbers: int, *, chunk_squares: int, carried: int, turns: int
) -> MixerSizes:
    """What a recurrent mixer holds whatever its rule: both projections, convolution, states.

    Args:
        dim: of the stack.
        sizes: of the mixer.
        numbers: weights of the rule that are no linear layer and no convolution.
        chunk_squares: matrices of tokens by tokens of a chunk, for each head.
        carried: numbers a token that live beside them.
        turns: passes over the state for each token.
    """
    rows, inner = sum(sizes.sections.values()), sizes.heads * sizes.head_dim
    taps = sizes.channels * (sizes.conv_width + 1) if sizes.conv_width else 0
    chunks = chunk_squares * sizes.heads * CHUNK_TOKENS
    return MixerSizes(
        matrices=[Matrix(rows, dim, sizes.biased), Matrix(dim, inner)],
        rest=taps + numbers,
        recurrence=sizes.states * sizes.state_dim * sizes.head_dim,
        window=max(sizes.conv_width - 1, 0) * sizes.channels,
        # rows inward, what is convolved and what is said; the rule in chunks
        prefill=(rows + 2 * sizes.channels + inner, 6 * inner + chunks + carried),
        fixed=2.0 * turns * inner * sizes.state_dim,
    )


def mamba_sizes(config: BackboneConfig) -> MixerSizes:
    """Mamba: steps and rates of each state, a skip for each head, norm.

    A token fades, writes and reads a state. In chunks: decay between tokens, scores, their product,
    and carried states.
    """
    sizes = config.mamba_sizes
    norm = sizes.heads * sizes.head_dim if sizes.norm else 0
    carried = 2 * sizes.states * sizes.state_dim * sizes.head_dim // CHUNK_TOKENS
    numbers = 2 * sizes.states + sizes.heads + norm
    return recurrent_sizes(config.dim, sizes, numbers, chunk_squares=3, carried=carried, turns=3)


def deltanet_sizes(config: BackboneConfig) -> MixerSizes:
    """Gated DeltaNet: steps, rates and shares of each head, norm.

    A token fades a state, looks up, writes and reads. In chunks: decay, overlap of keys, scores;
    the triangular system and its sides.
    """
    sizes = config.deltanet_sizes
    carried = 2 * sizes.heads * (sizes.state_dim + sizes.head_dim)
    numbers = 3 * sizes.heads + sizes.heads * sizes.head_dim
    return recurrent_sizes(config.dim, sizes, numbers, chunk_squares=5, carried=carried, turns=4)


MIXER_SIZES: dict[str, Callable[[BackboneConfig], MixerSizes]] = {
    "A": attention_sizes,
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
