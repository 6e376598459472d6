"""What each stage between the source's sound and the model's own speech makes of a sentence.

    source    the synthesiser that the voice learned from
    vocoder   the source's mel features, sounded by the vocoder
    copy      copy synthesis: the source through tokenizer, decoder and vocoder
    forced    as copy, but each token is the one that the speech LM finds most probable after the
              text and the source's own tokens before it
    speech    the model speaks by itself

From one stage to the next one more part of the model can lose something, so the first stage that
is hard to understand names the part to work on.
"""

import time
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float

from mamtra.audio.clip import Audio
from mamtra.audio.log_mel import MelConfig, log_mel
from mamtra.checkpoints.modules import open_language_model
from mamtra.corpus.synthetic.spoken import Speaking
from mamtra.errors import CorpusError, GenerationError, MissingExtraError
from mamtra.evaluation.clip import Clip
from mamtra.evaluation.systems import (
    Stage,
    fingerprint_of_model,
    fingerprint_of_voice,
    fingerprint_of_words,
    short_hash,
)
from mamtra.speech_lm import SpeechLM, pack, uni_stream
from mamtra.synthesis.acoustics import flow_noise, noise_of
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.voice.load import open_voice_encoder
from mamtra.voice.voice import Voice

SOURCE, VOCODER, COPY, FORCED, SPEECH = STAGES = ("source", "vocoder", "copy", "forced", "speech")


def find_source(voice: Voice) -> Speaking:
    """The synthesiser that a voice learned from: the last word of its source, else its name.

    Raises:
        CorpusError: nobody knows where the voice came from.
        MissingExtraError: the synthesiser is not installed.
    """
    from mamtra.corpus.synthetic.synthesize import synthesiser_for

    try:
        return synthesiser_for((voice.source or voice.name).split()[-1])
    except CorpusError:
        return synthesiser_for(voice.name)


class Chain:
    """The stages of one model in one voice.

    Args:
        synthesizer: the loaded model.
        voice: one of its voices, or the path of a saved one; without it, the default.
        seed: of what the model says.
        source: the synthesiser to compare with; without it, the one that the voice learned from.

    Attributes:
        missing: why there is no source, if there is none.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        voice: str | None = None,
        seed: int = 0,
        source: Speaking | None = None,
    ) -> None:
        self.synthesizer = synthesizer
        self.voice: Voice = synthesizer.voice(voice)
        self.seed = seed
        self.source = source
        self.missing = ""
        self.last: tuple[str, np.ndarray] | None = None
        self.mel = synthesizer.folder.section("mel", MelConfig)
        if source is None:
            try:
                self.source = find_source(self.voice)
            except (CorpusError, MissingExtraError) as problem:
                self.missing = str(problem)
        if self.source is not None:
            self.encoder = open_voice_encoder(synthesizer.folder)

    @cached_property
    def language_model(self) -> SpeechLM:
        """The language model as it is trained, on a CPU."""
        return open_language_model(self.synthesizer.folder)

    @property
    def stages(self) -> dict[str, Callable[[str], Clip]]:
        """The stages that can run here, by name."""
        stages: dict[str, Callable[[str], Clip]] = {SPEECH: self.speech}
        if self.source is not None:
            before = {SOURCE: self.sound, VOCODER: self.vocode, COPY: self.copy}
            stages = before | {FORCED: self.force} | stages
        return stages

    def systems(self, only: Sequence[str] = STAGES) -> list[Stage]:
        """The stages that can run here and were asked for, each as a system of an evaluation."""
        folder = self.synthesizer.folder
        weights, words = fingerprint_of_model(folder), fingerprint_of_words(folder)
        source = "" if self.source is None else repr(sorted(self.source.identity().items()))
        depends_on = weights, words, fingerprint_of_voice(self.voice), str(self.seed)
        return [
            Stage(
                name=f"{self.voice.name}/{name}",
                fingerprint=short_hash(*depends_on, name, *[source] * (name != SPEECH)),
                make=make,
                weights=weights,
            )
            for name, make in self.stages.items()
            if name in only
        ]

    def source_samples(self, text: str) -> np.ndarray:
        """The source's sound at the model's rate; the last sentence is kept for the next stage."""
        assert self.source is not None
        if self.last is None or self.last[0] != text:
            audio = Audio(samples=self.source.speak(text), rate_hz=self.source.rate_hz)
            self.last = (text, audio.at(self.synthesizer.rate).samples)
        return self.last[1]

    def whole_samples(self, text: str) -> np.ndarray:
        """The source's sound, cut to a whole number of tokens."""
        hop, samples = self.mel.hop, self.source_samples(text)
        return samples[: len(samples) // hop // 2 * 2 * hop]

    def source_tokens(self, text: str) -> list[int]:
        """Speech tokens of the source's sound."""
        audio = Audio(samples=self.whole_samples(text), rate_hz=self.synthesizer.rate)
        return self.encoder.tokens(audio).tolist()

    def decode(self, tokens: list[int]) -> Float[np.ndarray, "bins frames"]:
        """Mel features of speech tokens in the voice."""
        decoder = self.synthesizer.model.decoder
        return decoder.decode(tokens, self.voice.prompt, flow_noise(decoder.sizes))

    def finish(self, mel: np.ndarray, started: float, nats: float | None = None) -> Clip:
        """Mel features as a clip."""
        vocoder = self.synthesizer.model.vocoder
        samples = vocoder.speak(mel, noise_of(vocoder.sizes, mel, self.seed))
        return Clip(
            samples=samples,
            rate_hz=self.synthesizer.rate,
            took_seconds=time.perf_counter() - started,
            nats=nats,
        )

    def sound(self, text: str) -> Clip:
        """What the source says."""
        return Clip(samples=self.source_samples(text), rate_hz=self.synthesizer.rate)

    def vocode(self, text: str) -> Clip:
        """The source through the vocoder alone."""
        samples, started = self.whole_samples(text), time.perf_counter()
        return self.finish(log_mel(samples, self.mel), started)

    def copy(self, text: str) -> Clip:
        """The source through tokenizer, decoder and vocoder."""
        _, started = self.whole_samples(text), time.perf_counter()  # which is not its own work
        return self.finish(self.decode(self.source_tokens(text)), started)

    @torch.inference_mode()
    def force(self, text: str) -> Clip:
        """The speech LM's best guess of each of the source's tokens."""
        model, _ = self.language_model, self.whole_samples(text)
        started, tokens = time.perf_counter(), self.source_tokens(text)
        ids = self.synthesizer.reader.tokenizer.encode(" ".join(self.synthesizer.pieces(text)))
        batch = pack([uni_stream(ids, tokens, model.vocabulary)])
        logits = model(batch)
        nats = torch.nn.functional.cross_entropy(logits, batch.targets)
        guessed = logits[: len(tokens), : model.vocabulary.codes].argmax(-1).tolist()
        return self.finish(self.decode(guessed), started, float(nats))

    def speech(self, text: str) -> Clip:
        """What the model says."""
        started = time.perf_counter()
        try:
            spoken = self.synthesizer.say(text, self.voice, self.seed)
        except GenerationError:
            silence = np.zeros(1, np.float32)
            return Clip(samples=silence, rate_hz=self.synthesizer.rate, stop="nothing")
        return Clip(
            samples=spoken.samples,
            rate_hz=spoken.rate,
            stop=spoken.stop_reason,
            attempts=getattr(spoken, "attempts", 1),
            took_seconds=time.perf_counter() - started,
        )
