"""Blind listening tests: two systems side by side, and what the answers say.

The page plays pairs in an order and on sides that a seed chose, and asks how much better the second
is, from -3 (much worse) to 3. A few pairs come twice with sides swapped, and a few have one clip on
both sides: listeners who contradict themselves or hear differences there are left out, and named.
Which side is which stays in a file beside the page, so that nobody can look it up there.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

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

SCALE = 3  # answers go from -3 to 3
MOST_ON_SAME = 1.0  # mean of a listener's absolute answers where both sides are one clip
INTRODUCTION = (
    "Listen to both, then say how the second compares with the first: -3 much worse, 0 the same, "
    "+3 much better."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One pair as it is played.

    Attributes:
        kind: ``pair``, ``repeat`` (a pair again, sides swapped) or ``same`` (one clip twice).
        left, right: names of the systems on the sides.
        line: id of the line.
    """

    kind: str
    left: str
    right: str
    line: str


def items_of(first: str, second: str, lines: Sequence[str], seed: int) -> list[Item]:
    """The pairs of a test in the order in which they are played."""
    draw = random.Random(seed)
    pairs = []
    for line in lines:
        left, right = draw.sample([first, second], 2)
        pairs.append(Item(kind="pair", left=left, right=right, line=line))
    again, same = some_again(draw, pairs), some_again(draw, pairs)
    order = [
        *pairs,
        *(Item(kind="repeat", left=one.right, right=one.left, line=one.line) for one in again),
        *(Item(kind="same", left=one.left, right=one.left, line=one.line) for one in same),
    ]
    draw.shuffle(order)
    return order


def write_test(
    folder: Path,
    systems: Mapping[str, Mapping[str, Path]],
    lines: Sequence[Line],
    count: int,
    seed: int = 0,
) -> int:
    """Write ``page/`` to hand out and ``key.json`` to keep; the number of pairs played.

    Args:
        folder: made if it does not exist.
        systems: sound files by line, of exactly two systems.
        lines: of the set.
        count: lines that are compared; those that both systems have, drawn by the seed.
        seed: of lines, order and sides.

    Raises:
        CorpusError: the systems share too few lines, or the test cannot be written.
    """
    first, second = systems
    texts = {line.id: line.text for line in lines}
    items = items_of(first, second, shared_lines(systems, list(texts), count, seed), seed)
    questions = []
    for number, item in enumerate(items):
        sources = (systems[side][item.line] for side in (item.left, item.right))
        sides = zip("ab", sources, strict=True)
        sounds = {f"{number:03d}{letter}{file.suffix}": copied(file) for letter, file in sides}
        questions.append((texts[item.line], sounds))
    key = {
        "form": "ab",
        "seed": seed,
        "systems": [first, second],
        "items": [asdict(item) for item in items],
    }
    marks = {mark: f"{mark:+d}" for mark in range(-SCALE, SCALE + 1)}
    return write_form(folder, key, "Which sounds better?", INTRODUCTION, questions, marks)


def careless(items: Sequence[Mapping[str, Any]], answers: Sequence[int]) -> str:
    """Why a listener's answers are left out, or nothing."""
    same = [abs(a) for item, a in zip(items, answers, strict=True) if item["kind"] == "same"]
    if fmean(same) > MOST_ON_SAME:
        return "hears differences between a clip and itself"
    pairs = {i["line"]: a for i, a in zip(items, answers, strict=True) if i["kind"] == "pair"}
    agree = [
        abs(answer + pairs[item["line"]]) <= MOST_APART  # sides are swapped
        for item, answer in zip(items, answers, strict=True)
        if item["kind"] == "repeat"
    ]
    return least_agreeing(agree)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What all listeners say.

    Attributes:
        better: the system that scores are for; above 0 it is preferred to ``other``.
        cmos: comparison mean opinion score, -3 to 3.
        preferred, tied, rejected: shares of single answers, in percent.
        listeners: whose answers count.
        left_out: who was careless, and why.
    """

    better: str
    other: str
    cmos: Interval
    preferred: float
    tied: float
    rejected: float
    listeners: int
    left_out: dict[str, str]


def opinion(key: Mapping[str, Any], answer_paths: Sequence[Path], seed: int = 0) -> Opinion:
    """The second system of a test against the first.

    Raises:
        CorpusError: a file cannot be read, or nobody's answers are left.
    """
    items, (first, second) = key["items"], key["systems"]
    kept, left_out = careful_answers(key, answer_paths, range(-SCALE, SCALE + 1), careless)
    signed = [
        [
            answer if item["right"] == second else -answer
            for item, answer in zip(items, answers, strict=True)
            if item["kind"] == "pair"
        ]
        for answers in kept
    ]
    scores = np.asarray(signed, float)
    return Opinion(
        better=second,
        other=first,
        cmos=both_ways(scores, seed),
        preferred=round(100 * float((scores > 0).mean()), 1),
        tied=round(100 * float((scores == 0).mean()), 1),
        rejected=round(100 * float((scores < 0).mean()), 1),
        listeners=len(kept),
        left_out=left_out,
    )
