"""The table of an evaluation: the same rows for the terminal, for Markdown and for LaTeX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mamtra.evaluation.clip import ENDED, ERROR
from mamtra.evaluation.scores import Figures

CHANCE = 0.05  # of seeing no wrong word though so many lines would have one


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of text.

    Attributes:
        headings: of the columns; the first column is aligned left.
        rows: each with as many cells.
        title: above.
        notes: below.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()

    def terminal(self) -> Table:
        """For a console of ``rich``."""
        drawn = Table(
            title=self.title,
            caption="\n".join(self.notes),
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            show_edge=False,
            caption_justify="left",
        )
        for place, heading in enumerate(self.headings):
            # folded, never cut: a cell may be a command
            side = "right" if place else "left"
            drawn.add_column(heading, justify=side, overflow="fold", no_wrap=not place)
        for row in self.rows:
            drawn.add_row(*row)
        return drawn

    def markdown(self) -> str:
        """For a page."""
        lines = [
            f"| {' | '.join(self.headings)} |",
            f"|{'---|' * len(self.headings)}",
            *(f"| {' | '.join(row)} |" for row in self.rows),
        ]
        title = [f"## {self.title}", ""] if self.title else []
        return "\n".join([*title, *lines, "", *(f"{note}  " for note in self.notes)]) + "\n"

    def latex(self) -> str:
        """For a paper: a ``tabular``."""
        body = [" & ".join(map(escaped, row)) + r" \\" for row in (self.headings, *self.rows)]
        return "\n".join(
            [
                r"\begin{tabular}{l" + "r" * (len(self.headings) - 1) + "}",
                r"\toprule",
                body[0],
                r"\midrule",
                *body[1:],
                r"\bottomrule",
                r"\end{tabular}",
                *(f"% {note}" for note in self.notes),
                "",
            ]
        )


def escaped(text: str) -> str:
    """Text that LaTeX sets as it stands."""
    for mark in "&%_#$":
        text = text.replace(mark, f"\\{mark}")
    return text


def ranged(found: Mapping[str, Any] | None, sign: str = "", digits: int = 1) -> str:
    """A value and its interval in a cell."""
    if found is None:
        return ""
    value, low, high = (f"{found[part]:{sign}.{digits}f}" for part in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def judge_cells(told: Figures, judge: str, first: str) -> tuple[str, str, str, str]:
    """What one recogniser heard: words wrong, that less the baseline's, characters, dropped."""
    if not judge:
        return "", "", "", ""
    heard, apart = told["heard"][judge], told.get("against", {}).get(judge)
    over = ranged(apart[first]["interval"], "+") if apart else ""
    # rows that were kept before characters were counted have none
    characters = f"{heard['cer']['all characters']['value']:.1f}" if "cer" in heard else ""
    dropped = f"{heard['dropped_percent']['value']:.1f}"
    return ranged(heard["wer"][first]), over, characters, dropped


def rating_cell(told: Figures, rating: str) -> str:
    """The mean and the least of a rating."""
    rated = told["rated"].get(rating)
    return f"{rated['value']:.2f} ({rated['least']:.2f})" if rated else ""


def hearing_of(told: Figures) -> list[str]:
    """The recognisers of a system; a nameless one where nobody heard words."""
    return list(told["heard"]) or [""]


def table(systems: Mapping[str, Figures], first: str, title: str, notes: Sequence[str]) -> Grid:
    """One row for each system, or for each system and recogniser if there are several.

    Args:
        systems: what ``score`` gave.
        first: which of the two rates is shown; see ``text_rules``.
        title: above the table.
        notes: below it.
    """
    judges = list(dict.fromkeys(name for told in systems.values() for name in hearing_of(told)))
    ratings = list(dict.fromkeys(name for told in systems.values() for name in told["rated"]))
    compared = any("against" in told for told in systems.values())
    headings = ["system"] + ["judge"] * (len(judges) > 1) + ["WER %"]
    headings += ["over baseline"] * compared + ["CER %", "dropped %"]
    if judges == [""]:
        headings = ["system", "ended by itself"]
    headings += [*(f"{name} (least)" for name in ratings), "bad %"]
    rows = []
    for name, told in systems.items():
        whole = [*(rating_cell(told, r) for r in ratings), f"{told['degenerate_percent']:.1f}"]
        if judges == [""]:
            ended = f"{told['stops'].get(ENDED, 0)} of {sum(told['stops'].values())}"
            rows.append((name, ended, *whole))
            continue
        for place, judge in enumerate(judges):
            rate, over, characters, dropped = judge_cells(told, judge, first)
            cells = ["" if place else name] + [judge] * (len(judges) > 1)
            cells += [rate, *[over] * compared, characters, dropped]
            rows.append((*cells, *([""] * len(whole) if place else whole)))
    return Grid(tuple(headings), tuple(rows), title, tuple(notes))


def split_note(names: str, apart: Mapping[str, Any]) -> str:
    """Who was better in how many lines, and how likely that is by chance."""
    return (
        f"{names}: better in {apart['better']} and worse in {apart['worse']} lines, "
        f"sign test p {apart['sign_p']:.3f}"
    )


def difference_notes(systems: Mapping[str, Figures], first: str) -> list[str]:
    """A sentence for each comparison: who was better how often, and what could have been seen."""
    notes = []
    for name, told in systems.items():
        if told.get("baseline") == name:
            continue
        for judge, found in told.get("against", {}).items():
            apart, count = found[first], told["utterances"]
            note = split_note(f"{name} against {told['baseline']} ({judge})", apart)
            if apart["detectable"]:  # older rows say 0 where no line differed
                note += f"; {count} lines show differences from {apart['detectable']:.1f} points"
            notes.append(note)
        for judge, apart in told.get("ratings_against", {}).items():
            over = ranged(apart["interval"], "+", 2)
            notes.append(split_note(f"{name} against {told['baseline']} ({judge}) {over}", apart))
    return notes


def plural(count: int, what: str) -> str:
    """So many of something."""
    return f"{count} {what}{'s' * (count != 1)}"


def flawless_notes(systems: Mapping[str, Figures]) -> list[str]:
    """A sentence for each system without a wrong word: no draw of such lines has one, so the
    interval has no width, which does not mean that other lines would have none.
    """
    return [
        f"{name} ({judge}): no wrong word in {plural(told['utterances'], 'line')}; the interval "
        f"cannot tell, but up to {100 * (1 - CHANCE ** (1 / told['utterances'])):.1f} % of such "
        f"lines may hold one"
        for name, told in systems.items()
        for judge, heard in told["heard"].items()
        if not heard["wer"]["all words"]["high"]
    ]


def failure_notes(systems: Mapping[str, Figures]) -> list[str]:
    """A sentence for each system that failed, or whose speech did not end by itself.

    A run of a line is a clip.
    """
    notes = []
    for name, told in systems.items():
        if failed := told["failed"]:
            notes.append(
                f"{name} failed on {plural(len(failed), 'clip')}, each counted as all words "
                f"dropped and not rated: {failed[0]['line']} ({failed[0]['why']})"
                f"{', ...' * (len(failed) > 1)}"
            )
        stops = {why: n for why, n in told.get("stops", {}).items() if why not in (ENDED, ERROR)}
        if stops:
            listed = ", ".join(f"{why} {count}" for why, count in stops.items())
            notes.append(f"{name} did not end by itself: {listed}")
    return notes
