"""``mamtra say --batch``: many texts from a file of JSON lines into a folder of sound files.

Each line has ``text`` and may have ``voice``, ``seed``, and ``id`` (the file is ``<id>.wav``) or
``out`` (the file's whole name). What became of a line stands in the folder's ``manifest.jsonl``,
written after the sound itself: a batch that was killed goes on where it stopped, and a line that
cannot be spoken is an error there and not the end of the others. Several processes, a Ray cluster
or several machines may share the lines; a line sounds the same wherever it is spoken.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mamtra.checkpoints.locate import locate
from mamtra.checkpoints.speaking_digest import speaking_digest
from mamtra.cli.batch_lines import Account, Batch, Line, Manifest, Row, failed_row, read_lines
from mamtra.cli.progress import tracked
from mamtra.cli.signals import INTERRUPTED
from mamtra.errors import GenerationError, MamtraError
from mamtra.synthesis.options import SpeakOptions
from mamtra.workers import Receipt, check_engine, in_parts, shard_of, shared_out

if TYPE_CHECKING:
    from mamtra.synthesis.synthesizer import Synthesizer

LINES_OF_PART = 16  # of what is shared out; a part that was lost is spoken again


def speak(synthesizer: "Synthesizer", lines: Sequence[Line], order: "PartOrder") -> Iterator[Row]:
    """Speak lines into a folder; yields the manifest's row of each as it is finished."""
    texts = ((line.text, line.options) for line in lines)
    for number, result in synthesizer.say_batch(texts, rows=order.rows):
        line = lines[number]
        try:
            if isinstance(result, MamtraError):
                raise result
            result.save(order.folder / line.path, mark=order.mark)
        except MamtraError as problem:
            yield failed_row(line.number, line.id, problem)
        else:
            yield {
                "line": line.number,
                "id": line.id,
                "path": line.path,
                "text": line.text,
                "voice": line.options.voice,
                "seed": line.options.seed,
                "seconds": round(result.seconds, 3),
                "speech_tokens": len(result.speech_tokens),
                "stop_reason": result.stop_reason,
                "notes": result.notes,
                "coverage": result.coverage,
                "misread": round(result.misread, 3),
                "fingerprint": line.fingerprint(order.model),
                "weights": order.weights,
                "error": None,
            }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """How the lines of a batch are shared out.

    Attributes:
        share, shares: this is the ``share``-th of so many, counted from 1.
        workers: processes, or tasks at once on Ray.
        over: ``processes`` or ``ray``.
    """

    share: int = 1
    shares: int = 1
    workers: int = 1
    over: str = "processes"

    @classmethod
    def of(cls, shard: str | None, workers: int, over: str) -> "Sharing":
        """As the command line gives it.

        Raises:
            ConfigError: the shard has another form, or nobody knows the engine.
        """
        check_engine(over)
        share, shares = shard_of(shard)
        return cls(share=share, shares=shares, workers=workers, over=over)

    @property
    def alone(self) -> bool:
        """Whether this process speaks by itself."""
        return self.workers == 1 and self.over == "processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOrder:
    """What a worker needs besides the lines.

    Attributes:
        weights: digest of the model.
        run: how ``load`` runs the model.
        folder: of the sound files.
        rows: pieces spoken at once.
        mark: whether files say that their speech is artificial.
    """

    model: str
    weights: str
    run: tuple[tuple[str, Any], ...]
    folder: Path
    rows: int
    mark: bool


LOADED: dict[PartOrder, "Synthesizer"] = {}  # of this worker


def speak_part(order: PartOrder, name: str, lines: Sequence[Line]) -> Receipt:
    """Speak a part of the lines; the receipt holds the manifest's rows."""
    if order not in LOADED:
        LOADED[order] = load_model(order.model, dict(order.run))
    return {"name": name, "rows": list(speak(LOADED[order], lines, order))}


