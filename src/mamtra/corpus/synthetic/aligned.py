"""From symbols and their durations, as Kokoro and hibari give them, to phones and their times.

Both write English in misaki's alphabet, one character a sound, with marks for stress, and say how
many units of 25 ms each character lasts. Their sound runs ahead of these times by about 50 ms
(measured on the onsets of words), which is taken off here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mamtra.corpus.synthetic.spoken import (
    FLAP,
    LEAD_SECONDS,
    PAUSE,
    TAIL_SECONDS,
    Spoken,
    loud_part,
)

RATE_HZ = 24_000
UNIT = 600  # samples that a duration of 1 stands for
AHEAD = 1200  # samples by which the sound runs ahead of its times
GRAIN = 960  # a clip is a whole number of speech tokens (40 ms) long
FRAME = 480  # samples of one value of pitch
SHORT_BREAK = {" ": 4}  # units; a blank no longer than this is no pause
SHORT_MARK = 2  # the same for a mark
STRESS = "ˈˌ"
VOWELS = {
    "A": "ey", "I": "ay", "O": "ow", "Q": "ow", "W": "aw", "Y": "oy", "æ": "ae", "a": "ae",
    "ɑ": "aa", "ɒ": "aa", "ə": "ax", "ᵊ": "ax", "ɐ": "ax", "ɛ": "eh", "e": "eh", "ɜ": "er",
    "ɪ": "ih", "ᵻ": "ih", "i": "iy", "u": "uw", "ʊ": "uh", "ɔ": "ao", "o": "ow", "ʌ": "ah",
}  # fmt: skip
CONSONANTS = {
    "b": "b", "d": "d", "f": "f", "h": "hh", "j": "y", "k": "k", "l": "l", "m": "m", "n": "n",
    "p": "p", "s": "s", "t": "t", "v": "v", "w": "w", "z": "z", "ɡ": "g", "ŋ": "ng", "ɹ": "r",
    "ʃ": "sh", "ʒ": "zh", "ð": "dh", "θ": "th", "ʧ": "ch", "ʤ": "jh", "T": FLAP, "ɾ": FLAP,
    "ʔ": "t",
}  # fmt: skip
SOUNDS = {**VOWELS, **CONSONANTS}


@dataclass(slots=True)
class Phone:
    """A phone and the units of time that it takes."""

    name: str
    start: int
    end: int


def phones_of(symbols: str, durations: Sequence[int]) -> list[Phone]:
    """Phones and pauses with their times in units; what is neither leaves a gap.

    Args:
        symbols: the characters that were spoken, with one more, of any kind, at both ends for the
            silence there.
        durations: of each of them.
    """
    found: list[Phone] = []
    place, begun = 0, None  # begun: where a mark of stress stood, which goes to the next phone
    for number, (symbol, length) in enumerate(zip(symbols, durations, strict=True)):
        start, place = place, place + length
        if symbol in STRESS and 0 < number < len(symbols) - 1:
            begun = start if begun is None else begun
            continue
        name = SOUNDS.get(symbol) if 0 < number < len(symbols) - 1 else None
        start, begun = start if begun is None or name is None else begun, None
        follows = symbols[number + 1] if number + 1 < len(symbols) else ""
        if name == "r" and found and found[-1].end == start:
            before = symbols[number - 1]
            if before == "ɜ" or (before == "ə" and follows not in {*VOWELS, *STRESS}):
                found[-1] = Phone("er", found[-1].start, place)
                continue
        if name is not None:
            found.append(Phone(name, start, place))
        elif length > SHORT_BREAK.get(symbol, SHORT_MARK):
            found.append(Phone(PAUSE, start, place))
    return found


def words_of_symbols(text: str, symbols: str) -> list[tuple[str, list[str]]]:
    """Each written word with its phones, if text and symbols have the same number of words."""
    written, spoken = text.split(), symbols.split()
    if len(written) != len(spoken):
        return []
    names = (
        [phone.name for phone in phones_of(f"_{word}_", [0, *[1] * len(word), 0])]
        for word in spoken
    )
    plain = ([{FLAP: "t"}.get(name, name) for name in word] for word in names)
    return list(zip(written, plain, strict=True))


def in_samples(
    phones: list[Phone], cut: int, loud: tuple[int, int], length: int
) -> Iterator[tuple[str, int, int]]:
    """Phones with their places in a clip that was cut out of the spoken sentence."""
    real = [number for number, phone in enumerate(phones) if phone.name != PAUSE]
    for number, phone in enumerate(phones):
        start, end = (max(0, unit * UNIT - AHEAD) for unit in (phone.start, phone.end))
        if number == real[0]:
            start = min(start, loud[0])
        if number == real[-1]:
            end = max(start, min(end, loud[1]))
        if number < real[0]:
            end = min(end, loud[0])
        if number > real[-1]:
            start, end = loud[1], cut + length
        yield phone.name, min(max(start - cut, 0), length), min(max(end - cut, 0), length)


def spoken(
    text: str,
    symbols: str,
    durations: Sequence[int],
    samples: np.ndarray,
    pitch: np.ndarray | None = None,
) -> Spoken | None:
    """Cut the silence at both ends and place the phones; None if nothing is to be heard.

    Args:
        text: what was spoken.
        symbols: what was spoken, in misaki's alphabet, without the silence at both ends.
        durations: of the silence before, of each symbol, and of the silence after.
        samples: float32 at ``RATE_HZ``.
        pitch: of the whole sentence, with a value for any number of samples.
    """
    phones = phones_of(f"_{symbols}_", durations)
    loud = loud_part(samples)
    if all(phone.name == PAUSE for phone in phones) or loud[1] == 0:
        return None
    cut = max(0, loud[0] - round(LEAD_SECONDS * RATE_HZ))
    length = loud[1] + round(TAIL_SECONDS * RATE_HZ) - cut
    length = -(-length // GRAIN) * GRAIN
    piece = np.zeros(length, np.float32)
    kept = samples[cut : cut + length]
    piece[: len(kept)] = kept
    places = list(in_samples(phones, cut, loud, length))
    heard = None
    if pitch is not None:
        middles = cut + (np.arange(length // FRAME) + 0.5) * FRAME
        step = len(samples) / len(pitch)
        nearest = np.clip((middles / step).astype(int), 0, len(pitch) - 1)
        heard = np.where(middles < len(samples), pitch[nearest], 0.0)
    return Spoken(
        samples=(np.clip(piece, -1, 1) * 32767).astype(np.int16),
        words=words_of_symbols(text, symbols),
        phones=[name for name, _, _ in places],
        rate_hz=RATE_HZ,
        starts=[start for _, start, _ in places],
        ends=[end for _, _, end in places],
        pitch=heard,
    )
