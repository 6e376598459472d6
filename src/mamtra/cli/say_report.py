"""What ``mamtra say`` reports of one text, and how it ends."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from mamtra.cli.options import STANDARD
from mamtra.cli.signals import INTERRUPTED
from mamtra.errors import GenerationError

if TYPE_CHECKING:
    from mamtra.synthesis.long_text import Written

ENDED = "end"
MEANINGS = {
    "budget": "reached the limit of length",
    "repetition": "repeated itself",
    "silence": "fell silent",
    "skipped": "skipped words of the text",
    "cancelled": "was broken off",
}


def doubtful(reasons: Sequence[str], path: str) -> str:
    """Say that what was written may not be what the text says.

    Args:
        reasons: why each piece ended.
        path: where the sound is; ``-`` for standard output.
    """
    bad = [reason for reason in reasons if reason != ENDED]
    where = "standard output has the sound" if path == STANDARD else f"{path} is written"
    found = ", ".join(dict.fromkeys(MEANINGS.get(reason, reason) for reason in bad))
    which = "the speech" if len(reasons) == 1 else f"{len(bad)} of {len(reasons)} pieces"
    return f"{where}, but {which} {found}: words may be wrong; try another --seed"


def report(written: "Written", pieces: int, output: str, seconds: float) -> dict:
    """The report of ``--json``."""
    return {
        "path": output,
        "seconds": round(written.seconds, 3),
        "spoken_in_seconds": round(seconds, 3),
        "pieces": written.pieces,
        "pieces_wanted": pieces,
        "stop_reason": written.stop_reason,
        "coverage": written.coverage,
        "misread": round(written.misread, 3),
        "speech_tokens": written.speech_tokens,
        "state_bytes": written.state_bytes,
        "compute_seconds": {
            stage: round(seconds, 4) for stage, seconds in asdict(written.compute_seconds).items()
        },
        "text": " ".join(written.texts),
    }


def conclude(written: "Written", found: dict, as_json: bool, quiet: bool) -> None:
    """Report what was done, if anything was, and end.

    Raises:
        GenerationError: a piece did not end by itself; what was spoken is written all the same.
        typer.Exit: somebody pressed Ctrl-C.
        MamtraError: whatever kept the other pieces from being spoken.
    """
    if written.seconds and as_json:
        print(json.dumps(found))
    elif written.seconds and not quiet:
        done, wanted = found["pieces"], found["pieces_wanted"]
        part = f"; {done} of {wanted} pieces, not the whole text" if done < wanted else ""
        took = f"{found['seconds']:.1f} s of speech in {found['spoken_in_seconds']:.1f} s"
        print(f"{found['path']}: {took}{part}", file=sys.stderr)
    if isinstance(written.problem, KeyboardInterrupt):
        raise typer.Exit(INTERRUPTED)
    if written.problem is not None:
        raise written.problem
    if written.stop_reason != ENDED:
        raise GenerationError(doubtful(written.stop_reasons, found["path"]))
