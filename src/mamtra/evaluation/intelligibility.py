"""Is it understood? Each stage says every test sentence, and a recogniser writes down what it
hears.

One JSON line per sentence, voice and stage is kept, so a run that was killed goes on where it
stopped and every figure can be traced to the sentences behind it.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mamtra.atomic import write_json
from mamtra.audio.clip import write
from mamtra.checkpoints.format import PARTS, ModelFolder
from mamtra.checkpoints.locate import CONFIG
from mamtra.errors import CorpusError, require
from mamtra.evaluation.recogniser import EXTRA, Judge, plain_words
from mamtra.evaluation.report import Result, rates
from mamtra.evaluation.stages import SOURCE, Clip, Stage, fault

ROWS, SETTINGS, SUMMARY, SOUNDS = "rows.jsonl", "settings.json", "summary.json", "wav"
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was understood of one sentence.

    Attributes:
        sentence: its number, from 0.
        reference: its words, as ``plain_words`` gives them.
        heard: what each form of the judge wrote down.
        wrong: words to be replaced, added or left out to make it right.
        stop: why the speech LM stopped.
        fault: what makes the clip degenerate, or nothing.
        seconds: how long the clip lasts.
        nats: the speech LM's cross entropy on the source's tokens, where it was computed.
    """

    voice: str
    stage: str
    sentence: int
    reference: str
    heard: dict[str, str]
    wrong: dict[str, int]
    stop: str
    fault: str
    attempts: int
    seconds: float
    took_seconds: float
    nats: float | None = None

    @property
    def key(self) -> Key:
        """What tells a row from all others of a run."""
        return self.voice, self.stage, self.sentence

    @property
    def words(self) -> int:
        """Number of words that should have been heard."""
        return len(self.reference.split())


def wrong_words(reference: str, heard: str) -> int:
    """Words to be replaced, added or left out to make what was heard right."""
    if not heard:
        return len(reference.split())
    counts = require("jiwer", EXTRA).process_words(reference, heard)
    return counts.substitutions + counts.deletions + counts.insertions


