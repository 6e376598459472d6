"""Speech tokens and a voice into sound: decoder and vocoder, all at once or as a stream.

Of a stream, samples leave as soon as they are settled. The decoder hands out frames chunk by chunk,
the vocoder samples that no later frame can change. So the joined samples are those of
``chunked_sound``, which decodes the same tokens at once.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.acoustic.decoder_config import NOISE_FRAMES
from mamtra.audio.joiner import Samples
from mamtra.generation.guard import GuardConfig, SilenceFilter
from mamtra.generation.randomness import WORD, random_state
from mamtra.runtime.decoder_stream import DecoderStream, decode_whole
from mamtra.runtime.protocols import EncodedPrompt, LoadedModel
from mamtra.runtime.sizes import DecoderSizes, VocoderSizes
from mamtra.synthesis.speech import ComputeSeconds
from mamtra.synthesis.stopwatch import Stopwatch

SILENT_PEAK = 1e-4  # of full scale, -80 dB; speech peaks above 0.1
PUBLISHED_SKIP = 5_052_961 + 9  # words before the published noise
MANTISSA = (1 << 24) - 1
FLOW_STREAM = 1  # third word of the seed of a flow's own noise
Noise = Float[np.ndarray, "_channels _time"]


@lru_cache(maxsize=1)
def published_state() -> Any:
    """The generator's state before CosyVoice 3's fixed noise, which is in no checkpoint.

    It is what torch's generator gives with seed 0 after the networks were built: 5,052,961 words
    for their weights, 9 for phases without effect.
    """
    words = np.random.MT19937()
    np.random.RandomState(words).seed(0)
    words.random_raw(PUBLISHED_SKIP, output=False)
    return words.state


class NoiseSource:
    """The vocoder's noise from the beginning of an utterance on.

    Args:
        sizes: of the vocoder.
        seed: of the draws; a vocoder of fixed noise takes none.
    """

    def __init__(self, sizes: VocoderSizes, seed: int) -> None:
        self.sizes, self.generator = sizes, random_state(seed)
        self.words = np.random.MT19937()
        if sizes.uniform_noise:
            self.words.state = published_state()

    def draw(self, samples: int) -> Noise:
        """The noise for so many samples more, so that cuts make no difference."""
        shape = samples, self.sizes.noises
        if self.sizes.uniform_noise:  # as torch makes a float32 of a word: its lowest 24 bits
            words = self.words.random_raw(samples * self.sizes.noises) & MANTISSA
            drawn = (words / (MANTISSA + 1)).reshape(shape)
        else:
            drawn = self.generator.standard_normal(shape)
        return np.ascontiguousarray(drawn.T, np.float32)


def noise_of(sizes: VocoderSizes, mel: Float[np.ndarray, "bins frames"], seed: int) -> Noise:
    """The vocoder's noise for these mel features."""
    return NoiseSource(sizes, seed).draw(mel.shape[1] * sizes.hop)


@lru_cache(maxsize=2)
def fixed_noise(bins: int) -> Noise:
    """Where every flow starts."""
    drawn = random_state(0).standard_normal((NOISE_FRAMES, bins))
    return np.ascontiguousarray(drawn.T, np.float32)


