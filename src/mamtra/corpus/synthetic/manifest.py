"""A synthetic corpus on disk: shards of 16-bit audio, each beside a manifest in JSON lines.

A folder holds ``NAME.npy`` (all samples of a shard in one array, memory-mapped when read),
``NAME.pitch.npy`` where the source tells the pitch (a value for each 20 ms), and ``NAME.jsonl``
(one line an utterance, saying where its samples lie). A shard exists when its ``.jsonl`` does; it
is written last and by renaming. ``corpus.json`` tells the rate (16 kHz where there is none) and
which synthesiser each voice is.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mamtra.atomic import write_file, written_beside
from mamtra.errors import CorpusError

SPLITS = ("train", "validation", "test")
CORPUS_FILE = "corpus.json"
PITCH_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One spoken sentence of a corpus.

    Attributes:
        id: unique name, ``voice-number``.
        text: the sentence as it was spoken.
        split: ``train``, ``validation`` or ``test``.
        shard: the audio file that holds it, without suffix.
        offset, samples: where its audio lies in the shard.
        words: each written word with its phones.
        phones: all phones with pauses, joined by blanks.
        starts, ends: the samples between which each phone lies; empty where the source did not
            tell.
    """

    id: str
    text: str
    voice: str
    split: str
    shard: str
    offset: int
    samples: int
    words: list[list[str]]
    phones: str
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


class Corpus:
    """A corpus folder opened for reading.

    Args:
        folder: where the shards lie.

    Raises:
        CorpusError: the folder holds no complete shard.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waves: dict[str, np.ndarray] = {}
        described = folder / CORPUS_FILE
        description = json.loads(described.read_text()) if described.exists() else {}
        self.rate_hz: int = description.get("rate_hz", 16_000)
        self.sources: dict[str, dict[str, str]] = description.get("voices", {})
        if not any(folder.glob("*.jsonl")):
            raise CorpusError(
                f"no corpus in {str(folder)!r}; make one with: mamtra corpus synthesize -o {folder}"
            )

    @classmethod
    def open(cls, folder: Path | str) -> "Corpus":
        """Open a corpus folder."""
        return cls(Path(folder))

    @cached_property
    def utterances(self) -> list[Utterance]:
        """Every utterance, in the order of the shards' names."""
        return [
            Utterance(**json.loads(line))
            for path in sorted(self.folder.glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]

    @cached_property
    def voices(self) -> tuple[str, ...]:
        """The voices that speak in the corpus, by name."""
        return tuple(sorted({utterance.voice for utterance in self.utterances}))

    def choose(self, split: str, voice: str | None = None) -> list[Utterance]:
        """The utterances of one split, of one voice or of all."""
        if split not in SPLITS:
            raise CorpusError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
        return [
            utterance
            for utterance in self.utterances
            if utterance.split == split and voice in (None, utterance.voice)
        ]

    def opened(self, name: str) -> np.ndarray:
        """One array of the folder, memory-mapped."""
        if name not in self.waves:
            self.waves[name] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return self.waves[name]

    def audio(self, utterance: Utterance) -> np.ndarray:
        """One utterance's samples as float32 in [-1, 1] at the corpus's rate."""
        whole = self.opened(utterance.shard)
        piece = whole[utterance.offset : utterance.offset + utterance.samples]
        return piece.astype(np.float32) / 32768

    def pitch(self, utterance: Utterance) -> np.ndarray | None:
        """Pitch in hertz for each 20 ms, 0 where unvoiced; None if the source did not tell."""
        if not (self.folder / f"{utterance.shard}.pitch.npy").exists():
            return None
        hop = round(PITCH_SECONDS * self.rate_hz)
        start, frames = utterance.offset // hop, utterance.samples // hop
        return self.opened(f"{utterance.shard}.pitch")[start : start + frames].astype(np.float32)


def put_array(path: Path, array: np.ndarray) -> None:
    """Write an array beside its place and rename it."""
    with written_beside(path, CorpusError) as beside, beside.open("wb") as file:
        np.save(file, array)


def write_shard(
    folder: Path,
    name: str,
    samples: list[np.ndarray],
    utterances: Iterable[Utterance],
    pitches: list[np.ndarray] | None = None,
) -> None:
    """Write one shard, audio first, so that a manifest never names audio that is not there."""
    put_array(folder / f"{name}.npy", np.concatenate([np.zeros(0, np.int16), *samples]))
    if pitches:
        put_array(folder / f"{name}.pitch.npy", np.concatenate(pitches).astype(np.float16))
    text = "".join(json.dumps(asdict(utterance)) + "\n" for utterance in utterances)
    write_file(folder / f"{name}.jsonl", text, CorpusError)
