"""Test sets by name, beside lists that lie in a file.

    everyday, unpredictable, answers   this project's held-out sentences
    length                             lines of 1 to 62 words, made of them
    libri-length:FOLDER                the same of a LibriTTS or LibriSpeech tree
    librispeech-pc:FILE                F5-TTS's list of LibriSpeech-PC test-clean, columns by tabs
    minimax:FOLDER/text/LANGUAGE.txt   MiniMax's multilingual set: ``speaker|text``
    PATH                               see ``line_set``

The stress set of the paper has LibriTTS lines of 1 to 62 words; its lines were not published.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from mamtra.audio.clip import FORMATS
from mamtra.corpus.synthetic.sentences import HELD_OUT, held_out_sentences
from mamtra.errors import ConfigError, CorpusError
from mamtra.evaluation.line_set import Line, LineSet, plain_set, read_set, written_lines

# words of a line, at most; the paper's stress set ends at 62
BINS = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 62)
LINES_OF_BIN = 2
LENGTH_SEED = 62
TRANSCRIPT = ".normalized.txt"  # LibriTTS's name of a recording's words
CHAPTER = ".trans.txt"  # of LibriSpeech: a line for each utterance of a chapter
PC_COLUMNS = 6  # ref_utt, ref_dur, ref_txt, gen_utt, gen_dur, gen_txt


def bin_of(words: int) -> int:
    """The most words of the bin that a line belongs to; longer lines are a bin of their own."""
    return next((most for most in BINS if words <= most), words)


def words_in(text: str) -> int:
    """How many words a line has."""
    return len(text.split())


def lengths_of(count: int = LINES_OF_BIN) -> list[int]:
    """Numbers of words, evenly from each bin's least to its most."""
    least, found = 1, []
    for most in BINS:
        spread = most - least
        found += [least + round(spread * n / max(1, count - 1)) for n in range(count)]
        least = most + 1
    return found


def joined(sentences: list[str], words: int, draw: random.Random) -> str:
    """A line of exactly so many words: whole sentences joined by commas, and the end of another."""
    parts, left = list[str](), words
    while left:
        told = draw.choice(sentences).rstrip(".?!").split()[-left:]
        told[0] = told[0].lower() if parts and told[0] != "I" else told[0]
        parts.append(" ".join(told))
        left -= len(told)
    whole = ", ".join(parts)
    return f"{whole[0].upper()}{whole[1:]}."


def transcripts(folder: Path) -> Iterator[tuple[str, str]]:
    """Names and texts of a LibriTTS tree, or of a LibriSpeech tree, whose capitals become small."""
    for path in sorted(folder.rglob(f"*{TRANSCRIPT}")):
        yield path.name.removesuffix(TRANSCRIPT), path.read_text(encoding="utf-8")
    for path in sorted(folder.rglob(f"*{CHAPTER}")):
        for row in path.read_text(encoding="utf-8").splitlines():
            name, _, text = row.partition(" ")
            yield name, text.lower()


def libri_length(folder: Path) -> LineSet:
    """Lines of a LibriTTS or LibriSpeech tree, as many for each bin as there are, at most two.

    Raises:
        CorpusError: there is no transcript.
    """
    bins: dict[int, list[Line]] = {}
    for name, written in transcripts(folder):
        text = " ".join(written.split())
        if text and words_in(text) <= BINS[-1]:
            bins.setdefault(bin_of(words_in(text)), []).append(Line(id=name, text=text))
    if not bins:
        raise CorpusError(
            f"{str(folder)!r} holds no *{TRANSCRIPT} and no *{CHAPTER}; give a folder of LibriTTS "
            f"or LibriSpeech such as test-clean"
        )
    draw = random.Random(LENGTH_SEED)
    chosen = [draw.sample(own, min(LINES_OF_BIN, len(own))) for _, own in sorted(bins.items())]
    lines = tuple(line for own in chosen for line in own)
    return LineSet(name=f"libri-length/{folder.name}", lines=lines)


def rows_of(path: Path, mark: str, columns: int) -> Iterator[list[str]]:
    """The cells of each line of a list.

    Raises:
        CorpusError: it cannot be read, or a line has another number of columns.
    """
    for number, row in written_lines(path):
        cells = [cell.strip() for cell in row.split(mark)]
        if len(cells) != columns:
            raise CorpusError(
                f"line {number} of {str(path)!r} has {len(cells)} columns instead of {columns}"
            )
        yield cells


def librispeech_pc(path: Path) -> LineSet:
    """F5-TTS's list; prompts lie in the folder ``test-clean`` beside it.

    Raises:
        CorpusError: the list cannot be read.
    """
    folder = path.parent / "test-clean"
    lines = [
        Line(
            id=said,
            text=text,
            prompt=folder.joinpath(*prompt.split("-")[:2], f"{prompt}.flac"),  # SPEAKER/CHAPTER/ID
            prompt_text=prompt_text,
        )
        for prompt, _, prompt_text, said, _, text in rows_of(path, "\t", PC_COLUMNS)
    ]
    return LineSet(name="librispeech-pc", lines=tuple(lines))


def minimax(path: Path) -> LineSet:
    """MiniMax's list of a language; prompts lie in ``speaker/LANGUAGE/SPEAKER`` beside ``text``.

    Raises:
        CorpusError: the list cannot be read, or a speaker has no recording.
    """
    language, prompts, lines = path.stem, dict[str, Path](), []
    for number, (speaker, text) in enumerate(rows_of(path, "|", 2), 1):
        if speaker not in prompts:
            folder = path.parent.parent / "speaker" / language / speaker
            found = [one for one in sorted(folder.glob("*")) if one.suffix.lower() in FORMATS]
            if not found:
                raise CorpusError(f"{str(folder)!r} holds no recording of the speaker {speaker!r}")
            prompts[speaker] = found[0]
        lines.append(Line(id=f"{number:04d}", text=text, prompt=prompts[speaker]))
    return LineSet(name=f"minimax/{language}", lines=tuple(lines), numbered=True)


FOUND: dict[str, Callable[[Path], LineSet]] = {
    "libri-length": libri_length,
    "librispeech-pc": librispeech_pc,
    "minimax": minimax,
}
OWN = (*HELD_OUT, "length")


def open_set(written: str) -> LineSet:
    """A test set by its name, by ``KIND:PATH``, or a list by its path.

    Raises:
        ConfigError: the kind needs a path.
        CorpusError: it cannot be read.
    """
    kind, sign, place = written.partition(":")
    if written in HELD_OUT:
        return plain_set(written, held_out_sentences(written))
    if written == "length":  # 1 to 62 words, two lines for each bin, the same every time
        draw, sentences = random.Random(LENGTH_SEED), held_out_sentences()
        return plain_set(written, [joined(sentences, words, draw) for words in lengths_of()])
    if kind in FOUND and not Path(written).exists():
        if not (sign and place):
            raise ConfigError(f"the set {kind!r} needs a place; write {kind}:PATH")
        return FOUND[kind](Path(place))
    if not Path(written).exists():
        raise CorpusError(
            f"cannot read sentences from {written!r}: there is no such file; sets by name are "
            f"{', '.join(OWN)}, and with a path {', '.join(f'{name}:' for name in FOUND)}"
        )
    return read_set(Path(written))
