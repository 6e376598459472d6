"""Speech tokens in, one hidden vector per mel frame out: the upsampling conformer of CosyVoice 2.

Embedding, a pair of convolutions that look three tokens ahead, layers of attention with relative
positions at the tokens' rate, doubling of the rate, and more layers at the frames' rate.
Everything but attention looks only backwards after those three tokens, so a chunk mask on the
attention is all that streaming needs: a frame then sees its own chunk, everything before it, and
three tokens beyond.

CosyVoice 2 and nano differ in numbers only: nano is narrower, lets the network of each layer see a
few steps (``mlp_taps``) and takes the speaker's vector here (``speaker_dim``), where CosyVoice 2
takes it in the velocity network.

Axes: b batch, t time (tokens or frames), d dim, h heads, w width of a head, k tap.
"""

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, silu

from mamtra.acoustic.config import TokenEncoderConfig

LAYER_EPS = 1e-12  # of the norms inside a layer, as in the original
WAVELENGTH_BASE = 10_000.0  # of the sine positions
SMOOTHING = 3  # taps of the second lookahead convolution


def length_mask(lengths: Int[Tensor, "batch"], time: int) -> Bool[Tensor, "batch time"]:
    """True where a row has content, False in its padding."""
    return torch.arange(time, device=lengths.device) < lengths[:, None]


def attention_mask(
    content: Bool[Tensor, "batch time"], chunk: int | None, shift: int = 0
) -> Bool[Tensor, "batch 1 queries time"]:
    """Which steps each step may see: all with content, or those up to the end of its own chunk.

    The first chunk is ``shift`` steps shorter than the others.
    """
    if chunk is None:
        return content[:, None, None]
    step = torch.arange(content.shape[1], device=content.device)
    reach = ((step + shift) // chunk + 1) * chunk - shift
    return content[:, None, None] & (step[None] < reach[:, None])


def sine_positions(time: int, dim: int, like: Tensor) -> Float[Tensor, "distances dim"]:
    """Sines and cosines, interleaved, of the distances ``time - 1`` down to ``-time``."""
    distance = torch.arange(time - 1, -time - 1, -1, device=like.device, dtype=torch.float32)
    even = torch.arange(0, dim, 2, device=like.device, dtype=torch.float32)
    angle = distance[:, None] * torch.exp(even * -(math.log(WAVELENGTH_BASE) / dim))
    return rearrange(torch.stack([angle.sin(), angle.cos()]), "p t d -> t (d p)").to(like.dtype)


def by_distance_to_by_key(
    scores: Float[Tensor, "batch heads time distances"],
) -> Float[Tensor, "batch heads time time"]:
    """Turn scores per (query, distance) into scores per (query, key).

    Row i must begin at column time-1-i. In the flattened rows of 2*time columns that is place
    (time-1) + i*(2*time-1): so drop the first time-1 places and read rows one column shorter.
    """
    time = scores.shape[-2]
    row = 2 * time - 1
    flat = rearrange(scores, "b h t p -> b h (t p)")[..., time - 1 : time - 1 + time * row]
    return rearrange(flat, "b h (t p) -> b h t p", p=row)[..., :time]


class RelativeAttention(nn.Module):
    """Attention whose scores depend on content and on the distance between two steps."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.heads, self.width = config.heads, config.dim // config.heads
        self.q_proj = nn.Linear(config.dim, config.dim)
        self.k_proj = nn.Linear(config.dim, config.dim)
        self.v_proj = nn.Linear(config.dim, config.dim)
        self.o_proj = nn.Linear(config.dim, config.dim)
        self.position_proj = nn.Linear(config.dim, config.dim, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(self.heads, self.width))
        self.position_bias = nn.Parameter(torch.zeros(self.heads, self.width))

    def split(self, hidden: Tensor) -> Tensor:
        """Heads as an axis of their own."""
        return rearrange(hidden, "... t (h w) -> ... h t w", h=self.heads)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        mask: Bool[Tensor, "batch 1 queries time"],
        positions: Float[Tensor, "distances dim"],
    ) -> Float[Tensor, "batch time dim"]:
        """Mix what the mask allows; softmax in float32."""
        scale = self.width**-0.5
        query = self.split(self.q_proj(hidden)) * scale
        key, value = self.split(self.k_proj(hidden)), self.split(self.v_proj(hidden))
        distance = self.split(self.position_proj(positions))
        content = (query + self.content_bias[:, None] * scale) @ key.mT
        place = (query + self.position_bias[:, None] * scale) @ distance.mT
        scores = (content + by_distance_to_by_key(place)).float()
        # a finite floor, so that a row of nothing but padding stays a number
        weight = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
        mixed = weight.to(value.dtype) @ value
        return self.o_proj(rearrange(mixed, "b h t w -> b t (h w)"))


class FeedForward(nn.Module):
    """Two linear layers; the first sees the last ``mlp_taps`` steps side by side."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.taps = config.mlp_taps
        self.widen = nn.Linear(config.dim * self.taps, config.mlp_dim)
        self.narrow = nn.Linear(config.mlp_dim, config.dim)

    def forward(self, hidden: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
        """Never looks ahead."""
        if self.taps > 1:
            time = hidden.shape[1]
            padded = pad(hidden, (0, 0, self.taps - 1, 0))
            hidden = torch.cat([padded[:, k : k + time] for k in range(self.taps)], -1)
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
        mask: Bool[Tensor, "batch 1 queries time"],
        positions: Float[Tensor, "distances dim"],
    ) -> Float[Tensor, "batch time dim"]:
        """One layer."""
        hidden = hidden + self.attention(self.attention_norm(hidden), mask, positions)
        return hidden + self.mlp(self.mlp_norm(hidden))


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
        self, hidden: Float[Tensor, "batch time dim"], final: bool
    ) -> Float[Tensor, "batch kept dim"]:
        """Zeros lie beyond the end; if not ``final``, the last tokens are context only."""
        beyond = self.ahead.kernel_size[0] - 1
        inner = rearrange(hidden, "b t d -> b d t")
        if final:
            inner = pad(inner, (0, beyond))
        else:
            hidden = hidden[:, : hidden.shape[1] - beyond]
        inner = leaky_relu(self.ahead(inner))
        inner = self.behind(pad(inner, (SMOOTHING - 1, 0)))
        return hidden + rearrange(inner, "b d t -> b t d")


