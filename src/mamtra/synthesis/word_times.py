"""When each word of spoken text begins and ends, by forced alignment.

pocketsphinx knows which words were spoken and finds where; English only, about 3 % of real time.
Words that its dictionary lacks are given rough phones, letter by letter: good enough to find a
word's borders, not to judge how it was said.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mamtra.atomic import write_file
from mamtra.audio.clip import Audio
from mamtra.audio.joiner import edges
from mamtra.errors import AudioError, ConfigError, require

METHOD = "pocketsphinx"
SUFFIXES = (".json", ".srt", ".vtt")
RATE_HZ = 16_000  # of pocketsphinx's model
FRAMES_PER_SECOND = 100
WORD = re.compile(r"[a-z']+")
FULL_SCALE = 32_767
# phones of the CMU dictionary that letters often stand for
ROUGH_PHONES = {
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH",
    "j": "JH", "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R",
    "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "Y", "z": "Z",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTime:
    """A spoken word and where it lies.

    Attributes:
        word: as it was spoken, in lower case.
        start, end: seconds from the beginning of the sound.
    """

    word: str
    start: float
    end: float


def rough_phones(word: str) -> str:
    """Phones of a word that no dictionary knows; letters in a row count once."""
    letters = [letter for letter, before in zip(word, f" {word}", strict=False) if letter != before]
    return " ".join(ROUGH_PHONES[letter] for letter in letters if letter in ROUGH_PHONES) or "AH"


class Aligner:
    """Finds words in sound; one for many pieces, as its model takes a while to load.

    Raises:
        MissingExtraError: pocketsphinx is not installed.
    """

    def __init__(self) -> None:
        sphinx: Any = require("pocketsphinx", "words")
        self.decoder = sphinx.Decoder(samprate=RATE_HZ, lm=None, loglevel="FATAL")

    def align(self, audio: Audio, text: str, offset_seconds: float = 0.0) -> list[WordTime]:
        """The words of a text in the sound that says it; none where they cannot be found.

        Args:
            audio: the sound of this text alone.
            text: as it was spoken: normalised, with numbers as words.
            offset_seconds: added to every time.
        """
        words = WORD.findall(text.lower())
        samples = audio.at(RATE_HZ).samples
        if not words or len(samples) < RATE_HZ // FRAMES_PER_SECOND:
            return []
        for word in words:
            if self.decoder.lookup_word(word) is None:
                self.decoder.add_word(word, rough_phones(word), True)
        self.decoder.set_align_text(" ".join(words))
        self.decoder.start_utt()
        whole = (np.clip(samples, -1, 1) * FULL_SCALE).round().astype(np.int16)
        self.decoder.process_raw(whole.tobytes(), full_utt=True)
        self.decoder.end_utt()
        found = []
        for segment in self.decoder.seg() or ():
            name = segment.word.partition("(")[0]
            if not name.startswith("<") and not name.startswith("["):
                start, end = segment.start_frame, segment.end_frame + 1
                found.append(
                    WordTime(
                        word=name,
                        start=round(offset_seconds + start / FRAMES_PER_SECOND, 3),
                        end=round(offset_seconds + end / FRAMES_PER_SECOND, 3),
                    )
                )
        return found if len(found) == len(words) else []


class WordLog:
    """The words of pieces that are joined one after another, at their place in the whole."""

    def __init__(self) -> None:
        self.aligner, self.words = Aligner(), []
        self.samples = 0  # of the whole before the next piece

    def add(self, audio: Audio, text: str, pause_seconds: float) -> None:
        """Take the next piece, with the pause that follows it (as ``audio.joiner`` joins)."""
        first, end = edges(audio.samples, audio.rate_hz)
        start = first if self.samples else 0
        offset = (self.samples - start) / audio.rate_hz
        self.words += self.aligner.align(audio, text, offset)
        self.samples += end - start + round(pause_seconds * audio.rate_hz)


def clock(seconds: float, mark: str) -> str:
    """Hours, minutes, seconds and thousandths, as subtitle files write them."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


def check_suffix(path: Path) -> None:
    """Refuse a file whose suffix names no form of word times.

    Raises:
        ConfigError: it does not.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"timestamps cannot be written as {path.suffix!r}; give a file ending in .json, .srt "
            "or .vtt"
        )


def subtitles(words: list[WordTime], suffix: str) -> str:
    """Word times as the text of a file.

    Args:
        words: in order.
        suffix: one of ``SUFFIXES``.
    """
    if suffix == ".json":
        rows = [{"word": w.word, "start": w.start, "end": w.end} for w in words]
        return json.dumps({"method": METHOD, "words": rows}, indent=1) + "\n"
    mark = "," if suffix == ".srt" else "."
    head = "" if suffix == ".srt" else "WEBVTT\n\n"
    cues = [
        f"{number}\n{clock(w.start, mark)} --> {clock(w.end, mark)}\n{w.word}\n"
        for number, w in enumerate(words, start=1)
    ]
    return head + "\n".join(cues)


def write_subtitles(words: list[WordTime], path: Path) -> None:
    """Write word times in the form of the file's suffix, beside and renamed.

    Raises:
        AudioError: the file cannot be written.
    """
    write_file(path, subtitles(words, path.suffix.lower()), AudioError)
