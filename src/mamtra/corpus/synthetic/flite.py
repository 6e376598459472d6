"""Speech from Debian's flite, called in this process: the source of the synthetic corpus.

Beside the samples flite tells which phones each word became, so the corpus carries its own
pronunciations. flite is a build-time tool only: nothing that speaks with a trained model needs it.
"""

import ctypes
from functools import cache

import numpy as np

from mamtra.corpus.synthetic.spoken import LEAD_SECONDS, PAUSE, TAIL_SECONDS, Speaking, Spoken
from mamtra.errors import CorpusError, MissingExtraError

RATE_HZ = 16_000
VOICES = ("slt", "rms", "awb", "kal16")


class Wave(ctypes.Structure):
    """flite's cst_wave."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("rate", ctypes.c_int),
        ("samples", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("data", ctypes.POINTER(ctypes.c_short)),
    )


@cache
def library() -> ctypes.CDLL:
    """The flite library with the types of the calls used here.

    Raises:
        MissingExtraError: flite is not installed.
    """
    try:
        flite = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for name in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError as missing:
        raise MissingExtraError(
            "the synthesiser flite is not installed; run: apt-get install flite"
        ) from missing
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    signatures = {
        "flite_init": ([], ctypes.c_int),
        "flite_synth_text": ([text, pointer], pointer),
        "utt_wave": ([pointer], ctypes.POINTER(Wave)),
        "utt_relation": ([pointer, text], pointer),
        "relation_head": ([pointer], pointer),
        "item_next": ([pointer], pointer),
        "item_daughter": ([pointer], pointer),
        "item_as": ([pointer, text], pointer),
        "item_feat_string": ([pointer, text], text),
        "item_feat_float": ([pointer, text], ctypes.c_float),
        "delete_utterance": ([pointer], None),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(flite, name)
        function.argtypes, function.restype = arguments, result
    flite.flite_init()
    return flite


class Flite(Speaking):
    """One flite voice.

    Args:
        voice: one of ``VOICES``.

    Raises:
        CorpusError: the voice is unknown.
        MissingExtraError: flite is not installed.
    """

    rate_hz = RATE_HZ

    def __init__(self, voice: str = "slt") -> None:
        if voice not in VOICES:
            raise CorpusError(f"unknown flite voice {voice!r}; known: {', '.join(VOICES)}")
        self.voice = voice
        self.flite = library()
        try:
            register = getattr(
                ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1"), f"register_cmu_us_{voice}"
            )
        except OSError as missing:
            raise MissingExtraError(
                f"flite's voice {voice!r} is not installed; run: apt-get install flite"
            ) from missing
        register.argtypes, register.restype = [ctypes.c_void_p], ctypes.c_void_p
        self.handle = register(None)

    def siblings(self, item: int | None) -> list[int]:
        """An item of a flite relation and all that follow it."""
        found = []
        while item:
            found.append(item)
            item = self.flite.item_next(item)
        return found

    def relation(self, utterance: int, name: bytes) -> list[int]:
        """The items at the top of one relation of an utterance."""
        return self.siblings(self.flite.relation_head(self.flite.utt_relation(utterance, name)))

    def name(self, item: int) -> str:
        """The name of an item: a token's text, a phone's symbol."""
        return self.flite.item_feat_string(item, b"name").decode("latin-1")

    def daughters(self, item: int) -> list[int]:
        """The items right below one item."""
        return self.siblings(self.flite.item_daughter(item))

    def pronunciation(self, token: int) -> list[str]:
        """The phones of one written word, through its words and syllables."""
        return [
            self.name(phone)
            for word in self.daughters(token)
            for syllable in self.daughters(self.flite.item_as(word, b"SylStructure"))
            for phone in self.daughters(syllable)
        ]

    def say(self, text: str) -> Spoken:
        """Speak one sentence; silence at both ends is cut to a fixed length."""
        utterance = self.flite.flite_synth_text(text.encode("ascii", "ignore"), self.handle)
        try:
            wave = self.flite.utt_wave(utterance).contents
            samples = np.ctypeslib.as_array(wave.data, (wave.samples,)).copy()
            segments = self.relation(utterance, b"Segment")
            phones = [self.name(segment) for segment in segments]
            ends = [self.flite.item_feat_float(segment, b"end") for segment in segments]
            words = [
                (self.name(token), self.pronunciation(token))
                for token in self.relation(utterance, b"Token")
            ]
        finally:
            self.flite.delete_utterance(utterance)
        start, stop = 0, len(samples)
        if len(phones) > 1 and phones[0] == PAUSE:
            start = max(0, round((ends[0] - LEAD_SECONDS) * RATE_HZ))
        if len(phones) > 1 and phones[-1] == PAUSE:
            stop = min(stop, round((ends[-2] + TAIL_SECONDS) * RATE_HZ))
        return Spoken(samples=samples[start:stop], words=words, phones=phones)

    def identity(self) -> dict[str, str]:
        """The package, for the corpus's manifest."""
        return {"package": "flite (Debian)"}
