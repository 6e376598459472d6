"""Where recordings and their texts lie: LibriTTS, LJSpeech, JSON lines and our synthetic corpus.

Each reader gives the recordings of a folder in a fixed order, without opening any sound.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mamtra.audio import Audio, read
from mamtra.corpus.manifest import SPLITS, Corpus
from mamtra.errors import CorpusError

# how the names of LibriTTS's subsets begin -> our splits
LIBRITTS_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
# a hundredth of LJSpeech each; it has no splits of its own
LJ_HELD_OUT = {0: "validation", 1: "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording and what is said in it.

    Attributes:
        path: a sound file, or an array of 16-bit samples of the synthetic corpus.
        start, samples: the piece of such an array.
        problem: why it cannot be used, where the reader knows already.
    """

    id: str
    text: str
    speaker: str
    split: str
    path: Path
    start: int = 0
    samples: int = 0
    problem: str = ""

    def audio(self) -> Audio:
        """The sound.

        Raises:
            AudioError: it cannot be read.
            OSError, ValueError: an array of the synthetic corpus cannot be read.
        """
        if self.path.suffix != ".npy":
            return read(self.path)
        piece = np.load(self.path, mmap_mode="r")[self.start : self.start + self.samples]
        return Audio(samples=piece.astype(np.float32) / 32768, rate_hz=Corpus.rate_hz)


def written_text(path: Path) -> tuple[str, str]:
    """The text beside a LibriTTS recording, and why there is none.

    The normalised text is preferred to the original.
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

    Subsets that begin with ``train``, ``dev`` and ``test`` are train, validation and test.

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
    return some(found, folder, "SUBSET/SPEAKER/CHAPTER/ID.wav, such as train-clean-100/...")


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

    Paths are relative to the file; without a speaker each line is one of its own.

    Raises:
        CorpusError: a line is not of that form, or there is none.
    """
    found = []
    for number, line in enumerate(lines_of(file), start=1):
        try:
            item = json.loads(line)
            texts = [item["audio"], item["text"]]
        except (ValueError, KeyError, TypeError) as broken:
            texts, item = [None], {}
            problem: Exception | None = broken
        else:
            problem = None
        split = item.get("split", "train")
        if problem or not all(isinstance(text, str) for text in texts) or split not in SPLITS:
            raise CorpusError(
                f"line {number} of {str(file)!r} is not of the form "
                '{"audio": "a.wav", "text": "...", "speaker": "...", "split": "train"}; '
                f"splits: {', '.join(SPLITS)}"
            ) from problem
        name = f"{number:07d}-{Path(texts[0]).stem}"
        found.append(
            Recording(
                id=name,
                text=texts[1].strip(),
                speaker=str(item.get("speaker", name)),
                split=split,
                path=file.parent / texts[0],
            )
        )
    return some(found, file, "a JSON object a line")


def synthetic(folder: Path) -> list[Recording]:
    """What ``mamtra corpus synthesize`` spoke.

    Raises:
        CorpusError: the folder holds none of it.
    """
    return [
        Recording(
            id=spoken.id,
            text=spoken.text,
            speaker=spoken.voice,
            split=spoken.split,
            path=folder / f"{spoken.shard}.npy",
            start=spoken.offset,
            samples=spoken.samples,
        )
        for spoken in Corpus.open(folder).utterances
    ]


def lines_of(file: Path) -> list[str]:
    """Lines that are not empty.

    Raises:
        CorpusError: the file cannot be read as text.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise CorpusError(f"cannot read {str(file)!r}: {problem}") from problem
    return [line for line in text.split("\n") if line.strip()]


def some(found: list[Recording], place: Path, form: str) -> list[Recording]:
    """Refuse a place that holds nothing.

    Raises:
        CorpusError: it does.
    """
    if not found:
        raise CorpusError(f"no recordings in {str(place)!r}; it must hold {form}")
    return found


READERS: dict[str, Callable[[Path], list[Recording]]] = {
    "libritts": libritts,
    "ljspeech": ljspeech,
    "manifest": json_lines,
    "corpus": synthetic,
}
