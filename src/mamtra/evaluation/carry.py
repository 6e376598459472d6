"""Whether a sentence gains or loses when the language model knows the one before it.

Pairs of sentences are spoken, and only the second is judged: by one system fresh, by the other with
the first one's words and speech carried, in the same voice and from the same seed.
"""

import time
from collections.abc import Sequence
from itertools import pairwise

from mamtra.evaluation.clip import Clip
from mamtra.evaluation.line_set import Line, LineSet
from mamtra.evaluation.systems import SpeakingModel
from mamtra.synthesis.long_text import Context
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.say import say_piece
from mamtra.synthesis.synthesizer import Synthesizer


def pairs_of(sentences: Sequence[str]) -> LineSet:
    """Neighbouring sentences two by two, the first as the second's prompt text; one left over is
    dropped.
    """
    pairs = list(pairwise(sentences))[::2]
    lines = (Line(id=f"{n:04d}", text=b, prompt_text=a) for n, (a, b) in enumerate(pairs, 1))
    return LineSet(name="pairs", lines=tuple(lines), numbered=True)


class AfterAnother(SpeakingModel):
    """A model that has just said the line's prompt text.

    Args:
        synthesizer: the model.
        state: ``fresh`` forgets what was said, ``carry`` knows it.
        voice: of the model.
        seed: of the first pair; the others count up.
    """

    def __init__(
        self, synthesizer: Synthesizer, state: str, voice: str | None = None, seed: int = 0
    ) -> None:
        super().__init__(synthesizer, voice, seed, name=state)
        self.voice = synthesizer.voice(voice)

    def speak(self, line: Line, run: int) -> Clip:
        """Say the first sentence of a pair, then the second, which is handed out."""
        options = SpeakOptions(voice=self.voice, seed=self.seed + run + int(line.id) - 1)
        speaker, known = self.synthesizer.speaker(options), Context()
        before, piece = (self.synthesizer.pieces(text)[0] for text in (line.prompt_text, line.text))
        if self.name == "carry":
            say_piece(speaker, before, 0, known)
        started = time.perf_counter()
        speech = say_piece(speaker, piece, 1, known if self.name == "carry" else None)
        return Clip(
            samples=speech.samples,
            rate_hz=speech.rate,
            stop=speech.stop_reason,
            took_seconds=time.perf_counter() - started,
            state_bytes=speech.state_bytes,
        )
