"""Sizes of the acoustic networks, as a model's ``config.json`` holds them; no torch here."""

import math
from dataclasses import dataclass, field
from typing import Literal

from mamtra.config import check_sizes
from mamtra.errors import ConfigError
from mamtra.text.phones import PHONES

FRAMES_PER_TOKEN = 2  # mel frames for each speech token; cosyvoice2.yaml: token_mel_ratio
NOISE_FRAMES = 15_000  # CosyVoice 2 draws this much once; longer utterances are not possible
LEVELS = 3  # of each digit of a speech token (acoustic/quantizer)
HALVES = 2  # of a speech token, as the proofreader names their phones
PAUSE, FLAP = 0, "dx"  # a class; how American English says the t and d of "water" and "ladder"
CLASSES = ("pau", *PHONES, FLAP)  # what the proofreader tells apart; weights rest on their order
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VocoderConfig:
    """Sizes of the vocoder; defaults are CosyVoice 2's.

    Attributes:
        overtones: harmonics above the pitch in the excitation; 0 for pulses, which the filter
            head needs.
        source_kernels: of the residual block that reads the excitation, one a stage.
        block_kernels: of the parallel residual blocks of every stage.
        dilations: of the convolutions inside every residual block.
        pitch_scale_hz: pitch that an output of 1 of the pitch network means.
        mel_mean, mel_scale: the networks see ``(mel - mel_mean) * mel_scale``.
        causal: CosyVoice 3's form. Convolutions look backwards, but for the first of the pitch
            network and ``conv_in``; samples are repeated where the other form has transposed
            convolutions; phases stand still within a frame; pitch is computed in float64, its
            weights normed; the noise is uniform and the same for every utterance.
        sampled_phases: Chatterbox's excitation: phases grow at every sample, and each overtone
            begins at a random one; else they grow between the middles of frames.
        opening_frames: frames of silence at the start of every utterance, over which as many fade
            in; they hide what spills over from a prompt.
    """

    rate_hz: int = 24_000
    bins: int = 80
    channels: int = 512
    upsample_rates: tuple[int, ...] = (8, 5, 3)
    upsample_kernels: tuple[int, ...] = (16, 11, 7)
    source_kernels: tuple[int, ...] = (7, 7, 11)
    block_kernels: tuple[int, ...] = (3, 7, 11)
    dilations: tuple[int, ...] = (1, 3, 5)
    n_fft: int = 16
    hop: int = 4
    overtones: int = 8
    voiced_above_hz: float = 10.0
    pitch_channels: int = 512
    pitch_scale_hz: float = 1.0
    mel_mean: float = 0.0
    mel_scale: float = 1.0
    head: Literal["spectrum", "filter"] = "spectrum"
    causal: bool = False
    sampled_phases: bool = False
    opening_frames: int = 0

    def __post_init__(self) -> None:
        check_sizes(self, "overtones", "opening_frames")
        stages = len(self.upsample_rates)
        if not len(self.upsample_kernels) == len(self.source_kernels) == stages:
            raise ConfigError(
                f"{stages} upsample_rates need as many upsample_kernels and source_kernels, not "
                f"{len(self.upsample_kernels)} and {len(self.source_kernels)}"
            )
        for rate, kernel in zip(self.upsample_rates, self.upsample_kernels, strict=True):
            if kernel < rate or (kernel - rate) % 2:
                raise ConfigError(
                    f"upsample kernel {kernel} must exceed its rate {rate} by an even number"
                )
        if (self.head == "filter") != (self.overtones == 0):
            raise ConfigError(
                f"head={self.head!r} does not go with overtones={self.overtones}; "
                f"'filter' needs 0, 'spectrum' more"
            )
        if self.causal and (self.head == "filter" or self.pitch_scale_hz != 1.0):
            raise ConfigError("a causal vocoder has the head 'spectrum' and a pitch in hertz")
        if self.sampled_phases and (self.causal or self.head == "filter"):
            raise ConfigError(
                "sampled_phases go with the head 'spectrum' and a vocoder that is not causal"
            )
        if self.channels % 2**stages:
            raise ConfigError(f"channels={self.channels} cannot be halved {stages} times")

    @property
    def mel_hop(self) -> int:
        """Samples that one mel frame stands for."""
        return math.prod(self.upsample_rates) * self.hop

    @property
    def noises(self) -> int:
        """Channels of noise: one a harmonic, and one from which random phases come."""
        return self.overtones + 1 + self.sampled_phases

    @property
    def frequencies(self) -> int:
        """Frequencies of the short-time spectrum."""
        return self.n_fft // 2 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTokenizerConfig:
    """Sizes of the tokenizer.

    Attributes:
        digits: numbers in a code; there are ``3 ** digits`` codes.
        blocks: convolution blocks before the quantiser.
        kernel: tokens that a block sees at once.
    """

    bins: int = 80
    dim: int = 192
    digits: int = 6
    blocks: int = 5
    kernel: int = 7

    def __post_init__(self) -> None:
        check_sizes(self, "blocks")
        if self.kernel % 2 == 0:
            raise ConfigError(f"kernel={self.kernel} must be odd")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerConfig:
    """Sizes of the speaker encoder.

    Attributes:
        width: of the speaker's vector.
        mel_offset, mel_scale: mean and spread of the features it is given.
    """

    bins: int = 80
    dim: int = 96
    layers: int = 3
    kernel: int = 5
    width: int = 64
    mel_offset: float = -6.0
    mel_scale: float = 2.5

    def __post_init__(self) -> None:
        check_sizes(self)
        if self.kernel % 2 == 0:
            raise ConfigError(f"kernel={self.kernel} must be odd")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofreaderConfig:
    """The section ``proofreader`` of a model's config.json.

    Attributes:
        digits: of a speech token, in base three.
        dim, layers, kernel: of the network; kernels are odd.
        least: a phone is misread if its log probability lies so far below the likeliest phone's, on
            average over the time that the path gives it.
    """

    digits: int = 7
    dim: int = 96
    layers: int = 5
    kernel: int = 5
    least: float = -2.0

    def __post_init__(self) -> None:
        if min(self.digits, self.dim, self.layers, self.kernel) < 1 or self.kernel % 2 == 0:
            raise ConfigError(
                f"digits={self.digits}, dim={self.dim}, layers={self.layers} and "
                f"kernel={self.kernel} of the proofreader must be at least 1, the kernel odd"
            )
        if not self.least < 0:
            raise ConfigError(f"least={self.least} of the proofreader must be below 0")
