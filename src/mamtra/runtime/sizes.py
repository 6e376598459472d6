"""The numbers of a decoder and of a vocoder that their callers have to fit, whatever the engine."""

from dataclasses import dataclass

from mamtra.acoustic.config import VocoderConfig
from mamtra.acoustic.decoder_config import DecoderConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderSizes:
    """The numbers of a decoder that streaming and voices have to fit.

    Attributes:
        codes: speech tokens that it knows.
        speaker_dim: width of the speaker vector.
        bins: of the mel features.
        frames_per_token: mel frames for each speech token.
        chunk_tokens: tokens of one chunk of a stream.
        lookahead_tokens: tokens after a chunk that it has to see.
        flow: whether it starts in noise (flow matching) and continues a voice's prompt; without, it
            knows a voice from its speaker vector alone.
        goes_on: whether a stream of it goes on from states (``ChunkDecoder``).
        fresh_noise: whether the flow of every utterance starts in noise of its own.
    """

    codes: int
    speaker_dim: int
    bins: int
    frames_per_token: int
    chunk_tokens: int
    lookahead_tokens: int
    flow: bool
    goes_on: bool = False
    fresh_noise: bool = False

    @classmethod
    def of(cls, config: DecoderConfig, goes_on: bool = False) -> "DecoderSizes":
        """Those of a model's ``config.json``."""
        encoder = config.encoder
        return cls(
            codes=encoder.vocabulary,
            speaker_dim=config.speaker_dim,
            bins=config.bins,
            frames_per_token=encoder.frames_per_token,
            chunk_tokens=encoder.chunk_tokens,
            lookahead_tokens=encoder.lookahead_tokens,
            flow=config.steps > 0,
            goes_on=goes_on and config.steps > 0,
            fresh_noise=config.fresh_noise,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VocoderSizes:
    """The numbers of a vocoder that noise and features have to fit.

    Attributes:
        rate_hz: samples a second of what it gives.
        bins: of the mel features.
        hop: samples that one mel frame stands for.
        noises: channels of noise.
        uniform_noise: the noise is CosyVoice 3's, the same for every utterance, not drawn anew.
    """

    rate_hz: int
    bins: int
    hop: int
    noises: int
    uniform_noise: bool = False

    @classmethod
    def of(cls, config: VocoderConfig) -> "VocoderSizes":
        """Those of a model's ``config.json``."""
        return cls(
            rate_hz=config.rate_hz,
            bins=config.bins,
            hop=config.mel_hop,
            noises=config.noises,
            uniform_noise=config.causal,
        )
