"""Blind listening tests of single clips: how natural each is, from 1 to 5, and the mean by system.

Clips of all systems come in an order that a seed chose. A few come twice, and a few are anchors:
clips drowned in noise, which nobody who listens calls as good as the rest. Listeners who answer
these at random are left out, and named.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from mamtra.audio.clip import Audio, read, write
from mamtra.evaluation.intervals import Interval
from mamtra.evaluation.line_set import Line
from mamtra.evaluation.listening_form import (
    MOST_APART,
    both_ways,
    careful_answers,
    copied,
    least_agreeing,
    shared_lines,
    some_again,
    write_form,
)

MARKS = {1: "bad", 2: "poor", 3: "fair", 4: "good", 5: "excellent"}
ANCHOR_NOISE = 1.0  # root mean square of the noise, in that of the clip
INTRODUCTION = "Listen to each clip, then say how natural it sounds: 1 bad, 5 excellent."


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One clip as it is played.

    Attributes:
        kind: ``clip``, ``repeat`` or ``anchor``.
    """

    kind: str
    system: str
    line: str


def items_of(systems: Sequence[str], lines: Sequence[str], seed: int) -> list[Item]:
    """The clips of a test in the order in which they are played."""
    draw = random.Random(seed)
    clips = [Item(kind="clip", system=name, line=line) for line in lines for name in systems]
    again, noisy = some_again(draw, clips), some_again(draw, clips)
    order = [
        *clips,
        *(Item(kind="repeat", system=one.system, line=one.line) for one in again),
        *(Item(kind="anchor", system=one.system, line=one.line) for one in noisy),
    ]
    draw.shuffle(order)
    return order


def write_anchor(source: Path, seed: int, path: Path) -> None:
    """A clip in noise as loud as itself."""
    audio = read(source)
    loudness = float(np.sqrt(np.square(audio.samples).mean()))
    noise = np.random.default_rng(seed).normal(0, ANCHOR_NOISE * loudness, len(audio.samples))
    mixed = np.clip(audio.samples + noise, -1, 1).astype(np.float32)
    write(path, Audio(samples=mixed, rate_hz=audio.rate_hz))


def write_mos_test(
    folder: Path,
    systems: Mapping[str, Mapping[str, Path]],
    lines: Sequence[Line],
    count: int,
    seed: int = 0,
) -> int:
    """Write ``page/`` to hand out and ``key.json`` to keep; the number of clips played.

    Args:
        folder: made if it does not exist.
        systems: sound files by line.
        lines: of the set.
        count: lines that are played; those that all systems have, drawn by the seed.
        seed: of lines and order.

    Raises:
        CorpusError: the systems share too few lines, or the test cannot be written.
    """
    chosen = shared_lines(systems, [line.id for line in lines], count, seed)
    texts = {line.id: line.text for line in lines}
    items = items_of(list(systems), chosen, seed)
    questions = []
    for number, item in enumerate(items):
        source, noisy = systems[item.system][item.line], item.kind == "anchor"
        name = f"{number:03d}{'.wav' if noisy else source.suffix}"
        writes = partial(write_anchor, source, seed + number) if noisy else copied(source)
        questions.append((texts[item.line], {name: writes}))
    marks = {mark: f"{mark} {word}" for mark, word in MARKS.items()}
    key = {
        "form": "mos",
        "seed": seed,
        "systems": list(systems),
        "items": [asdict(item) for item in items],
    }
    return write_form(folder, key, "How natural is it?", INTRODUCTION, questions, marks)


def careless(items: Sequence[Mapping[str, Any]], answers: Sequence[int]) -> str:
    """Why a listener's answers are left out, or nothing."""
    of_kind: dict[str, list[int]] = {"clip": [], "anchor": [], "repeat": []}
    for item, answer in zip(items, answers, strict=True):
        of_kind[item["kind"]].append(answer)
    if fmean(of_kind["anchor"]) >= fmean(of_kind["clip"]):
        return "finds clips in loud noise as natural as the others"
    first = {(i["system"], i["line"]): a for i, a in zip(items, answers, strict=True)
             if i["kind"] == "clip"}  # fmt: skip
    apart = [
        abs(answer - first[item["system"], item["line"]])
        for item, answer in zip(items, answers, strict=True)
        if item["kind"] == "repeat"
    ]
    return least_agreeing([difference <= MOST_APART for difference in apart])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """What all listeners say.

    Attributes:
        mos: of each system, 1 to 5, with an interval over listeners and lines.
        listeners: whose answers count.
        left_out: who was careless, and why.
    """

    mos: dict[str, Interval]
    listeners: int
    left_out: dict[str, str]


def ratings(key: Mapping[str, Any], answer_paths: Sequence[Path], seed: int = 0) -> Ratings:
    """The mean opinion score of every system of a test.

    Raises:
        CorpusError: a file cannot be read, or nobody's answers are left.
    """
    items = key["items"]
    kept, left_out = careful_answers(key, answer_paths, range(1, 6), careless)
    mos = {}
    for system in key["systems"]:
        places = [
            place
            for place, item in enumerate(items)
            if item["kind"] == "clip" and item["system"] == system
        ]
        mos[system] = both_ways(np.asarray(kept, float)[:, places], seed)
    return Ratings(mos=mos, listeners=len(kept), left_out=left_out)
