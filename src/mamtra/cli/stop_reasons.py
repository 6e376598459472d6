"""Sentences about speech that did not end by itself: it is kept, and never passed off as whole."""

from collections.abc import Sequence

from mamtra.cli.options import STANDARD

ENDED = "end"
MEANINGS = {
    "budget": "reached the limit of length",
    "repetition": "repeated itself",
    "silence": "fell silent",
    "skipped": "skipped words of the text",
    "cancelled": "was broken off",
}


def meaning(reason: str) -> str:
    """What a stop reason says of a piece of speech."""
    return MEANINGS.get(reason, reason)


def doubtful(reasons: Sequence[str], path: str) -> str:
    """Say that what was written may not be what the text says.

    Args:
        reasons: why each piece ended.
        path: where the sound is; ``-`` for standard output.
    """
    bad = [reason for reason in reasons if reason != ENDED]
    where = "standard output has the sound" if path == STANDARD else f"{path} is written"
    found = ", ".join(dict.fromkeys(map(meaning, bad)))
    which = "the speech" if len(reasons) == 1 else f"{len(bad)} of {len(reasons)} pieces"
    return f"{where}, but {which} {found}: words may be wrong; try another --seed"
