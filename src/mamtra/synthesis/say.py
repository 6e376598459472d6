"""Pieces of text one after the other: each is written by the language model, then sounded whole.

Each piece draws from a seed of its own, derived from the caller's, so it sounds the same whatever
stands before it. Speech that leaves while it is made is ``streaming``'s matter, many texts at once
that of ``many_texts``; all three give a piece the same seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from mamtra.errors import GenerationError
from mamtra.generation.generate import Generation, generate, piece_seed
from mamtra.generation.guard import GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.synthesis.acoustics import draw_mel
from mamtra.synthesis.conditioning import Manner
from mamtra.synthesis.long_text import Carried, check_state
from mamtra.synthesis.parts import SpeakingParts
from mamtra.synthesis.speech import Speech, Timings
from mamtra.synthesis.stopwatch import Stopwatch
from mamtra.voice.voice import Voice


@torch.inference_mode()
def sound(
    parts: SpeakingParts, piece: str, generation: Generation, voice: Voice, seed: int
) -> Speech:
    """Let a voice say the speech ids of a piece, all at once.

    Args:
        parts: the model.
        piece: what the ids say.
        generation: the ids.
        voice: on the model's device.
        seed: of the piece.

    Raises:
        GenerationError: there are no ids.
    """
    if not generation.ids:
        raise GenerationError(
            f"the model said nothing for {piece!r} in {generation.attempts} attempts; "
            "try another seed"
        )
    watch = Stopwatch(parts.device)
    mel = draw_mel(parts.decoder, torch.tensor([generation.ids], device=parts.device), voice)
    decoder = watch.lap()
    noise = torch.Generator().manual_seed(seed)
    samples = parts.vocoder(mel, generator=noise)[0].float().cpu().numpy()
    return Speech(
        samples=samples,
        rate=parts.mel.rate_hz,
        text=piece,
        speech_tokens=list(generation.ids),
        stop_reason=generation.reason,
        timings=Timings(decoder=decoder, vocoder=watch.lap()),
        state_bytes=generation.state_bytes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrator:
    """A model with a voice and a manner, ready to speak pieces.

    Attributes:
        voice: on the model's device.
        manner: what the language model reads around each piece.
    """

    parts: SpeakingParts
    sampling: SamplingConfig
    guard: GuardConfig
    voice: Voice
    manner: Manner

    @torch.inference_mode()
    def speak(self, piece: str, seed: int, carried: Carried | None = None) -> Speech:
        """Speak one piece of normalised text; ``carried`` takes note of it.

        Raises:
            GenerationError: the model said nothing.
        """
        watch = Stopwatch(self.parts.device)
        ids = self.parts.reader.encode(piece)
        carried = carried or Carried()
        request = carried.request(ids, seed, self.manner.request)
        text = watch.lap()
        generation = generate(self.parts.speech_lm, request, self.sampling, self.guard)
        carried.add(ids, generation.ids, generation.reason)
        speech_lm = watch.lap()
        speech = sound(self.parts, piece, generation, self.voice, seed)
        return replace(speech, timings=speech.timings + Timings(text=text, speech_lm=speech_lm))

    def speak_paragraphs(
        self, spoken: Sequence[Sequence[str]], seed: int, state: str = "fresh"
    ) -> Iterator[Speech]:
        """Speak the pieces of paragraphs, each handed out when it is finished.

        Args:
            spoken: pieces of normalised text.
            seed: of the first piece; the others' are derived from it.
            state: what the language model knows of earlier pieces, see ``long_text``.

        Raises:
            ConfigError: the state is unknown.
            GenerationError: the model said nothing.
        """
        check_state(state)
        place = 0
        for paragraph in spoken:
            carried = Carried() if state == "carry" else None
            for number, piece in enumerate(paragraph, start=1):
                speech = self.speak(piece, piece_seed(seed, place), carried)
                yield replace(speech, ends_paragraph=number == len(paragraph))
                place += 1
