"""Where recordings and their texts lie: LibriTTS, LJSpeech, JSON lines and our synthetic corpus.

Each reader gives the recordings of a folder in a fixed order, without opening any sound.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mamtra.audio.clip import Audio
from mamtra.audio.whole_file import read_whole
from mamtra.corpus.synthetic.manifest import SPLITS, Corpus
from mamtra.errors import CorpusError

# how the names of LibriTTS's subsets begin -> our splits
LIBRITTS_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
LIBRITTS_FORM = (
    "SUBSET/SPEAKER/CHAPTER/ID.wav, as train-clean-100/103/1241/103_1241_000000_000001.wav; "
    "give the folder in which the subsets lie"
)
# a hundredth of LJSpeech each; it has no splits of its own
LJ_HELD_OUT = {0: "validation", 1: "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording and what is said in it.

    Attributes:
        path: a sound file, or an array of 16-bit samples of the synthetic corpus.
        start, samples, rate_hz: the piece of such an array, and its samples a second.
        problem: why it cannot be used, where the reader knows already.
    """

    id: str
    text: str
    speaker: str
    split: str
    path: Path
    start: int = 0
    samples: int = 0
    rate_hz: int = 0
    problem: str = ""

    def audio(self) -> Audio:
        """The sound.

        Raises:
            AudioError: it cannot be read, or not whole.
            OSError, ValueError: an array of the synthetic corpus cannot be read.
        """
        if self.path.suffix != ".npy":
            return read_whole(self.path)
        piece = np.load(self.path, mmap_mode="r")[self.start : self.start + self.samples]
        return Audio(samples=piece.astype(np.float32) / 32768, rate_hz=self.rate_hz)


def written_text(path: Path) -> tuple[str, str]:
    """The text beside a LibriTTS recording, and why there is none.

    ``ID.normalized.txt``, where numbers and abbreviations are words already, as they are spoken;
    the book's own ``ID.original.txt`` where the former is missing.
    """
    for kind in ("normalized", "original"):
        file = path.with_name(f"{path.stem}.{kind}.txt")
        if file.is_file():
            try:
                return file.read_text(encoding="utf-8").strip(), ""
            except (OSError, UnicodeDecodeError) as problem:
                return "", f"its text cannot be read: {problem}"
    return "", "it has no text file"


def libritts(folder: Path) -> list[Recording]:
    """``SUBSET/SPEAKER/CHAPTER/ID.wav`` with ``ID.normalized.txt`` or ``ID.original.txt``.

    585 hours at 24 kHz, cut at the ends of sentences (Zen et al. 2019, arXiv:1904.02882). Subsets
    that begin with ``train``, ``dev`` and ``test`` are train, validation and test.

    Raises:
        CorpusError: the folder holds no recording in such a subset.
    """
    found = []
    for path in sorted(folder.glob("*/*/*/*.wav")):
        subset, speaker = path.parts[-4], path.parts[-3]
        if split := LIBRITTS_SPLITS.get(subset.partition("-")[0]):
            text, problem = written_text(path)
            found.append(
                Recording(
                    id=path.stem,
                    text=text,
                    speaker=speaker,
                    split=split,
                    path=path,
                    problem=problem,
                )
            )
    return some(found, folder, LIBRITTS_FORM)


def ljspeech(folder: Path) -> list[Recording]:
    """``metadata.csv`` with lines ``ID|text|normalised text``, and ``wavs/ID.wav``.

    Of every hundred recordings one becomes validation and one test.

    Raises:
        CorpusError: there is no such file, or it holds nothing.
    """
    found = []
    for number, line in enumerate(lines_of(folder / "metadata.csv")):
        name, *texts = line.split("|")
        text = (texts or [""])[-1].strip() or (texts or [""])[0].strip()
        split = LJ_HELD_OUT.get(number % 100, "train")
        path = folder / "wavs" / f"{name}.wav"
        found.append(Recording(id=name, text=text, speaker="lj", split=split, path=path))
    return some(found, folder, "metadata.csv and wavs/ID.wav")