class Results:
    """The rows of a run, kept in a folder as they come, or in memory without one.

    Args:
        folder: where to keep them.
        settings: everything that the rows depend on; a folder holds one run only.
        keep_sounds: keep the clips as WAV files too.

    Raises:
        CorpusError: the folder holds another run, or cannot be written.
    """

    def __init__(
        self, folder: Path | None, settings: dict[str, Any], keep_sounds: bool = False
    ) -> None:
        self.folder = folder
        self.keep_sounds = keep_sounds and folder is not None
        self.rows: dict[Key, Row] = {}
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self.check(folder / SETTINGS, settings)
                self.read(folder / ROWS)
            except OSError as problem:
                raise CorpusError(f"cannot keep results in {str(folder)!r}: {problem}") from problem

    def check(self, path: Path, settings: dict[str, Any]) -> None:
        """Write the settings of a new run, or compare those of the one to be continued."""
        told = json.loads(json.dumps(settings))
        if not path.exists():
            write_json(path, told, indent=2)
            return
        try:
            before = json.loads(path.read_text())
        except ValueError:
            before = {}
        other = sorted(name for name in told | before if told.get(name) != before.get(name))
        if other:
            raise CorpusError(
                f"{str(path.parent)!r} holds results of another run, with another "
                f"{', '.join(other)}; choose another folder or delete it"
            )

    def read(self, path: Path) -> None:
        """Take over the rows of a run that was stopped; a half-written last line is dropped."""
        if not path.exists():
            return
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                row = Row(**json.loads(line))
            except (ValueError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            self.rows[row.key] = row
        os.truncate(path, whole)

    def add(self, row: Row, clip: Clip) -> None:
        """Keep one row, and its sound if asked for."""
        if self.folder is not None:
            if self.keep_sounds:
                place = self.folder / SOUNDS / row.voice / row.stage
                place.mkdir(parents=True, exist_ok=True)
                write(place / f"{row.sentence:04d}.wav", clip.audio)
            with (self.folder / ROWS).open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
        self.rows[row.key] = row


def fingerprint(sentences: Sequence[str]) -> str:
    """A short name for exactly these sentences in this order."""
    return hashlib.sha256("\n".join(sentences).encode()).hexdigest()[:16]


def fingerprint_of_model(folder: ModelFolder) -> str:
    """A short name for exactly these weights and sizes."""
    files = {folder.folder / CONFIG}
    files |= {path for part in PARTS if folder.holds(part) for path in folder.part_files(part)}
    total = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def listen(clip: Clip, text: str, judges: Mapping[str, Judge], place: Key) -> Row:
    """Let every form of the judge hear one clip."""
    voice, stage, sentence = place
    reference = plain_words(text)
    heard = {form: judge.hear(clip.samples, clip.rate_hz) for form, judge in judges.items()}
    return Row(
        voice=voice,
        stage=stage,
        sentence=sentence,
        reference=reference,
        heard=heard,
        wrong={form: wrong_words(reference, words) for form, words in heard.items()},
        stop=clip.stop,
        fault=fault(clip, text),
        attempts=clip.attempts,
        seconds=round(clip.seconds, 3),
        took_seconds=round(clip.took_seconds, 4),
        nats=None if clip.nats is None else round(clip.nats, 4),
    )


def measure(
    sentences: Sequence[str],
    chains: Mapping[str, Mapping[str, Stage]],
    judges: Mapping[str, Judge],
    results: Results,
) -> Iterator[Row]:
    """Say and hear every sentence that the results do not hold yet; yields each row, old or new.

    Args:
        sentences: the test sentences.
        chains: the stages of each voice, by name.
        judges: the forms of the judge, by name.
        results: where rows are kept.

    Raises:
        CorpusError: a sentence has no words.
    """
    empty = [text for text in sentences if not plain_words(text)]
    if empty:
        raise CorpusError(f"the test sentence {empty[0]!r} has no words; delete it")
    for number, text in enumerate(sentences):
        for voice, stages in chains.items():
            for stage, make in stages.items():
                place = (voice, stage, number)
                if place not in results.rows:
                    clip = make(text)
                    results.add(listen(clip, text, judges, place), clip)
                yield results.rows[place]


def share(flags: Sequence[bool]) -> float:
    """How many are true, in percent."""
    return round(100 * sum(flags) / len(flags), 2)


def summarise_stage(rows: Sequence[Row], source: Mapping[int, Row], seed: int) -> Result:
    """The figures of one stage in one voice."""
    first, words = rows[0], [row.words for row in rows]
    nats = [row.nats for row in rows if row.nats is not None]
    took, seconds = sum(row.took_seconds for row in rows), sum(row.seconds for row in rows)
    more = None
    if first.stage != SOURCE and all(row.sentence in source for row in rows):
        pairs = [(row.wrong, source[row.sentence].wrong) for row in rows]
        more = rates(
            [{form: own[form] - other[form] for form in own} for own, other in pairs], words, seed
        )
    return {
        "voice": first.voice,
        "stage": first.stage,
        "sentences": len(rows),
        "words": sum(words),
        "wer": rates([row.wrong for row in rows], words, seed),
        "above_source": more,
        "right_percent": {
            form: share([not row.wrong[form] for row in rows]) for form in first.wrong
        },
        "degenerate_percent": share([bool(row.fault) for row in rows]),
        "faults": sorted({row.fault for row in rows if row.fault}),
        "retried_percent": share([row.attempts > 1 for row in rows]),
        "seconds": round(seconds, 2),
        "times_real_time": round(seconds / took, 2) if took else None,
        "nats": round(sum(nats) / len(nats), 4) if nats else None,
    }


def summarise(rows: Sequence[Row], seed: int = 0) -> list[Result]:
    """The figures of every voice and stage, in the order of the rows."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.voice, row.stage), []).append(row)
    return [
        summarise_stage(group, {row.sentence: row for row in groups.get((voice, SOURCE), [])}, seed)
        for (voice, _), group in groups.items()
    ]


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Keep the figures beside the rows they come from."""
    write_json(folder / SUMMARY, summary, indent=2)
