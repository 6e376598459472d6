"""Text in, speech out: the whole chain behind two calls.

    synthesizer = mamtra.load("nano")
    synthesizer.say("Hello there.").save("hello.wav")

Long text is spoken piece by piece. Each piece draws from a seed of its own, derived from the
caller's, so it sounds the same whatever stands before it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.acoustic.decoder import Prompt
from mamtra.acoustic.flow_matching import fixed_noise
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.errors import GenerationError, TextError
from mamtra.speech_lm import cross_lingual
from mamtra.synthesis.generate import Request, generate
from mamtra.synthesis.guard import GuardConfig
from mamtra.synthesis.parts import TextConfig, speaking_parts
from mamtra.synthesis.sampling import SamplingConfig
from mamtra.synthesis.speech import Speech, Timings, join
from mamtra.synthesis.voice import Voice, find_voice
from mamtra.text.normalize import normalize
from mamtra.text.split import pieces

__all__ = ["Speech", "Synthesizer", "Timings", "Voice", "load"]

ENDS = (".", "?", "!")
OPEN_MARKS = " ,;:-"
PIECE_STRIDE = 7_368_787  # a prime: seeds of pieces meet neither each other nor those of retries


class Stopwatch:
    """Seconds between one look and the next."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last look; waits for a GPU to finish what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        before, self.last = self.last, time.perf_counter()
        return self.last - before


def closed(piece: str) -> str:
    """The piece with a mark that ends a sentence; models have read nothing else.

    A piece cut at a comma would otherwise be an unfinished sentence, and a model that waits for the
    rest may not find the end.
    """
    return piece if piece.endswith(ENDS) else piece.rstrip(OPEN_MARKS) + "."


class Synthesizer:
    """A loaded model.

    Args:
        folder: the model's folder.
        device: where to compute.

    Raises:
        ModelError: a part is missing or damaged.
    """

    def __init__(self, folder: ModelFolder, device: str | torch.device = "cpu") -> None:
        self.folder = folder
        self.parts = speaking_parts(folder, device)
        self.text = folder.optional("text", TextConfig)
        self.sampling = folder.optional("sampling", SamplingConfig)
        self.guard = folder.optional("guard", GuardConfig)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.config.name

    @property
    def rate(self) -> int:
        """Samples a second of what it says."""
        return self.parts.mel.rate_hz

    @property
    def voices(self) -> list[str]:
        """Names of the voices that belong to the model."""
        return list(self.folder.voice_files())

    def voice(self, voice: Voice | str | Path | None = None) -> Voice:
        """A voice by name or path; without one, the model's default.

        Raises:
            VoiceError: it is unknown, or its file is no voice.
        """
        if not isinstance(voice, Voice):
            voice = Voice.load(find_voice(self.folder, voice))
        return voice.to(self.parts.device)

    def pieces(self, text: str) -> list[str]:
        """The text as it will be spoken: normalised, in pieces of a sentence or so.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
        """
        budget, spoken = self.text.piece_characters, []
        for part in pieces(text, budget):
            try:
                # numbers grow when they are written out, so what fitted may have to be cut again
                spoken += pieces(normalize(part), budget)
            except TextError:
                # a sentence in another script is left out; a wrong phone is the caller's to mend
                if "{" in part:
                    raise
        return spoken or [normalize(text)]

    def say(self, text: str, voice: Voice | str | Path | None = None, seed: int = 0) -> Speech:
        """Speak a text of any length.

        Args:
            text: English; numbers and abbreviations are spoken as words.
            voice: a voice of the model, the path of a saved one, or a ``Voice``.
            seed: the same seed gives the same samples; another gives another take.

        Raises:
            TextError: the text is empty, or nothing in it can be spoken.
            VoiceError: the voice is unknown.
            GenerationError: the model said nothing.
        """
        watch = Stopwatch(torch.device("cpu"))
        spoken = self.pieces(text)
        seconds = watch.lap()
        speech = join(list(self.speak(spoken, voice, seed)))
        return replace(speech, timings=speech.timings + Timings(text=seconds))

    def speak(
        self, spoken: Sequence[str], voice: Voice | str | Path | None = None, seed: int = 0
    ) -> Iterator[Speech]:
        """Speak pieces one by one, each handed out when it is finished; ``join`` makes them one.

        Args:
            spoken: what ``pieces`` gave.
            voice: as for ``say``.
            seed: of the first piece; the others' are derived from it.
        """
        chosen = self.voice(voice)
        for place, piece in enumerate(spoken):
            yield self.speak_piece(piece, chosen, seed + place * PIECE_STRIDE)

    @torch.inference_mode()
    def speak_piece(self, piece: str, voice: Voice, seed: int) -> Speech:
        """Speak one piece of normalised text.

        Raises:
            GenerationError: the model said nothing.
        """
        watch = Stopwatch(self.parts.device)
        ids = self.parts.tokenizer.encode(closed(piece))
        request = Request(tuple(cross_lingual(ids)), len(ids), seed)
        text = watch.lap()
        generation = generate(self.parts.speech_lm, request, self.sampling, self.guard)
        if not generation.ids:
            raise GenerationError(
                f"the model said nothing for {piece!r} in {generation.attempts} attempts; "
                "try another seed"
            )
        speech_lm = watch.lap()
        tokens = torch.tensor([generation.ids], device=self.parts.device)
        mel = self.draw_mel(tokens, voice)
        decoder = watch.lap()
        noise = torch.Generator().manual_seed(seed)
        samples = self.parts.vocoder(mel, generator=noise)[0].float().cpu().numpy()
        return Speech(
            samples=samples,
            rate=self.rate,
            text=piece,
            speech_tokens=list(generation.ids),
            stop_reason=generation.reason,
            timings=Timings(text=text, speech_lm=speech_lm, decoder=decoder, vocoder=watch.lap()),
        )

    def draw_mel(self, tokens: Tensor, voice: Voice) -> Float[Tensor, "1 bins frames"]:
        """Mel features of speech tokens in a voice.

        A decoder with flow matching continues the voice's prompt; one without knows the voice from
        its vector alone.
        """
        decoder, speaker = self.parts.decoder, voice.speaker[None]
        if not decoder.config.steps:
            return decoder(tokens, speaker)
        prompt = (
            Prompt(tokens=voice.tokens[None], mel=voice.mel[None]) if len(voice.tokens) else None
        )
        return decoder(tokens, speaker, prompt, fixed_noise(decoder.config.bins).to(tokens.device))


def load(name_or_path: str | Path = DEFAULT, device: str | torch.device = "cpu") -> Synthesizer:
    """Load a model by its name (``nano``, ``nano-teacher``) or from its folder.

    Raises:
        ModelError: there is no such model, or its weights do not fit.
    """
    return Synthesizer(ModelFolder(locate(name_or_path)), device)