def json_lines(file: Path) -> list[Recording]:
    """Lines ``{"audio": ..., "text": ..., "speaker": ..., "split": ...}``; the last two may lack.

    Paths are relative to the file; without a speaker each line is one of its own. ``null`` is as if
    left out.

    Raises:
        CorpusError: a line is not of that form, or there is none.
    """
    found = []
    for number, line in enumerate(lines_of(file), start=1):
        try:
            item = json.loads(line)
            audio, text, split = item["audio"], item["text"], item.get("split") or "train"
            known = isinstance(audio, str) and isinstance(text, str) and split in SPLITS
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise CorpusError(not_of_the_form(file, number)) from problem
        if not known:
            raise CorpusError(not_of_the_form(file, number))
        name, speaker = f"{number:07d}-{Path(audio).stem}", item.get("speaker")
        found.append(
            Recording(
                id=name,
                text=text.strip(),
                speaker=name if speaker is None else str(speaker),
                split=split,
                path=file.parent / audio,
            )
        )
    return some(found, file, "a JSON object a line")


def not_of_the_form(file: Path, number: int) -> str:
    """What is told of a line that cannot be read."""
    return (
        f"line {number} of {str(file)!r} is not of the form "
        '{"audio": "a.wav", "text": "...", "speaker": "...", "split": "train"}; '
        f"splits: {', '.join(SPLITS)}"
    )


def synthetic(folder: Path) -> list[Recording]:
    """What ``mamtra corpus synthesize`` spoke.

    Raises:
        CorpusError: the folder holds none of it.
    """
    corpus = Corpus.open(folder)
    found = [
        Recording(
            id=spoken.id,
            text=spoken.text,
            speaker=spoken.voice,
            split=spoken.split,
            path=folder / f"{spoken.shard}.npy",
            start=spoken.offset,
            samples=spoken.samples,
            rate_hz=corpus.rate_hz,
        )
        for spoken in corpus.utterances
    ]
    return without_repetitions(found)


def lines_of(file: Path) -> list[str]:
    """Lines that are not empty.

    Raises:
        CorpusError: the file cannot be read as text.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise CorpusError(f"cannot read {str(file)!r}: {problem.strerror or problem}") from problem
    except UnicodeDecodeError as problem:
        raise CorpusError(f"cannot read {str(file)!r}: {problem}") from problem
    return [line for line in text.split("\n") if line.strip()]


def without_repetitions(found: list[Recording]) -> list[Recording]:
    """Mark what is there a second time, by its id or its file, so that no split shares it.

    One without a text cannot be used and takes the place of none.
    """
    seen: dict[tuple[str, ...], Recording] = {}
    marked = []
    for recording in found:
        if recording.problem or not recording.text:
            marked.append(recording)
            continue
        names = ("id", recording.id), ("file", str(recording.path), str(recording.start))
        first = next((seen[name] for name in names if name in seen), None)
        for name in names:
            seen.setdefault(name, recording)
        if first is not None:
            reason = f"it is there twice; the first, in the split {first.split}, counts"
            recording = replace(recording, problem=reason)  # noqa: PLW2901
        marked.append(recording)
    return marked


def some(found: list[Recording], place: Path, form: str) -> list[Recording]:
    """Refuse a place that holds nothing.

    Raises:
        CorpusError: it does.
    """
    if not place.exists():
        raise CorpusError(f"there is no {str(place)!r}; give what holds {form}")
    if not found:
        raise CorpusError(f"no recordings in {str(place)!r}; it must hold {form}")
    return without_repetitions(found)


READERS: dict[str, Callable[[Path], list[Recording]]] = {
    "libritts": libritts,
    "ljspeech": ljspeech,
    "manifest": json_lines,
    "corpus": synthetic,
}
