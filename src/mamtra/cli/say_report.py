"""What ``mamtra say`` reports of one text, and how it ends."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from mamtra.cli.signals import INTERRUPTED
from mamtra.cli.stop_reasons import ENDED, doubtful
from mamtra.errors import GenerationError

if TYPE_CHECKING:
    from mamtra.synthesis.long_text import Written


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
