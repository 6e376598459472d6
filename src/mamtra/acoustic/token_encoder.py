"""Speech tokens in, one hidden vector per mel frame out: the upsampling conformer of CosyVoice 2.

Embedding, a pair of convolutions that look three tokens ahead, layers of attention with relative
positions at the tokens' rate, doubling of the rate, and more layers at the frames' rate.
Everything but attention looks only backwards after those three tokens, so a chunk mask on the
attention is all that streaming needs: a frame then sees its own chunk, everything before it, and
three tokens beyond. A stream can also go on from memories of the chunks before (``EncoderMemory``).

CosyVoice 2 and nano differ in numbers only: nano is narrower, lets the network of each layer see a
few steps (``mlp_taps``) and takes the speaker's vector here (``speaker_dim``), where CosyVoice 2
takes it in the velocity network.

Axes: b batch, t time (tokens or frames), d dim, h heads, w width of a head, k tap.
"""

import math
from collections.abc import Iterable

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, silu

from mamtra.acoustic.causal_memory import CausalMemory, EncoderMemory, behind
from mamtra.acoustic.decoder_config import TokenEncoderConfig
from mamtra.acoustic.relative_attention import (
    RelativeAttention,
    attention_mask,
    sine_positions,
)

LAYER_EPS = 1e-12  # of the norms inside a layer, as in the original
SMOOTHING = 3  # taps of the second lookahead convolution


def length_mask(lengths: Int[Tensor, "batch"], time: int) -> Bool[Tensor, "batch time"]:
    """True where a row has content, False in its padding."""
    return torch.arange(time, device=lengths.device) < lengths[:, None]


class FeedForward(nn.Module):
    """Two linear layers; the first sees the last ``mlp_taps`` steps side by side."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.taps = config.mlp_taps
        self.widen = nn.Linear(config.dim * self.taps, config.mlp_dim)
        self.narrow = nn.Linear(config.mlp_dim, config.dim)

    def forward(
        self, hidden: Float[Tensor, "batch time dim"], memory: CausalMemory | None = None
    ) -> Float[Tensor, "batch time dim"]:
        """Never looks ahead."""
        if self.taps > 1:
            time = hidden.shape[1]
            longer = behind(hidden.mT, self.taps - 1, memory).mT
            hidden = torch.cat([longer[:, k : k + time] for k in range(self.taps)], -1)
        return self.narrow(silu(self.widen(hidden)))


class EncoderLayer(nn.Module):
    """Attention, then a network, each after a norm and added to what came in."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim, eps=LAYER_EPS)
        self.attention = RelativeAttention(config)
        self.mlp_norm = nn.LayerNorm(config.dim, eps=LAYER_EPS)
        self.mlp = FeedForward(config)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        mask: Bool[Tensor, "batch 1 queries time"] | None,
        positions: Float[Tensor, "distances dim"],
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """One layer."""
        hidden = hidden + self.attention(self.attention_norm(hidden), mask, positions, memory)
        return hidden + self.mlp(self.mlp_norm(hidden), memory)


class Entrance(nn.Module):
    """A linear layer and a norm before a row of layers, scaled as the sine positions ask."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.dim, config.dim)
        self.norm = nn.LayerNorm(config.dim)
        self.speaker = nn.Linear(config.speaker_dim, config.dim) if config.speaker_dim else None
        self.scale = math.sqrt(config.dim)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        speaker: Float[Tensor, "batch speaker_dim"] | None,
    ) -> Float[Tensor, "batch time dim"]:
        """Add the speaker's colour, if this encoder hears it."""
        hidden = self.linear(hidden)
        if self.speaker is not None and speaker is not None:
            hidden = hidden + self.speaker(speaker.to(hidden.dtype))[:, None]
        return self.norm(hidden) * self.scale


class Lookahead(nn.Module):
    """Two convolutions: the first sees the next tokens, the second smooths backwards."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        inner = config.lookahead_channels or config.dim
        self.ahead = nn.Conv1d(config.dim, inner, config.lookahead_tokens + 1)
        self.behind = nn.Conv1d(inner, config.dim, SMOOTHING)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        kept: int,
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch kept dim"]:
        """The first ``kept`` steps; the others are context only, zeros lie beyond the last."""
        beyond = kept + self.ahead.kernel_size[0] - 1 - hidden.shape[1]
        inner = pad(rearrange(hidden, "b t d -> b d t"), (0, beyond))
        inner = leaky_relu(self.ahead(inner))
        inner = self.behind(behind(inner, SMOOTHING - 1, memory))
        return hidden[:, :kept] + rearrange(inner, "b d t -> b t d")


class Upsampling(nn.Module):
    """Each token becomes several frames by repetition and a convolution over the last ones."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.times = config.frames_per_token
        self.conv = nn.Conv1d(config.dim, config.dim, 2 * self.times + 1)

    def forward(
        self, hidden: Float[Tensor, "batch time dim"], memory: CausalMemory | None = None
    ) -> Float[Tensor, "batch frames dim"]:
        """Never looks ahead."""
        inner = rearrange(hidden, "b t d -> b d t").repeat_interleave(self.times, dim=-1)
        return rearrange(self.conv(behind(inner, 2 * self.times, memory)), "b d t -> b t d")


