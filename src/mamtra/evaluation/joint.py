"""Several evaluations in one table: a line for each system on each set and by each recogniser.

Rows are kept apart by their set; a figure is put beside another only if the judge of that name is
the same one in both rows, with the same checksum and settings.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mamtra.errors import CorpusError
from mamtra.evaluation.report import (
    Grid,
    difference_notes,
    failure_notes,
    flawless_notes,
    hearing_of,
    judge_cells,
    rating_cell,
)
from mamtra.evaluation.text_rules import profile_named

Row = Mapping[str, Any]


def check_judges(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every judge once.

    Raises:
        CorpusError: two of one name differ.
    """
    known: dict[str, dict[str, Any]] = {}
    for row in rows:
        for judge in row["judges"]:
            if known.setdefault(judge["name"], judge) != judge:
                other = known[judge["name"]]
                apart = [key for key in judge if judge[key] != other.get(key)]
                raise CorpusError(
                    f"the judge {judge['name']} is another one in two rows "
                    f"({', '.join(apart)}); figures of different judges are not comparable"
                )
    return list(known.values())


def cells_of(row: Row, name: str, judge: str, ratings: Sequence[str]) -> tuple[str, ...]:
    """One line of the table."""
    told, first = row["systems"][name], profile_named(row["profile"]).first
    rate, over, characters, dropped = judge_cells(told, judge, first)
    if told.get("baseline") == name:
        over = ""
    rated = [rating_cell(told, rating) for rating in ratings]
    whole = f"{row['set']}, {told['utterances']}", judge, rate, over, characters, dropped
    return (name, *whole, *rated, f"{told['degenerate_percent']:.1f}")


def joint_table(rows: Sequence[Row]) -> Grid:
    """All systems of all rows.

    Raises:
        CorpusError: a judge is another one in two rows, or their text rules differ.
    """
    judges = check_judges(rows)
    profiles = sorted({row["profile"] for row in rows})
    if len(profiles) > 1:
        raise CorpusError(f"the rows have different text rules: {', '.join(profiles)}")
    pairs = [(row, name) for row in rows for name in row["systems"]]
    ratings = list(dict.fromkeys(r for row, name in pairs for r in row["systems"][name]["rated"]))
    lines = [
        cells_of(row, name, judge, ratings)
        for row, name in pairs
        for judge in hearing_of(row["systems"][name])
    ]
    first = profile_named(profiles[0]).first
    notes = [f"WER: {first}, text rule {profiles[0]}; 95 % intervals over lines"]
    for judge in judges:
        sha = f", sha256 {judge['sha256'][:12]}" if judge["sha256"] else ""
        notes.append(f"{judge['name']}: {judge['package']} {judge['version']}{sha}")
    for row in rows:
        where = f"{row['set']}: "
        systems = row["systems"]
        told = difference_notes(systems, first), flawless_notes(systems), failure_notes(systems)
        notes += [where + note for some in told for note in some]
    headings = ("system", "set, lines", "judge", "WER %", "over baseline", "CER %", "dropped %")
    return Grid(
        (*headings, *(f"{rating} (least)" for rating in ratings), "bad %"),
        tuple(lines),
        "",
        tuple(notes),
    )
