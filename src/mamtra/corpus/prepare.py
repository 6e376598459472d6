"""Hear every recording once: the map from recordings to shards, in this process or in several.

Recordings are cut into parts of fixed size; a part is heard by one worker and written whole. A
killed run goes on with the parts that are missing. What cannot be used is skipped with a reason,
and never ends the run; once its file has changed, the next run hears its part again. Which workers
hear the parts, see ``mamtra/workers.py``.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mamtra.atomic import leftovers
from mamtra.audio.clip import Audio
from mamtra.corpus.plausible import unlikely_text
from mamtra.corpus.readers import Recording
from mamtra.corpus.shards import Prepared, ShardWriter, put, unchanged, write_index
from mamtra.errors import ConfigError, CorpusError, MissingExtraError
from mamtra.workers import check_engine, in_parts, shared_out

PLAN = "plan.json"

# hears a recording: speech tokens, int64, and the speaker's vector, float32
Extractor = Callable[[Audio], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """What is kept, and how the work is cut.

    Attributes:
        shortest, longest: in seconds; CosyVoice 2's speech tokenizer hears at most 30.
        quietest: a recording whose greatest sample is below it is silent; -60 dB.
        longest_silence: seconds that may be silent at a stretch.
        part: recordings in a part.
    """

    shortest: float = 0.3
    longest: float = 30.0
    quietest: float = 1e-3
    longest_silence: float = 3.0
    part: int = 500

    def __post_init__(self) -> None:
        if not 0 < self.shortest < self.longest:
            raise ConfigError("shortest must be above 0 and below longest, in seconds")
        if self.part < 1 or self.quietest < 0:
            raise ConfigError("part must be at least 1, and quietest not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """All that a worker needs; the extractor is built by the worker, once.

    Attributes:
        factory: a function of a module, which builds the extractor from ``model``.
        encoders: a name for exactly these encoders, whatever folder they lie in; else ``model``.
    """

    folder: Path
    factory: Callable[[str], Extractor]
    model: str
    config: PrepareConfig
    encoders: str = ""


@cache
def built(factory: Callable[[str], Extractor], model: str) -> Extractor:
    """The extractor of this process."""
    return factory(model)


def unusable(audio: Audio, config: PrepareConfig) -> str:
    """Why a recording cannot be used; empty if it can."""
    if not np.isfinite(audio.samples).all():
        return "its samples are not all numbers"
    if not config.shortest <= audio.seconds <= config.longest:
        return f"it lasts {audio.seconds:.2f} s, not {config.shortest:g} to {config.longest:g}"
    if float(np.abs(audio.samples).max()) < config.quietest:
        return "it is silent"
    silence = longest_silence(audio, config.quietest)
    if silence > config.longest_silence:
        return f"{silence:.1f} s in it are silent, more than {config.longest_silence:g}"
    return ""


def longest_silence(audio: Audio, quietest: float) -> float:
    """Seconds of the longest stretch whose samples all stay below a bound."""
    loud = np.flatnonzero(np.abs(audio.samples) >= quietest)
    ends = np.concatenate([[-1], loud, [len(audio.samples)]])
    return float(np.diff(ends).max() - 1) / audio.rate_hz


def hear(recording: Recording, extractor: Extractor, config: PrepareConfig) -> Prepared | str:
    """One prepared utterance, or why there is none.

    Raises:
        MissingExtraError: this worker lacks a package, which no other recording would mend.
    """
    if recording.problem or not recording.text:
        return recording.problem or "its text is empty"
    try:
        audio = recording.audio()
        if reason := unusable(audio, config) or unlikely_text(recording.text, audio.seconds):
            return reason
        tokens, vector = extractor(audio)
    except MissingExtraError:
        raise
    except Exception as problem:  # decoders and runtimes raise their own, which share no parent
        return f"{type(problem).__name__}: {problem}"
    if not len(tokens) or not bool(torch.isfinite(vector).all()):
        return "no speech tokens, or no speaker, were heard in it"
    return Prepared(
        id=recording.id,
        text=recording.text,
        speaker=recording.speaker,
        split=recording.split,
        seconds=round(audio.seconds, 4),
        tokens=tokens.long().cpu(),
        vector=vector.float().cpu(),
    )


def prepare_part(task: Task, name: str, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Hear and write one part; returns its receipt."""
    extractor = built(task.factory, task.model)
    writer, skipped = ShardWriter(task.folder, name), []
    for recording in recordings:
        heard = hear(recording, extractor, task.config)
        if isinstance(heard, str):
            skipped.append({"id": recording.id, "file": str(recording.path), "reason": heard})
        else:
            writer.add(heard)
    return writer.close(skipped)


def mended(written: Path, receipt: dict[str, Any]) -> bool:
    """Whether a recording that was skipped has changed, or appeared, since its part was written."""
    then = written.stat().st_mtime_ns
    files = [Path(item["file"]) for item in receipt["skipped"]]
    # an old file that is put in its place keeps its date of writing, but not that of its entry
    states = [file.stat() for file in files if file.is_file()]
    return any(max(state.st_mtime_ns, state.st_ctime_ns) > then for state in states)


def finished(folder: Path, name: str) -> dict[str, Any] | None:
    """The receipt of a part that is as it was written, None if it is to be made, or made again."""
    try:
        receipt = json.loads((folder / f"{name}.json").read_text())
        whole = receipt["name"] == name and unchanged(folder, receipt)
        again = whole and mended(folder / f"{name}.json", receipt)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return receipt if whole and not again else None


def check_plan(task: Task, recordings: Sequence[Recording]) -> None:
    """Write down what is being prepared, or refuse to go on with something else.

    Raises:
        CorpusError: the folder holds the work of another teacher, corpus or other options.
    """
    lines = (f"{r.id}\t{r.path}\t{r.text}\t{r.speaker}\t{r.split}\t{r.start}" for r in recordings)
    # names of files and texts of JSON may hold what UTF-8 cannot
    digest = hashlib.sha256("\n".join(lines).encode(errors="surrogatepass")).hexdigest()
    plan = {"teacher": task.encoders or task.model, "recordings": digest, **asdict(task.config)}
    path = task.folder / PLAN
    try:
        if not path.exists():
            put(path, json.dumps(plan, indent=1).encode())
        other = json.loads(path.read_text())
    except (OSError, ValueError) as problem:
        raise CorpusError(f"cannot work in {str(task.folder)!r}: {problem}") from problem
    if changed := sorted(key for key in plan if other.get(key) != plan[key]):
        raise CorpusError(
            f"{str(task.folder)!r} was begun with another {', another '.join(changed)}; "
            f"give the same as then, or another folder"
        )
    for left in leftovers(task.folder):  # of a run that was killed while it wrote
        left.unlink(missing_ok=True)


def prepare(
    task: Task, recordings: Sequence[Recording], workers: int = 1, engine: str = "processes"
) -> Iterator[dict[str, Any]]:
    """Hear all recordings; yields the receipt of each part, those of earlier runs first.

    Raises:
        CorpusError: the folder holds other work or cannot be written, or a worker was killed.
        ConfigError: the engine is unknown.
    """
    check_engine(engine)
    check_plan(task, recordings)
    names = dict(in_parts("part", recordings, task.config.part))
    receipts = {name: receipt for name in names if (receipt := finished(task.folder, name))}
    yield from list(receipts.values())
    missing = [(name, part) for name, part in names.items() if name not in receipts]
    for receipt in shared_out(partial(prepare_part, task), missing, workers, engine):
        receipts[receipt["name"]] = receipt
        yield receipt
    write_index(task.folder, [receipts[name] for name in names], task.model)
