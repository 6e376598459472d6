"""A synthetic corpus on disk: shards of 16-bit audio, each beside a manifest in JSON lines.

A folder holds ``NAME.npy`` (all samples of a shard in one array, memory-mapped when read) and
``NAME.jsonl`` (one line an utterance, saying where its samples lie). A shard exists when its
``.jsonl`` does; it is written last and by renaming.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mamtra.atomic import write_file, written_beside
from mamtra.errors import CorpusError

SPLITS = ("train", "validation", "test")


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


class Corpus:
    """A corpus folder opened for reading.

    Args:
        folder: where the shards lie.

    Raises:
        CorpusError: the folder holds no complete shard.
    """

    rate_hz = 16_000

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waves: dict[str, np.ndarray] = {}
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

    def audio(self, utterance: Utterance) -> np.ndarray:
        """One utterance's samples as float32 in [-1, 1] at 16 kHz."""
        if utterance.shard not in self.waves:
            self.waves[utterance.shard] = np.load(
                self.folder / f"{utterance.shard}.npy", mmap_mode="r"
            )
        piece = self.waves[utterance.shard][utterance.offset : utterance.offset + utterance.samples]
        return piece.astype(np.float32) / 32768


def write_shard(
    folder: Path, name: str, samples: list[np.ndarray], utterances: Iterable[Utterance]
) -> None:
    """Write one shard, audio first, so that a manifest never names audio that is not there."""
    audio, manifest = folder / f"{name}.npy", folder / f"{name}.jsonl"
    with written_beside(audio, CorpusError) as beside, beside.open("wb") as file:
        np.save(file, np.concatenate(samples))
    text = "".join(json.dumps(asdict(utterance)) + "\n" for utterance in utterances)
    write_file(manifest, text, CorpusError)
