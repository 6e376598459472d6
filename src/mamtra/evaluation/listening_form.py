"""What listening tests share: the page that asks, the file of answers, intervals over listeners.

The page is one HTML file beside its sounds. It keeps what was answered in the browser until the
button saves it as a JSON file; it names no system.
"""

import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

import numpy as np

from mamtra.atomic import write_file, write_json
from mamtra.errors import CorpusError
from mamtra.evaluation.intervals import CONFIDENCE, Interval

KEY, PAGE = "key.json", "page"
DRAWS = 4000
SHARE_AGAIN = 0.1  # of the questions, at least one
MOST_APART = 1  # between two answers about the same that still agree
LEAST_AGREEMENT = 0.5  # share of repeated questions that are answered alike
Item = TypeVar("Item")
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:48em;margin:2em auto;padding:0 1em}"
    "fieldset{margin:1em 0;border:1px solid #bbb}label{margin-right:.8em}"
)
SCRIPT = """
const PLACE = 'listening ' + TEST;
function answered() {
  return [...document.querySelectorAll('fieldset')].map(
    f => Number(f.querySelector('input:checked')?.value ?? NaN));
}
function told() {
  const listener = document.getElementById('name').value || 'nobody';
  return JSON.stringify({test: TEST, listener: listener, answers: answered()});
}
function save() {
  const left = answered().filter(Number.isNaN).length;
  document.getElementById('left').textContent = left ? left + ' have no answer yet' : '';
  if (left) { return; }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([told()], {type: 'application/json'}));
  link.download = 'answers-' + JSON.parse(told()).listener.replace(/\\W/g, '_') + '.json';
  link.click();
}
document.addEventListener('change', () => {
  try { localStorage.setItem(PLACE, told()); } catch (closed) { }
});
try {
  const kept = JSON.parse(localStorage.getItem(PLACE) ?? 'null');
  document.querySelectorAll('fieldset').forEach((f, n) => {
    const input = f.querySelector(`input[value="${kept?.answers[n]}"]`);
    if (input) { input.checked = true; }
  });
} catch (closed) { }
"""


def shared_lines(
    systems: Mapping[str, Mapping[str, Path]], lines: Sequence[str], count: int, seed: int
) -> list[str]:
    """Some of the lines that all systems have, drawn by the seed.

    Raises:
        CorpusError: they share too few.
    """
    shared = [line for line in lines if all(line in files for files in systems.values())]
    if len(shared) < count:
        raise CorpusError(
            f"{' and '.join(systems)} share {len(shared)} lines, fewer than the {count} that were "
            f"asked for; give folders with more of the lines, or a smaller --count"
        )
    return random.Random(seed).sample(shared, count)


def some_again(draw: random.Random, played: Sequence[Item]) -> list[Item]:
    """A tenth of the questions, at least one, that come once more in another form."""
    return draw.sample(played, max(1, round(SHARE_AGAIN * len(played))))


def copied(source: Path) -> Callable[[Path], object]:
    """Writes a copy of a sound file."""
    return lambda path: shutil.copyfile(source, path)


def write_form(
    folder: Path,
    key: Mapping[str, Any],
    title: str,
    introduction: str,
    questions: Sequence[tuple[str, Mapping[str, Callable[[Path], object]]]],
    marks: Mapping[int, str],
) -> int:
    """Write ``page/`` to hand out and ``key.json`` to keep; the number of questions.

    Args:
        folder: of the test, made if it does not exist; the sounds lie in its ``page``.
        key: what listeners must not know; gets the test's own name.
        title: of the page.
        introduction: what to do.
        questions: text of each, and its sound files by name with what writes them.
        marks: possible answers and what is written beside them.

    Raises:
        CorpusError: a file cannot be written.
    """
    try:
        (folder / PAGE).mkdir(parents=True, exist_ok=True)
        for _, sounds in questions:
            for name, write in sounds.items():
                write(folder / PAGE / name)
    except OSError as problem:
        raise CorpusError(f"cannot write the test {str(folder)!r}: {problem}") from problem
    test = f"{key['seed']}-{len(questions)}-{random.Random(json.dumps(key)).getrandbits(32):08x}"
    blocks = []
    for number, (text, names) in enumerate(questions):
        sounds = " ".join(f'<audio controls src="{name}"></audio>' for name in names)
        choices = "".join(
            f'<label><input type=radio name="{number}" value="{mark}">{escape(word)}</label> '
            for mark, word in marks.items()
        )
        blocks.append(
            f"<fieldset><legend>{number + 1}. {escape(text)}</legend>{sounds}"
            f"<div>{choices}</div></fieldset>"
        )
    write_file(
        folder / PAGE / "index.html",
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Listening test</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1><p>{escape(introduction)}</p>"
        f'<p>Your name: <input id="name"></p>{"".join(blocks)}'
        f'<button onclick="save()">Save the answers</button> <span id="left"></span>'
        f"<script>const TEST = {json.dumps(test)};{SCRIPT}</script></html>\n",
        error=CorpusError,
    )
    write_json(folder / KEY, {"test": test, **key}, indent=1, error=CorpusError)
    return len(questions)


def read_key(path: Path) -> dict[str, Any]:
    """The key of a test.

    Raises:
        CorpusError: it cannot be read.
    """
    try:
        key = json.loads(path.read_text())
        if key["test"] and key["items"] and key["systems"]:
            return key
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CorpusError(f"cannot read the test's key {str(path)!r}: {problem}") from problem
    raise CorpusError(f"cannot read the test's key {str(path)!r}: it is empty")


def read_answers(path: Path, test: str, count: int, possible: range) -> tuple[str, list[int]]:
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
    if any(answer not in possible for answer in answers):
        raise CorpusError(f"{str(path)!r} holds an answer beyond {possible[0]} to {possible[-1]}")
    return listener, answers


def careful_answers(
    key: Mapping[str, Any],
    answer_paths: Sequence[Path],
    possible: range,
    careless: Callable[[Sequence[Mapping[str, Any]], Sequence[int]], str],
) -> tuple[list[list[int]], dict[str, str]]:
    """The answers of listeners who take care, and why others are left out, by name.

    Raises:
        CorpusError: a file cannot be read or is there twice, or nobody's answers are left.
    """
    items, kept, left_out = key["items"], list[list[int]](), dict[str, str]()
    given: dict[tuple[str, tuple[int, ...]], Path] = {}
    for path in answer_paths:
        listener, answers = read_answers(path, key["test"], len(items), possible)
        if (first := given.get((listener, tuple(answers)))) is not None:
            raise CorpusError(
                f"{str(path)!r} holds the answers of {str(first)!r} again, which would count as "
                f"two listeners; leave one of them"
            )
        given[listener, tuple(answers)] = path
        if reason := careless(items, answers):
            left_out[listener] = reason
        else:
            kept.append(answers)
    if not kept:
        raise CorpusError(f"no answers are left of {len(answer_paths)} listeners: {left_out}")
    return kept, left_out


def least_agreeing(agree: Sequence[bool]) -> str:
    """Why somebody who answers the same question differently is left out, or nothing."""
    return "" if fmean(agree) >= LEAST_AGREEMENT else "answers the same question differently"


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
