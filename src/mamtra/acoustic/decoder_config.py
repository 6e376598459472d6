"""Sizes of the decoder's networks, as a model's ``config.json`` holds them; no torch here."""

from dataclasses import dataclass, field

from mamtra.config import check_sizes
from mamtra.errors import ConfigError

NOISE_FRAMES = 15_000  # CosyVoice 2 draws this much once; longer utterances are not possible
OPTIONAL = ("lookahead_channels", "speaker_dim")  # 0 where there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEncoderConfig:
    """Sizes of the encoder; defaults are CosyVoice 2's.

    Attributes:
        vocabulary: number of speech tokens.
        mlp_taps: steps, this one and earlier, that the network of a layer sees.
        lower_layers, upper_layers: layers before and after the rate is raised.
        lookahead_tokens: tokens that may be seen beyond a chunk.
        chunk_tokens: length of a chunk in streaming.
        lookahead_channels: width between the two convolutions that look ahead; 0 for ``dim``.
        speaker_dim: width of the speaker's vector, 0 if the encoder does not hear it.

    Without layers (CosyVoice 3) it is embedding, lookahead and repetition alone.
    """

    vocabulary: int = 6561
    dim: int = 512
    heads: int = 8
    mlp_dim: int = 2048
    mlp_taps: int = 1
    lower_layers: int = 6
    upper_layers: int = 4
    frames_per_token: int = 2
    lookahead_tokens: int = 3
    lookahead_channels: int = 0
    chunk_tokens: int = 25
    speaker_dim: int = 0

    def __post_init__(self) -> None:
        check_sizes(self, "lower_layers", "upper_layers", "lookahead_tokens", *OPTIONAL)
        if self.dim % self.heads or self.dim % 2:
            raise ConfigError(f"dim={self.dim} must be even and a multiple of heads={self.heads}")

    @property
    def plain(self) -> bool:
        """Whether there are no layers, so that what comes out is the expected mel itself."""
        return not self.lower_layers and not self.upper_layers


@dataclass(frozen=True, slots=True, kw_only=True)
class VelocityConfig:
    """Sizes of the network; defaults are CosyVoice 2's.

    Attributes:
        speaker_bins: width of the speaker's projected vector, one of the four inputs.
        blocks: transformer blocks after each residual block.
        middle: residual blocks between the first and the last.
        chunk_frames: length of a chunk in streaming.
        mean_flow: the network is also told where a step ends, and gives the mean velocity over it
            (Chatterbox Turbo); the steps of such a flow are equal.
    """

    bins: int = 80
    speaker_bins: int = 80
    dim: int = 256
    heads: int = 8
    head_dim: int = 64
    blocks: int = 4
    middle: int = 12
    chunk_frames: int = 50
    mean_flow: bool = False

    def __post_init__(self) -> None:
        check_sizes(self, "blocks", "middle")
        if self.inputs % 2:
            raise ConfigError(
                f"speaker_bins={self.speaker_bins} makes {self.inputs} inputs: not even"
            )

    @property
    def inputs(self) -> int:
        """Channels of noise, token features, speaker and given mel side by side."""
        return 3 * self.bins + self.speaker_bins


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionTransformerConfig:
    """Sizes of the diffusion transformer; defaults are CosyVoice 3's.

    Attributes:
        speaker_bins: width of the speaker's projected vector, one of the four inputs.
        mlp_dim: inner width of the network after each attention.
        conv_kernel, conv_groups: of the two causal convolutions that bring order in.
        time_sines: sines and cosines of the flow's time.
        chunk_frames: length of a chunk in streaming.
    """

    bins: int = 80
    speaker_bins: int = 80
    dim: int = 1024
    layers: int = 22
    heads: int = 16
    head_dim: int = 64
    mlp_dim: int = 2048
    conv_kernel: int = 31
    conv_groups: int = 16
    time_sines: int = 256
    chunk_frames: int = 50

    def __post_init__(self) -> None:
        check_sizes(self)
        if self.dim % self.conv_groups or self.head_dim % 2 or self.time_sines % 2:
            raise ConfigError(
                f"dim={self.dim} must be a multiple of conv_groups={self.conv_groups}, "
                f"head_dim={self.head_dim} and time_sines={self.time_sines} must be even"
            )

    @property
    def inputs(self) -> int:
        """Channels of noise, given mel, token features and speaker side by side."""
        return 3 * self.bins + self.speaker_bins


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Sizes of the decoder; defaults are CosyVoice 2's.

    Attributes:
        encoder: sizes of the token encoder.
        velocity: sizes of the velocity network, None without flow matching.
        speaker_dim: width of the speaker's vector.
        steps: Euler steps of the flow; 0 takes what the encoder expects.
        guidance: strength of classifier-free guidance.
        mel_offset, mel_scale: mean and spread that the networks do not have to learn.
        fresh_noise: every utterance starts in noise of its own, drawn from its seed; else all start
            in the same.
    """

    encoder: TokenEncoderConfig = field(default_factory=TokenEncoderConfig)
    velocity: VelocityConfig | DiffusionTransformerConfig | None = field(
        default_factory=VelocityConfig
    )
    bins: int = 80
    speaker_dim: int = 192
    steps: int = 10
    guidance: float = 0.7
    mel_offset: float = 0.0
    mel_scale: float = 1.0
    fresh_noise: bool = False

    def __post_init__(self) -> None:
        check_sizes(self, "steps", *OPTIONAL)
        if self.steps and self.velocity is None:
            raise ConfigError(
                f"steps={self.steps} needs a velocity network; give its sizes or 0 steps"
            )
        if self.encoder.plain and self.encoder.dim != self.bins:
            raise ConfigError(
                f"an encoder without layers gives the mel itself: dim={self.encoder.dim} "
                f"must be bins={self.bins}"
            )
        heard = self.encoder.speaker_dim
        if heard not in (0, self.speaker_dim):
            raise ConfigError(
                f"the encoder hears a speaker vector of {heard} and the decoder is given one of "
                f"{self.speaker_dim}; make them equal or the encoder's 0"
            )

    @property
    def mean_flow(self) -> bool:
        """Whether the velocity network is also told where a step ends."""
        return isinstance(self.velocity, VelocityConfig) and self.velocity.mean_flow