def flow_noise(sizes: DecoderSizes, seed: int = 0) -> Noise | None:
    """Where the decoder's flow starts; None if it has no flow.

    Args:
        sizes: of the decoder.
        seed: of the utterance, for a decoder with ``fresh_noise``; all others start in the same.
    """
    if sizes.flow and sizes.fresh_noise:
        # another stream than the vocoder's, whose noise has the same seed
        words = np.random.RandomState([seed % WORD, seed // WORD % WORD, FLOW_STREAM])
        drawn = words.standard_normal((NOISE_FRAMES, sizes.bins))
        return np.ascontiguousarray(drawn.T, np.float32)
    return fixed_noise(sizes.bins) if sizes.flow else None


def sound(
    model: LoadedModel, tokens: Sequence[int], voice: EncodedPrompt, seed: int
) -> tuple[Samples, ComputeSeconds]:
    """Samples of speech tokens in a voice, all at once, and what they took.

    Args:
        model: decoder and vocoder.
        tokens: at least one.
        voice: the voice.
        seed: of the noise.
    """
    watch = Stopwatch()
    mel = decode_whole(model.decoder, tokens, voice, flow_noise(model.decoder.sizes, seed))
    decoder = watch.lap()
    samples = model.vocoder.speak(mel, noise_of(model.vocoder.sizes, mel, seed))
    return samples, ComputeSeconds(decoder=decoder, vocoder=watch.lap())


def chunked_sound(
    model: LoadedModel, tokens: Sequence[int], voice: EncodedPrompt, seed: int
) -> Samples:
    """All tokens of a piece at once, with the masks of streaming: what its stream must equal.

    Arguments as for ``sound``.
    """
    noise = flow_noise(model.decoder.sizes, seed)
    mel = decode_whole(model.decoder, tokens, voice, noise, chunked=True)
    return model.vocoder.speak(mel, noise_of(model.vocoder.sizes, mel, seed))


class AcousticStream:
    """The speech tokens of one piece on their way to samples.

    Args:
        model: decoder and vocoder.
        voice: the voice.
        seed: of the noise.
        guard: says which silent tokens are left out; none without it.
    """

    def __init__(
        self,
        model: LoadedModel,
        voice: EncodedPrompt,
        seed: int,
        guard: GuardConfig | None = None,
    ) -> None:
        self.model = model
        noise = flow_noise(model.decoder.sizes, seed)
        self.decoding = DecoderStream(voice=voice, noise=noise)
        self.state = model.vocoder.new_state()
        self.source = NoiseSource(model.vocoder.sizes, seed)
        self.compute_seconds = ComputeSeconds()
        self.peak = 0.0  # of the samples so far
        self.silence = SilenceFilter(guard or GuardConfig())
        self.passed: list[bool] = []

    @property
    def tokens(self) -> list[int]:
        """What has arrived and is sounded."""
        return self.decoding.tokens

    @property
    def started(self) -> bool:
        """Whether frames were ready to be heard, so that there is no way back."""
        return self.decoding.ready(self.model.decoder.sizes) > 0

    def take(self, tokens: Sequence[int]) -> bool:
        """Take tokens and compute nothing yet; whether ``push`` would give samples."""
        passed = [self.silence.passes(token) for token in tokens]
        self.passed += passed
        self.decoding.tokens.extend(token for token, ok in zip(tokens, passed, strict=True) if ok)
        return self.decoding.waits(self.model.decoder.sizes)

    def ended(self, reason: str) -> str:
        """The stop reason of the piece: ``silence`` if nothing could be heard, else the given."""
        return reason if self.peak >= SILENT_PEAK else "silence"

    def drop(self, count: int) -> None:
        """Forget the last tokens, as far as that is possible."""
        sounded = sum(self.passed[len(self.passed) - count :]) if count else 0
        self.decoding.drop(self.model.decoder.sizes, sounded)

    def groups(self, final: bool = False) -> Iterator[Samples]:
        """The samples that no later token can change, chunk by chunk; ``final`` the rest as well.

        The same tokens give the same samples to the bit, however late they are asked for.
        """
        decoder, vocoder = self.model.decoder, self.model.vocoder
        empty = np.zeros((decoder.sizes.bins, 0), np.float32)
        while True:
            watch = Stopwatch()
            mel = self.decoding.next_group(decoder, final)
            if mel is None and not final:
                return
            decoded, last = watch.lap(), final and self.decoding.complete(decoder.sizes)
            mel = empty if mel is None else mel
            noise = self.source.draw(mel.shape[1] * vocoder.sizes.hop)
            samples = vocoder.speak_chunk(mel, noise, self.state, last=last)
            self.peak = max(self.peak, float(np.abs(samples).max(initial=0)))
            spent = ComputeSeconds(decoder=decoded, vocoder=watch.lap())
            self.compute_seconds = self.compute_seconds + spent
            yield samples
            if last:
                return

    def push(self, tokens: Sequence[int], final: bool = False) -> Samples:
        """Take tokens, give the samples that no later token can change; ``final`` the rest."""
        nothing = np.zeros(0, np.float32)
        if not self.take(tokens) and not final:
            return nothing
        return np.concatenate([nothing, *self.groups(final)])