def kept_tokens(config: TokenEncoderConfig, tokens: int, final: bool) -> int:
    """How many of the tokens get frames; if more will come, the last ones are context only."""
    return tokens if final else max(0, tokens - config.lookahead_tokens)


class PlainTokenEncoder(nn.Module):
    """The expected mel itself for a row of speech tokens: CosyVoice 3 has no layers here."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.lookahead = Lookahead(config)

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        lengths: Int[Tensor, "batch"] | None = None,
        *,
        final: bool = True,
    ) -> Float[Tensor, "batch frames dim"]:
        """Encode tokens; arguments as for ``TokenEncoder``, but there are no chunks to mind."""
        hidden = self.embedding(tokens)
        if lengths is not None:
            hidden = hidden * length_mask(lengths, tokens.shape[1])[..., None]
        hidden = self.lookahead(hidden, kept_tokens(self.config, tokens.shape[1], final))
        return hidden.repeat_interleave(self.config.frames_per_token, dim=1)

    def go_on(
        self,
        tokens: Int[Tensor, "batch tokens"],
        kept: int,
        memory: EncoderMemory,
    ) -> Float[Tensor, "batch frames dim"]:
        """The next chunk; arguments as for ``TokenEncoder``."""
        memory.begin()
        hidden = self.lookahead(self.embedding(tokens), kept, memory.lower)
        return hidden.repeat_interleave(self.config.frames_per_token, dim=1)


def through(
    layers: Iterable[nn.Module],
    hidden: Float[Tensor, "batch time dim"],
    mask: Bool[Tensor, "batch 1 queries time"] | None,
    memory: CausalMemory | None = None,
) -> Float[Tensor, "batch time dim"]:
    """Run layers of one rate, whose earlier steps may be remembered."""
    before = memory.known if memory is not None else 0
    positions = sine_positions(hidden.shape[1], hidden.shape[2], hidden, before)
    for layer in layers:
        hidden = layer(hidden, mask, positions, memory)
    return hidden


class TokenEncoder(nn.Module):
    """Hidden vectors at the mel's rate for a row of speech tokens."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.entrance = Entrance(config)
        self.lookahead = Lookahead(config)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.lower_layers))
        self.upsampling = Upsampling(config)
        self.upper_entrance = Entrance(config)
        self.upper_layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.upper_layers))
        self.norm = nn.LayerNorm(config.dim)

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        speaker: Float[Tensor, "batch speaker_dim"] | None = None,
        lengths: Int[Tensor, "batch"] | None = None,
        *,
        chunked: bool = False,
        final: bool = True,
    ) -> Float[Tensor, "batch frames dim"]:
        """Encode tokens.

        Args:
            tokens: ids; padding may hold any of them.
            speaker: the speaker's vector, for an encoder that hears it.
            lengths: real tokens of each row; all, if not given.
            chunked: attention ends with each step's own chunk, as in streaming.
            final: no more tokens will come; otherwise the last ``lookahead_tokens`` only give
                context and have no frames yet.
        """
        config = self.config
        if lengths is None:
            lengths = torch.full((tokens.shape[0],), tokens.shape[1], device=tokens.device)
        content = length_mask(lengths, tokens.shape[1])
        # padding must be zero where a convolution can look into it
        hidden = self.entrance(self.embedding(tokens), speaker) * content[..., None]
        hidden = self.lookahead(hidden, kept_tokens(config, tokens.shape[1], final))
        content = content[:, : hidden.shape[1]]
        mask = attention_mask(content, config.chunk_tokens if chunked else None)
        hidden = through(self.layers, hidden, mask)

        hidden = self.upper_entrance(self.upsampling(hidden), speaker)
        content = content.repeat_interleave(config.frames_per_token, dim=1)
        chunk = config.chunk_tokens * config.frames_per_token
        mask = attention_mask(content, chunk if chunked else None)
        return self.norm(through(self.upper_layers, hidden, mask))

    def go_on(
        self,
        tokens: Int[Tensor, "batch tokens"],
        speaker: Float[Tensor, "batch speaker_dim"] | None,
        kept: int,
        memory: EncoderMemory,
    ) -> Float[Tensor, "batch frames dim"]:
        """Encode the next chunk of a stream.

        Args:
            tokens: of the chunk, and those after it that are there, up to ``lookahead_tokens``.
            speaker: the speaker's vector, for an encoder that hears it.
            kept: tokens of the chunk.
            memory: of the chunks before; is moved on.
        """
        memory.begin()
        lower, upper = memory.lower, memory.upper
        hidden = self.entrance(self.embedding(tokens), speaker)
        hidden = self.lookahead(hidden, kept, lower)
        hidden = through(self.layers, hidden, None, lower)
        lower.end(kept)

        hidden = self.upper_entrance(self.upsampling(hidden, upper), speaker)
        hidden = through(self.upper_layers, hidden, None, upper)
        upper.end(hidden.shape[1])
        return self.norm(hidden)
