"""What a stream loses against a whole say: the same sentences spoken both ways, and judged.

In a stream each frame sees only its own chunk and what came before, so the sound differs although
the speech tokens are the same. How far the joined stream is from its own offline form, one decode
with the chunk mask, shows that cutting it into pieces adds nothing but rounding.
"""

import time
from typing import Any

import numpy as np

from mamtra.audio.joiner import faded
from mamtra.evaluation.clip import Clip
from mamtra.evaluation.line_set import Line
from mamtra.evaluation.systems import SpeakingModel
from mamtra.generation.generate import piece_seed
from mamtra.synthesis.acoustics import chunked_sound
from mamtra.synthesis.speech import ENDED
from mamtra.synthesis.synthesizer import Synthesizer


def differences(joined: np.ndarray, offline: np.ndarray) -> tuple[float, float]:
    """The largest difference of a sample, and that of the whole over the sound's loudness."""
    apart = joined - offline
    loudness = float(np.sqrt(np.mean(np.square(offline))))
    return float(np.abs(apart).max()), float(np.sqrt(np.mean(np.square(apart)))) / loudness


class StreamingModel(SpeakingModel):
    """A model whose streams are judged as a listener has them, joined.

    Attributes:
        apart: how far each sentence of one piece is from its offline form.
    """

    def __init__(self, synthesizer: Synthesizer, voice: str | None = None, seed: int = 0) -> None:
        super().__init__(synthesizer, voice, seed, name="stream")
        self.apart: list[tuple[float, float]] = []

    def speak(self, line: Line, run: int) -> Clip:
        """Stream one line."""
        seed, started = self.seed + run, time.perf_counter()
        pieces = list(self.synthesizer.stream(line.text, self.voice, seed))
        took = time.perf_counter() - started
        joined = np.concatenate([piece.samples for piece in pieces])
        accounts = [piece.spoken for piece in pieces if piece.spoken is not None]
        rate_hz = self.synthesizer.rate
        if len(accounts) == 1:
            voice = self.synthesizer.voice(self.voice)
            tokens = list(accounts[0].speech_tokens)
            own_seed = piece_seed(seed, 0)
            sound = chunked_sound(self.synthesizer.model, tokens, voice.prompt, own_seed)
            self.apart.append(differences(joined, faded(sound, rate_hz)))
        stop = next((a.stop_reason for a in accounts if a.stop_reason != ENDED), ENDED)
        return Clip(samples=joined, rate_hz=rate_hz, stop=stop, took_seconds=took)

    def from_offline(self) -> dict[str, Any]:
        """The largest differences of all sentences that were streamed in this process."""
        if not self.apart:
            return {"sentences": 0}
        return {
            "sentences": len(self.apart),
            "largest_difference": float(f"{max(most for most, _ in self.apart):.3g}"),
            "largest_relative_rms": float(f"{max(share for _, share in self.apart):.3g}"),
        }
