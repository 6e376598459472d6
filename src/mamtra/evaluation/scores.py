"""From judged clips to figures: rates with intervals, and what one system loses against another.

A clip that failed counts as if every word had been dropped, and is listed. Rates are computed both
ways that are published: all wrong words over all words, and the mean of the utterances' rates.
Several runs of a line are averaged first, so that intervals are over lines.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from mamtra.errors import CorpusError
from mamtra.evaluation.harness import Judged
from mamtra.evaluation.intervals import Difference, Interval, difference, interval
from mamtra.evaluation.line_set import Line
from mamtra.evaluation.named_sets import bin_of
from mamtra.evaluation.text_rules import Profile, Rule
from mamtra.evaluation.word_errors import WordErrors, character_errors, word_errors

Figures = dict[str, Any]
BAD_RATE = 0.5  # of an utterance's words: more wrong ones make it degenerate
REPEATS = 3  # times that words may follow each other before it is a loop
LONGEST_LOOP = 4  # words


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One clip in numbers.

    Attributes:
        errors, characters: wrong words and wrong characters, by the judge's name.
        fault: what makes it degenerate, or nothing.
    """

    judged: Judged
    errors: dict[str, WordErrors]
    characters: dict[str, WordErrors]
    fault: str

    @property
    def failed(self) -> bool:
        """Whether there is no sound."""
        return bool(self.judged.said.error)


def loops(words: Sequence[str]) -> bool:
    """Whether some words follow each other again and again."""
    for size in range(1, LONGEST_LOOP + 1):
        for start in range(len(words) - size * REPEATS + 1):
            first = words[start : start + size]
            if all(
                words[start + size * n : start + size * (n + 1)] == first for n in range(REPEATS)
            ):
                return True
    return False


def count(judged: Judged, rule: Rule) -> Counted:
    """Wrong words of one clip, and whether it is degenerate."""
    reference = rule(judged.line.text)
    heard = {name: rule(words) for name, words in judged.heard.items()}
    errors = {name: word_errors(reference, words) for name, words in heard.items()}
    characters = {name: character_errors(reference, words) for name, words in heard.items()}
    found = judged.said.fault
    first = next(iter(errors), None)
    if not found and first is not None:
        if loops(heard[first].split()) and not loops(reference.split()):
            found = "repeats itself"
        elif errors[first].rate > BAD_RATE:
            found = "not understood"
    return Counted(judged=judged, errors=errors, characters=characters, fault=found)


def check_lines(lines: Sequence[Line], rule: Rule) -> None:
    """Make sure that every line has words to be counted, before anything is said.

    Raises:
        CorpusError: one has none.
    """
    empty = [line.text for line in lines if not rule(line.text).split()]
    if empty:
        raise CorpusError(f"the test sentence {empty[0]!r} has no words; delete it")


def by_line(counted: Sequence[Counted]) -> dict[str, list[Counted]]:
    """The runs of each line."""
    found: dict[str, list[Counted]] = {}
    for one in counted:
        found.setdefault(one.judged.line.id, []).append(one)
    return found


def percent(found: Interval) -> dict[str, float]:
    """Shares as percentages."""
    return {name: round(value, 2) for name, value in asdict(found.times(100.0)).items()}


def percent_difference(found: Difference) -> Figures:
    """The same of a difference."""
    detectable = round(100 * found.detectable, 2) if found.detectable < float("inf") else None
    return asdict(found) | {"interval": percent(found.interval), "detectable": detectable}


def share(flags: Sequence[bool]) -> float:
    """How many are true, in percent."""
    return round(100 * sum(flags) / len(flags), 2)


def averaged(lines: Sequence[Sequence[WordErrors]]) -> tuple[list, list, list]:
    """Of each line, averaged over runs: wrong words, its words, and the mean of the runs' rates."""
    wrong = [fmean(one.wrong for one in runs) for runs in lines]
    words = [runs[0].words for runs in lines]
    rates = [fmean(one.rate for one in runs) for runs in lines]
    return wrong, words, rates


def wrong_and_words(lines: Mapping[str, list[Counted]], judge: str) -> tuple[list, list, list]:
    """The same of what one recogniser heard."""
    return averaged([[one.errors[judge] for one in runs] for runs in lines.values()])


def hearing_figures(counted: Sequence[Counted], judge: str, seed: int) -> Figures:
    """What one recogniser understood."""
    lines = by_line(counted)
    wrong, words, rates = wrong_and_words(lines, judge)
    dropped = [fmean(one.errors[judge].deletions for one in runs) for runs in lines.values()]
    characters = [[one.characters[judge] for one in runs] for runs in lines.values()]
    wrong_2, count_2, rates_2 = averaged(characters)
    errors = [one.errors[judge] for one in counted]
    total = sum(one.words for one in errors)
    return {
        "wer": {
            "all words": percent(interval(wrong, words, seed)),
            "mean of utterances": percent(interval(rates, None, seed)),
        },
        "cer": {
            "all characters": percent(interval(wrong_2, count_2, seed)),
            "mean of utterances": percent(interval(rates_2, None, seed)),
        },
        "dropped_percent": percent(interval(dropped, words, seed)),
        "substitutions_percent": round(100 * sum(e.substitutions for e in errors) / total, 2),
        "insertions_percent": round(100 * sum(e.insertions for e in errors) / total, 2),
        "right_percent": share([not one.wrong for one in errors]),
    }


def ratings_by_line(counted: Sequence[Counted], judge: str) -> dict[str, float]:
    """A judge's rating of each line that it could rate, averaged over runs."""
    rated = {
        line: [one.judged.ratings.get(judge) for one in runs]
        for line, runs in by_line(counted).items()
    }
    known = {line: [v for v in values if v is not None] for line, values in rated.items()}
    return {line: fmean(values) for line, values in known.items() if values}