def talk(account: Account, path: Path, seconds: float) -> None:
    """Say in one line what was done, on standard error."""
    line = (
        f"{path}: {account.spoken} lines spoken ({account.seconds:.1f} s of speech in "
        f"{seconds:.1f} s), {account.skipped} finished before, {account.failed} failed"
    )
    if account.interrupted:
        line += "; the same command goes on with the rest"
    print(line, file=sys.stderr)


def load_model(model: str, run: dict) -> "Synthesizer":
    """A model, on the device and by the engine that were asked for."""
    # the engine loads here: not for --help, and not when there is nothing to do
    from mamtra.synthesis.load import load

    return load(model, **run)


def rows_of(
    batch: Batch,
    order: PartOrder,
    sharing: Sharing,
    open_model: "Callable[[str, dict], Synthesizer]",
) -> Iterator[Row]:
    """The manifest's row of each line, spoken by this process or by workers.

    Raises:
        VoiceError: the voice of lines without their own is unknown.
        CorpusError: a worker was lost.
    """
    if sharing.alone:
        synthesizer = open_model(order.model, dict(order.run))
        synthesizer.voice(batch.defaults.voice)
        yield from speak(synthesizer, batch.todo, order)
        return
    parts = in_parts("part", batch.todo, LINES_OF_PART)
    work = partial(speak_part, order)
    for receipt in shared_out(work, parts, sharing.workers, sharing.over):
        yield from receipt["rows"]


def say_lines(
    source: str,
    folder: Path,
    model: str,
    defaults: SpeakOptions,
    rows: int,
    run: dict,
    *,
    as_json: bool,
    quiet: bool,
    mark: bool = True,
    open_model: "Callable[[str, dict], Synthesizer]" = load_model,
    sharing: Sharing = Sharing(),
) -> None:
    """Speak every line that was not spoken yet; ends as ``docs/commands.md`` says.

    Args:
        source: the file of lines, or ``-``.
        folder: of the sound files and the manifest.
        model: its name or folder.
        defaults: what holds for every line.
        rows: how many pieces are spoken at once.
        run: device, type, engine and threads, as ``load`` takes them.
        as_json: print the account as one line.
        quiet: nothing but errors.
        mark: whether files say that their speech is artificial.
        open_model: loads the model; not asked if nothing is to be done.
        sharing: who speaks which lines.

    Raises:
        CorpusError: the file cannot be read.
        ModelError: there is no such model.
        AudioError: nothing can be written into the folder.
        VoiceError: the voice of lines without their own is unknown.
        GenerationError: a line failed; all others were spoken.
    """
    started = time.perf_counter()
    part = f"{sharing.share}of{sharing.shares}" if sharing.shares > 1 else ""
    lines = read_lines(source)[sharing.share - 1 :: sharing.shares]
    weights = speaking_digest(locate(model))
    batch = Batch(lines, Manifest(folder, part), model, defaults, mark, weights)
    account, path = batch.account, batch.manifest.path
    try:
        if batch.todo:
            order = PartOrder(
                model=model,
                weights=weights,
                run=tuple(run.items()),
                folder=folder.resolve(),
                rows=rows,
                mark=mark,
            )
            spoken = rows_of(batch, order, sharing, open_model)
            for row in tracked(spoken, len(batch.todo), "speaking", quiet=quiet):
                batch.note(row)
    except KeyboardInterrupt:
        account.interrupted = True
    seconds = time.perf_counter() - started
    if as_json:
        told = {"manifest": str(path), "spoken_in_seconds": round(seconds, 3), **asdict(account)}
        print(json.dumps(told))
    elif not quiet:
        talk(account, path, seconds)
    if account.interrupted:
        raise typer.Exit(INTERRUPTED)
    if account.failed:
        raise GenerationError(
            f"{account.failed} of {account.lines} lines failed, the first because: "
            f"{account.first_problem}; {str(path)!r} tells why"
        )
    if account.doubtful:
        raise GenerationError(
            f"all is written, but the speech of {account.doubtful} of {account.lines} lines did "
            f"not end by itself: words may be wrong; their stop_reason is in {str(path)!r}"
        )
