"""``mamtra say --stream``: sound that leaves while it is being made, text that is read as it comes.

A file grows beside its place and is put there at the end or when somebody presses Ctrl-C; standard
output gets samples at once, as a WAV of unknown length.
"""

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mamtra.cli.options import STANDARD
from mamtra.cli.say_report import conclude, report
from mamtra.errors import MamtraError

if TYPE_CHECKING:
    from mamtra.audio.file_writer import GrowingSound
    from mamtra.audio.pipe_writer import PipedSound
    from mamtra.synthesis.long_text import Written
    from mamtra.synthesis.stream import AudioPiece


def write_stream(
    pieces: Iterable["AudioPiece"], sound: "GrowingSound | PipedSound"
) -> tuple["Written", float]:
    """Write samples as they come; the account, and the seconds to the first of them.

    What was made is written whatever happens; what ended it early is noted instead of raised.

    Raises:
        BrokenPipeError: the listener went away.
    """
    from mamtra.synthesis.long_text import Written

    written, first_audio = Written(), 0.0
    try:
        for piece in pieces:
            sound.write(piece.samples)
            if piece.spoken is not None:
                written.note(piece.spoken)
                first_audio = piece.spoken.first_audio_seconds
    except (KeyboardInterrupt, MamtraError) as problem:
        written.problem = problem
    finally:
        written.seconds = sound.seconds
    return written, first_audio


def say_stream(
    pieces: Iterable["AudioPiece"],
    output: str,
    rate: int,
    comment: str,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a stream into a file, or to standard output as it comes, and report.

    Raises:
        MamtraError: see ``Synthesizer.stream`` and ``conclude``.
        BrokenPipeError: whoever read standard output went away.
    """
    from mamtra.audio.file_writer import GrowingSound
    from mamtra.audio.pipe_writer import PipedSound

    started = time.perf_counter()
    if output == STANDARD:
        written, first_audio = write_stream(pieces, PipedSound(sys.stdout.buffer, rate, comment))
    else:
        with GrowingSound(output, rate, comment) as file:
            written, first_audio = write_stream(pieces, file)
    found = report(written, written.pieces, output, time.perf_counter() - started)
    found["first_audio_seconds"] = round(first_audio, 4)
    conclude(written, found, as_json, quiet)