def rating_figures(counted: Sequence[Counted], judge: str, seed: int) -> Figures | None:
    """Mean and least of a judge's ratings, and how many clips it rated; None without any."""
    known = [v for one in counted if (v := one.judged.ratings.get(judge)) is not None]
    if not known:
        return None
    found = interval(list(ratings_by_line(counted, judge).values()), None, seed)
    rounded = {name: round(value, 3) for name, value in asdict(found).items()}
    return rounded | {"least": round(min(known), 3), "rated": len(known)}


def ratings_against(counted: Sequence[Counted], other: Sequence[Counted], seed: int) -> Figures:
    """A system's ratings less another's on the lines that were rated of both; more is better."""
    found = {}
    for judge in dict.fromkeys(name for one in counted for name in one.judged.ratings):
        mine, theirs = ratings_by_line(counted, judge), ratings_by_line(other, judge)
        both = [line for line in mine if line in theirs]
        if not both:
            continue
        apart = difference([mine[x] for x in both], [theirs[x] for x in both], None, seed)
        known = apart.detectable < float("inf")
        found[judge] = asdict(apart) | {
            "interval": {name: round(v, 3) for name, v in asdict(apart.interval).items()},
            "better": apart.worse,  # a difference counts what is smaller as better
            "worse": apart.better,
            "detectable": round(apart.detectable, 3) if known else None,
        }
    return found


def length_figures(counted: Sequence[Counted], judge: str) -> list[Figures]:
    """Word errors, degenerate clips and state by the number of words that were to be said."""
    bins: dict[int, list[Counted]] = {}
    for one in counted:
        bins.setdefault(bin_of(one.errors[judge].words), []).append(one)
    return [
        {
            "most_words": top,
            "utterances": len(members),
            "wer_percent": round(
                100
                * sum(one.errors[judge].wrong for one in members)
                / sum(one.errors[judge].words for one in members),
                2,
            ),
            "degenerate_percent": share([bool(one.fault) for one in members]),
            "state_bytes": max(one.judged.said.state_bytes for one in members),
        }
        for top, members in sorted(bins.items())
    ]


def system_figures(counted: Sequence[Counted], seed: int) -> Figures:
    """All figures of one system."""
    first = counted[0]
    rated = list(dict.fromkeys(name for one in counted for name in one.judged.ratings))
    said = [one.judged.said for one in counted]
    took, seconds = sum(one.took_seconds for one in said), sum(one.seconds for one in said)
    letters = sum(len(one.judged.line.text) for one in counted if not one.failed)
    nats = [one.nats for one in said if one.nats is not None]
    ratings = {name: rating_figures(counted, name, seed) for name in rated}
    judge = next(iter(first.errors), None)
    return {
        "utterances": len(by_line(counted)),
        "runs": max(one.run for one in said) + 1,
        "words": sum(runs[0].errors[judge].words for runs in by_line(counted).values())
        if judge
        else None,
        "heard": {name: hearing_figures(counted, name, seed) for name in first.errors},
        "rated": {name: figures for name, figures in ratings.items() if figures is not None},
        "degenerate_percent": share([bool(one.fault) for one in counted]),
        "degenerate": [
            {"line": one.judged.line.id, "run": one.judged.said.run, "why": one.fault}
            for one in counted
            if one.fault
        ],
        "failed": [
            {"line": one.judged.line.id, "run": one.judged.said.run, "why": one.judged.said.error}
            for one in counted
            if one.failed
        ],
        "stops": dict(Counter(one.stop for one in said)),
        "retried_percent": share([one.attempts > 1 for one in said]),
        "seconds": round(seconds, 2),
        "seconds_per_character": round(seconds / letters, 4) if letters else None,
        "times_real_time": round(seconds / took, 2) if took else None,
        "nats": round(fmean(nats), 4) if nats else None,
        "state_bytes": max(one.state_bytes for one in said),
        "words_by_line": wrong_and_words(by_line(counted), judge)[1] if judge else [],
        "wrong_by_line": {
            name: [round(wrong, 3) for wrong in wrong_and_words(by_line(counted), name)[0]]
            for name in first.errors
        },
        "by_words": length_figures(counted, judge) if judge else [],
    }


def against(counted: Sequence[Counted], other: Sequence[Counted], seed: int) -> Figures:
    """One system less another on the lines that both were given, judge by judge."""
    mine, theirs = by_line(counted), by_line(other)
    both = [line for line in mine if line in theirs]
    found = {}
    for judge in counted[0].errors:
        wrong, words, rates = wrong_and_words({line: mine[line] for line in both}, judge)
        wrong_2, _, rates_2 = wrong_and_words({line: theirs[line] for line in both}, judge)
        found[judge] = {
            "all words": percent_difference(difference(wrong, wrong_2, words, seed)),
            "mean of utterances": percent_difference(difference(rates, rates_2, None, seed)),
        }
    return found


def score(
    judged: Sequence[Judged],
    profile: Profile,
    language: str = "en",
    baselines: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[str, Figures]:
    """The figures of every system, in the order of the clips.

    Args:
        judged: clips.
        profile: whose text rule is used.
        language: of the text rule.
        baselines: for a system's name, the one that it is compared with.
        seed: of the bootstrap.
    """
    rule, groups = profile.rule(language), dict[str, list[Counted]]()
    for one in judged:
        groups.setdefault(one.said.system, []).append(count(one, rule))
    figures = {name: system_figures(counted, seed) for name, counted in groups.items()}
    for name, other in (baselines or {}).items():
        if name in groups and other in groups and name != other:
            figures[name] |= {
                "baseline": other,
                "against": against(groups[name], groups[other], seed),
                "ratings_against": ratings_against(groups[name], groups[other], seed),
            }
    return figures
