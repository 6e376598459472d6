"""What an evaluation does, as plain values, so that any process or machine can do a part of it.

A part is some of the lines: whoever gets it opens systems and judges by the order, speaks and
judges into the shared folder, and the one who asked makes the table of what all left there. A
clip depends on its line, its system and its run only, so the figures are the same however the
lines were cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from mamtra.checkpoints.locate import locate
from mamtra.errors import ConfigError
from mamtra.evaluation.harness import Judges, judged_lines, open_judges
from mamtra.evaluation.line_set import Line, LineSet
from mamtra.evaluation.named_sets import OWN, open_set
from mamtra.evaluation.run_folder import RunFolder
from mamtra.evaluation.systems import Recordings, SpeakingModel, System
from mamtra.synthesis.load import load
from mamtra.workers import Receipt, in_parts, shared_out

LINES_OF_PART = 8


def rooted(written: str) -> str:
    """A path, or ``KIND:PATH``, that holds in whatever folder a worker begins; a name as it is."""
    kind, sign, place = written.partition(":")
    if written not in OWN and Path(written).exists():
        return str(Path(written).absolute())
    return f"{kind}:{Path(place).absolute()}" if sign and Path(place).exists() else written


def named_models(models: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each model's name in tables, and its folder.

    Raises:
        ModelError: there is no such model.
    """
    return tuple((Path(model).name, str(locate(model).absolute())) for model in models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything that clips and opinions depend on.

    Attributes:
        line_set: name or path of the test set, as ``open_set`` takes it.
        limit: only the first lines.
        models: name in tables and folder of each.
        wavs: folders of recordings; named by them.
        voice: of the models; without it, each line's prompt.
        seed, runs: of the first run, and how many.
        one_piece: speak each line at once.
        judges: by name.
        reference: a recording of the right voice, where lines have no prompt.
    """

    line_set: str
    limit: int | None = None
    models: tuple[tuple[str, str], ...] = ()
    wavs: tuple[str, ...] = ()
    voice: str | None = None
    seed: int = 0
    runs: int = 1
    one_piece: bool = False
    judges: tuple[str, ...] = ()
    language: str = "en"
    threads: int = 1
    reference: str | None = None

    def lines(self) -> LineSet:
        """The test set."""
        return open_set(self.line_set).part(self.limit)


def names_of(order: Order) -> list[str]:
    """The systems' names, models first.

    Raises:
        ConfigError: there is none, or two have one name.
    """
    names = [name for name, _ in order.models]
    names += [Path(folder).resolve().name for folder in order.wavs]
    if not names:
        raise ConfigError("nothing to evaluate; name a model, or recordings with --wavs FOLDER")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"two systems are called {twice[0]!r}; give their folders other names")
    return names


@cache
def opened(order: Order) -> tuple[list[System], Judges]:
    """Systems and judges of this process: models and recordings, named by their folders.

    Raises:
        MamtraError: a model or a judge cannot be opened.
    """
    lines = order.lines()
    systems: list[System] = [
        SpeakingModel(load(folder), order.voice, order.seed, name, order.one_piece)
        for name, folder in order.models
    ]
    systems += [Recordings(Path(folder), lines) for folder in order.wavs]
    reference = None if order.reference is None else Path(order.reference)
    return systems, open_judges(order.judges, lines, order.language, order.threads, reference)


def judge_part(order: Order, folder: Path, name: str, lines: Sequence[Line]) -> Receipt:
    """Speak and judge some lines into the shared folder."""
    systems, judges = opened(order)
    clips = judged_lines(lines, systems, judges, RunFolder(folder, name), order.runs)
    return {"name": name, "clips": sum(1 for _ in clips)}


def judge_in_parts(
    order: Order,
    folder: Path,
    shard: tuple[int, int] = (1, 1),
    workers: int = 1,
    engine: str = "processes",
) -> Iterator[Any]:
    """Speak and judge the lines, or one of several shares of them; a receipt for each part.

    Args:
        order: what to do.
        folder: where results are kept; every worker must see it.
        shard: which share of how many, counted from 1.
        workers: processes, or tasks at once on Ray.
        engine: ``processes`` or ``ray``.
    """
    share, shares = shard
    lines = order.lines().lines[share - 1 :: shares]
    parts = in_parts(f"{share}of{shares}", lines, LINES_OF_PART)
    return shared_out(partial(judge_part, order, folder.resolve()), parts, workers, engine)
