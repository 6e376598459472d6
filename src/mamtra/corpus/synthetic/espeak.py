"""Speech from Debian's espeak-ng: more speakers for the synthetic corpus, by variants of one voice.

espeak-ng speaks, flite tells the phones of the same text: the two seldom disagree on American
English, and a recogniser in training forgives the rest. Like flite it is a build-time tool only.
"""

import shutil
import subprocess

import numpy as np
import soxr

from mamtra.corpus.synthetic.flite import RATE_HZ, Flite
from mamtra.corpus.synthetic.spoken import LEAD_SECONDS, TAIL_SECONDS, Speaking, Spoken
from mamtra.errors import CorpusError, MissingExtraError

PREFIX = "espeak-"
VARIANTS = ("f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8")
VOICES = tuple(f"{PREFIX}{variant}" for variant in VARIANTS)
HEADER_BYTES = 44  # of the WAV that espeak-ng streams; its sizes are not known yet and say nothing
ESPEAK_RATE_HZ = 22_050
SILENCE = 0.01  # share of the loudest sample


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Cut the silence at both ends to the lengths that flite's clips have."""
    loud = np.flatnonzero(np.abs(samples) > SILENCE * np.abs(samples).max(initial=0))
    if not len(loud):
        return samples[:0]
    start = max(0, loud[0] - round(LEAD_SECONDS * RATE_HZ))
    return samples[start : loud[-1] + round(TAIL_SECONDS * RATE_HZ)]


class Espeak(Speaking):
    """One variant of espeak-ng's American voice.

    Args:
        voice: one of ``VOICES``.

    Raises:
        CorpusError: the voice is unknown.
        MissingExtraError: espeak-ng or flite is not installed.
    """

    rate_hz = RATE_HZ

    def __init__(self, voice: str) -> None:
        if voice not in VOICES:
            raise CorpusError(f"unknown espeak-ng voice {voice!r}; known: {', '.join(VOICES)}")
        if shutil.which("espeak-ng") is None:
            raise MissingExtraError(
                "the synthesiser espeak-ng is not installed; run: apt-get install espeak-ng"
            )
        self.voice = voice
        self.reader = Flite("kal16")

    def say(self, text: str) -> Spoken:
        """Speak one sentence at 16 kHz; words and phones are flite's.

        Raises:
            CorpusError: espeak-ng failed.
        """
        command = ["espeak-ng", "-v", f"en-us+{self.voice.removeprefix(PREFIX)}", "--stdin"]
        done = subprocess.run(
            [*command, "--stdout"], input=text.encode(), capture_output=True, check=False
        )
        if done.returncode:
            raise CorpusError(f"espeak-ng failed: {done.stderr.decode(errors='replace').strip()}")
        sound = np.frombuffer(done.stdout[HEADER_BYTES:], np.int16).astype(np.float32) / 32768
        samples = trimmed(soxr.resample(sound, ESPEAK_RATE_HZ, RATE_HZ))
        read = self.reader.say(text)
        clipped = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
        return Spoken(samples=clipped, words=read.words, phones=read.phones)

    def identity(self) -> dict[str, str]:
        """The package, for the corpus's manifest."""
        return {"package": "espeak (Debian)"}
