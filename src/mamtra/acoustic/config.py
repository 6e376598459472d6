"""Sizes of the acoustic networks besides the decoder (``decoder_config.py``), as a model's
``config.json`` holds them; no torch here.
"""

import math
from dataclasses import dataclass
from typing import Literal

from mamtra.config import check_sizes
from mamtra.errors import ConfigError
from mamtra.text.phones import PHONES

FRAMES_PER_TOKEN = 2  # mel frames for each speech token; cosyvoice2.yaml: token_mel_ratio
LEVELS = 3  # of each digit of a speech token (acoustic/quantizer)
HALVES = 2  # of a speech token, as the proofreader names their phones
PAUSE, FLAP = 0, "dx"  # a class; how American English says the t and d of "water" and "ladder"
CLASSES = ("pau", *PHONES, FLAP)  # what the proofreader tells apart; weights rest on their order


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