class Upsampling(nn.Module):
    """Each token becomes several frames by repetition and a convolution over the last ones."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.times = config.frames_per_token
        self.conv = nn.Conv1d(config.dim, config.dim, 2 * self.times + 1)

    def forward(self, hidden: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch frames dim"]:
        """Never looks ahead."""
        inner = rearrange(hidden, "b t d -> b d t").repeat_interleave(self.times, dim=-1)
        return rearrange(self.conv(pad(inner, (2 * self.times, 0))), "b d t -> b t d")


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
        hidden = self.lookahead(hidden, final)
        return hidden.repeat_interleave(self.config.frames_per_token, dim=1)


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
        shift: int = 0,
    ) -> Float[Tensor, "batch frames dim"]:
        """Encode tokens.

        Args:
            tokens: ids; padding may hold any of them.
            speaker: the speaker's vector, for an encoder that hears it.
            lengths: real tokens of each row; all, if not given.
            chunked: attention ends with each step's own chunk, as in streaming.
            final: no more tokens will come; otherwise the last ``lookahead_tokens`` only give
                context and have no frames yet.
            shift: tokens by which the first chunk is shorter.
        """
        config = self.config
        if lengths is None:
            lengths = torch.full((tokens.shape[0],), tokens.shape[1], device=tokens.device)
        content = length_mask(lengths, tokens.shape[1])
        # padding must be zero where a convolution can look into it
        hidden = self.entrance(self.embedding(tokens), speaker) * content[..., None]
        hidden = self.lookahead(hidden, final)
        content = content[:, : hidden.shape[1]]
        mask = attention_mask(content, config.chunk_tokens if chunked else None, shift)
        positions = sine_positions(hidden.shape[1], config.dim, hidden)
        for layer in self.layers:
            hidden = layer(hidden, mask, positions)

        hidden = self.upper_entrance(self.upsampling(hidden), speaker)
        content = content.repeat_interleave(config.frames_per_token, dim=1)
        chunk = config.chunk_tokens * config.frames_per_token
        mask = attention_mask(content, chunk if chunked else None, shift * config.frames_per_token)
        positions = sine_positions(hidden.shape[1], config.dim, hidden)
        for layer in self.upper_layers:
            hidden = layer(hidden, mask, positions)
        return self.norm(hidden)
