"""Is a model worse than it was? A new evaluation against a row of figures that was kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mamtra import files
from mamtra.errors import CorpusError
from mamtra.evaluation.intervals import Difference, difference

SAME = ("set_sha256", "profile", "language")  # what two rows must agree on to be compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one judge says.

    Attributes:
        judge: its name.
        difference: wrong words of the new figures less the old ones', as a share of all words.
    """

    judge: str
    difference: Difference

    @property
    def worse(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.difference.interval.low > 0


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of figures: that of ``scores.json``, or all lines of a file of rows.

    Raises:
        CorpusError: the file cannot be read or holds no figures of an evaluation.
    """
    rows = files.read_rows(path, CorpusError)
    whole = [isinstance(row, dict) and row.get("systems") and row.get("judges") for row in rows]
    if not rows or not all(whole):
        raise CorpusError(
            f"{str(path)!r} holds no figures of an evaluation; give the scores.json that "
            f"mamtra evaluate wrote with -o"
        )
    return rows


def read_row(path: Path) -> dict[str, Any]:
    """A row of figures: ``scores.json``, or the last line of a file of rows.

    Raises:
        CorpusError: the file cannot be read or holds no figures of an evaluation.
    """
    return read_rows(path)[-1]


def system_of(row: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    """The figures of one system of a row; without a name, of its only one.

    Raises:
        CorpusError: there is no such system, or there are several and none was named.
    """
    systems = row["systems"]
    if name is None and len(systems) == 1:
        return next(iter(systems.values()))
    if name not in systems:
        told = "has several systems" if name is None else f"has no system {name!r}"
        raise CorpusError(f"the baseline {told}; choose one of: {', '.join(systems)}")
    return systems[name]


def same_judges(
    new: Mapping[str, Any], old: Mapping[str, Any], system: str | None = None
) -> list[str]:
    """The recognisers whose figures two rows have in common; needs no figures of the new one.

    Args:
        new, old: rows; of the new one only lines, profile, language and judges.
        system: which one of the old row.

    Raises:
        CorpusError: other lines, another profile, or no judge of the same identity in both.
    """
    if other := [name for name in SAME if new.get(name) != old.get(name)]:
        raise CorpusError(
            f"the rows differ in {', '.join(other)}; only figures of the same lines, profile and "
            f"language can be compared"
        )
    theirs = system_of(old, system)
    identities = {judge["name"]: judge for judge in old["judges"]}
    same = [
        judge["name"]
        for judge in new["judges"]
        if identities.get(judge["name"]) == judge and judge["name"] in theirs["wrong_by_line"]
    ]
    if not same:
        raise CorpusError(
            f"no judge is the same in both rows (package, version, checksum, settings): "
            f"{', '.join(judge['name'] for judge in new['judges'])} against "
            f"{', '.join(identities)}; figures of different judges are not comparable"
        )
    return same


def compare(
    new: Mapping[str, Any], old: Mapping[str, Any], system: str | None = None
) -> list[Verdict]:
    """Compare line by line; refuses what cannot be compared.

    Args:
        new, old: rows of figures; the new one of a single system.
        system: which one of the old row.

    Raises:
        CorpusError: other lines, another profile, or no judge of the same identity in both.
    """
    same = same_judges(new, old, system)
    mine, theirs = system_of(new, None), system_of(old, system)
    words = mine["words_by_line"]
    return [
        Verdict(
            judge=judge,
            difference=difference(
                mine["wrong_by_line"][judge], theirs["wrong_by_line"][judge], words
            ),
        )
        for judge in same
        if judge in mine["wrong_by_line"]
    ]
