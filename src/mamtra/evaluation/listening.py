"""Blind listening tests: two systems side by side, and what the answers say.

The page plays pairs in an order and on sides that a seed chose, and asks how much better the second
is, from -3 (much worse) to 3. A few pairs come twice with sides swapped, and a few have one clip on
both sides: listeners who contradict themselves or hear differences there are left out, and named.
Which side is which stays in a file beside the page, so that nobody can look it up there.
"""

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from mamtra.atomic import write_file, write_json
from mamtra.errors import CorpusError
from mamtra.evaluation.intervals import CONFIDENCE, Interval
from mamtra.evaluation.line_set import Line

KEY, PAGE = "key.json", "page"
SCALE = 3  # answers go from -3 to 3
SHARE_REPEATED, SHARE_SAME = 0.1, 0.1  # of the pairs, at least one each
MOST_ON_SAME = 1.0  # mean of a listener's absolute answers where both sides are one clip
LEAST_AGREEMENT = 0.5  # share of repeated pairs that are answered alike, give or take 1
DRAWS = 4000


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
    again = draw.sample(pairs, max(1, round(SHARE_REPEATED * len(pairs))))
    same = draw.sample(pairs, max(1, round(SHARE_SAME * len(pairs))))
    order = [
        *pairs,
        *(Item(kind="repeat", left=one.right, right=one.left, line=one.line) for one in again),
        *(Item(kind="same", left=one.left, right=one.left, line=one.line) for one in same),
    ]
    draw.shuffle(order)
    return order


SCRIPT = """
function save() {
  const answers = [...document.querySelectorAll('fieldset')].map(
    f => Number(f.querySelector('input:checked')?.value ?? NaN));
  const left = answers.filter(a => Number.isNaN(a)).length;
  if (left) { alert(left + ' pairs have no answer yet'); return; }
  const listener = document.getElementById('name').value || 'nobody';
  const text = JSON.stringify({test: TEST, listener: listener, answers: answers});
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  link.download = 'answers-' + listener.replace(/\\W/g, '_') + '.json';
  link.click();
}
"""


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
    shared = [one for one in texts if one in systems[first] and one in systems[second]]
    if len(shared) < count:
        raise CorpusError(f"{first} and {second} share {len(shared)} lines, fewer than {count}")
    chosen = random.Random(seed).sample(shared, count)
    items = items_of(first, second, chosen, seed)
    key = {"seed": seed, "systems": [first, second], "items": [asdict(item) for item in items]}
    test = f"{seed}-{len(items)}-{random.Random(json.dumps(key)).getrandbits(32):08x}"
    blocks = []
    try:
        (folder / PAGE).mkdir(parents=True, exist_ok=True)
        for number, item in enumerate(items):
            sides = []
            for side in (item.left, item.right):
                source = systems[side][item.line]
                name = f"{number:03d}{'ab'[len(sides)]}{source.suffix}"
                shutil.copyfile(source, folder / PAGE / name)
                sides.append(f'<audio controls src="{name}"></audio>')
            marks = "".join(
                f'<label><input type=radio name="{number}" value="{mark}">{mark:+d}</label> '
                for mark in range(-SCALE, SCALE + 1)
            )
            blocks.append(
                f"<fieldset><legend>{number + 1}. {escape(texts[item.line])}</legend>"
                f"{' '.join(sides)}<div>the second is {marks}</div></fieldset>"
            )
    except OSError as problem:
        raise CorpusError(f"cannot write the test {str(folder)!r}: {problem}") from problem
    write_file(
        folder / PAGE / "index.html",
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Listening test</title>'
        f"<h1>Which sounds better?</h1><p>Listen to both, then say how the second compares "
        f"with the first: -3 much worse, 0 the same, +3 much better.</p>"
        f'<p>Your name: <input id="name"></p>{"".join(blocks)}'
        f'<button onclick="save()">Save the answers</button>'
        f"<script>const TEST = {json.dumps(test)};{SCRIPT}</script></html>\n",
        error=CorpusError,
    )
    write_json(folder / KEY, {"test": test, **key}, indent=1, error=CorpusError)
    return len(items)


def careless(items: Sequence[Mapping[str, Any]], answers: Sequence[int]) -> str:
    """Why a listener's answers are left out, or nothing."""
    same = [abs(a) for item, a in zip(items, answers, strict=True) if item["kind"] == "same"]
    if fmean(same) > MOST_ON_SAME:
        return "hears differences between a clip and itself"
    pairs = {i["line"]: a for i, a in zip(items, answers, strict=True) if i["kind"] == "pair"}
    agree = [
        abs(answer + pairs[item["line"]]) <= 1  # sides are swapped
        for item, answer in zip(items, answers, strict=True)
        if item["kind"] == "repeat"
    ]
    return "" if fmean(agree) >= LEAST_AGREEMENT else "answers the same pair differently"


def both_ways(scores: np.ndarray, seed: int) -> Interval:
    """The mean, with an interval over listeners and lines drawn again together."""
    draw = np.random.default_rng(seed)
    listeners, lines = scores.shape
    means = [
        scores[draw.integers(listeners, size=listeners)][:, draw.integers(lines, size=lines)].mean()
        for _ in range(DRAWS)
    ]
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(
        value=round(float(scores.mean()), 3), low=round(float(low), 3), high=round(float(high), 3)
    )


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


def read_answers(path: Path, test: str, count: int) -> tuple[str, list[int]]:
    """A listener's name and answers.

    Raises:
        CorpusError: the file is damaged, or of another test.
    """
    try:
        told = json.loads(path.read_text())
        listener, answers = str(told["listener"]), [int(answer) for answer in told["answers"]]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CorpusError(f"cannot read answers from {str(path)!r}: {problem}") from problem
    if told.get("test") != test or len(answers) != count:
        raise CorpusError(f"{str(path)!r} holds answers of another test")
    if any(abs(answer) > SCALE for answer in answers):
        raise CorpusError(f"{str(path)!r} holds an answer beyond -{SCALE} to {SCALE}")
    return listener, answers


def opinion(key_path: Path, answer_paths: Sequence[Path], seed: int = 0) -> Opinion:
    """The second system of a test against the first.

    Raises:
        CorpusError: a file cannot be read, or nobody's answers are left.
    """
    try:
        key = json.loads(key_path.read_text())
        items, (first, second) = key["items"], key["systems"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CorpusError(f"cannot read the test's key {str(key_path)!r}: {problem}") from problem
    kept, left_out = [], {}
    for path in answer_paths:
        listener, answers = read_answers(path, key["test"], len(items))
        if reason := careless(items, answers):
            left_out[listener] = reason
            continue
        kept.append(
            [
                answer if item["right"] == second else -answer
                for item, answer in zip(items, answers, strict=True)
                if item["kind"] == "pair"
            ]
        )
    if not kept:
        raise CorpusError(f"no answers are left of {len(answer_paths)} listeners: {left_out}")
    scores = np.asarray(kept, float)
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
