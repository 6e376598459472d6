"""From counted mistakes to a table: rates with intervals, and what each stage adds.

A rate is all wrong words over all words. Its interval comes from the bootstrap: sentences drawn
again and again with replacement, because the words of one sentence are not independent. Differences
between stages are taken sentence by sentence, which makes them much sharper than the rates.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

DRAWS = 2000
CONFIDENCE = 95.0  # percent

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A percentage and where it would lie with other sentences of the same kind."""

    percent: float
    low: float
    high: float


def interval(wrong: Sequence[int], words: Sequence[int], seed: int = 0) -> Interval:
    """Wrong words in percent of all words, with a bootstrap interval over sentences.

    Args:
        wrong: mistakes of each sentence, or differences of mistakes.
        words: words of each sentence.
        seed: of the sentences drawn.
    """
    mistakes, counts = np.asarray(wrong, float), np.asarray(words, float)
    chosen = np.random.default_rng(seed).integers(len(counts), size=(DRAWS, len(counts)))
    rates = 100 * mistakes[chosen].sum(1) / counts[chosen].sum(1)
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(rates, [tail, 100 - tail])
    return Interval(
        percent=round(100 * mistakes.sum() / counts.sum(), 2),
        low=round(float(low), 2),
        high=round(float(high), 2),
    )


def rates(
    wrong: Sequence[dict[str, int]], words: Sequence[int], seed: int = 0
) -> dict[str, dict[str, float]]:
    """The interval of every form of the judge."""
    return {
        form: asdict(interval([counts[form] for counts in wrong], words, seed)) for form in wrong[0]
    }


def shown(rate: dict[str, float] | None, sign: str = "") -> str:
    """An interval in a cell of the table; the bounds are rounded, the JSON has them in full."""
    if rate is None:
        return ""
    return f"{rate['percent']:{sign}.1f} ({rate['low']:{sign}.0f}..{rate['high']:{sign}.0f})"


def table(results: Sequence[Result], title: str) -> Table:
    """The results of one voice as a table, one row a stage, 80 columns wide.

    Args:
        results: what ``summarise`` gave.
        title: written above.
    """
    forms = list(results[0]["wer"])
    retried = max(result["retried_percent"] for result in results)
    drawn = Table(
        title=title,
        caption=f"% wrong words by form of the judge, 95 % intervals; {retried:.1f} % tried again",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    drawn.add_column("stage", no_wrap=True)
    for name in (*forms, "over source", "bad"):
        drawn.add_column(name, justify="right", no_wrap=True)
    for result in results:
        more = result["above_source"]
        drawn.add_row(
            result["stage"],
            *(shown(result["wer"][form]) for form in forms),
            shown(more[forms[0]] if more else None, sign="+"),
            f"{result['degenerate_percent']:.1f}",
        )
    return drawn
