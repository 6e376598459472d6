"""``mamtra say --stream``: sound that leaves while it is being made, text that is read as it comes.

A file grows beside its place and is put there at the end or when somebody presses Ctrl-C; standard
output gets samples at once, as a WAV of unknown length.
"""

import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mamtra.cli.options import STANDARD
from mamtra.cli.say_report import conclude, report
from mamtra.errors import MamtraError

if TYPE_CHECKING:
    from mamtra.audio.file_writer import GrowingSound
    from mamtra.audio.pipe_writer import PipedSound
    from mamtra.synthesis.long_text import Written
    from mamtra.synthesis.stream import AudioPiece
    from mamtra.synthesis.synthesizer import Synthesizer


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


class NotedText:
    """A text, or lines as they come, and what ``notes`` finds in them: one note of each kind.

    Args:
        text: to be spoken.
        notes: finds what is left out of a text.
    """

    def __init__(self, text: str | Iterable[str], notes: Callable[[str], list[str]]) -> None:
        self.find, self.found = notes, dict[str, str]()
        self.text = self.noted(text) if isinstance(text, str) else map(self.noted, text)

    def noted(self, text: str) -> str:
        """The same text, once it was looked at."""
        from mamtra.text.notes import kind_of  # not for --help

        for note in self.find(text):
            self.found.setdefault(kind_of(note), note)
        return text


def say_stream(
    synthesizer: "Synthesizer",
    text: str | Iterable[str],
    how: dict[str, Any],
    output: str,
    comment: str,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a stream into a file, or to standard output as it comes, and report.

    Args:
        synthesizer: speaks.
        text: a whole text, or lines as they come.
        how: to speak, as ``SpeakOptions`` takes it.
        output: a path, or ``-``.
        comment: goes into the sound's metadata.
        as_json: print the report as one line.
        quiet: nothing but errors.

    Raises:
        MamtraError: see ``Synthesizer.stream`` and ``conclude``.
        BrokenPipeError: whoever read standard output went away.
    """
    from mamtra.audio.file_writer import GrowingSound
    from mamtra.audio.pipe_writer import PipedSound
    from mamtra.synthesis.options import SpeakOptions

    started, rate = time.perf_counter(), synthesizer.rate
    noted = NotedText(text, synthesizer.speaker(SpeakOptions(**how)).notes)
    pieces = synthesizer.stream(noted.text, **how)
    if output == STANDARD:
        written, first_audio = write_stream(pieces, PipedSound(sys.stdout.buffer, rate, comment))
    else:
        with GrowingSound(output, rate, comment) as file:
            written, first_audio = write_stream(pieces, file)
    found = report(written, written.pieces, output, time.perf_counter() - started)
    found["first_audio_seconds"] = round(first_audio, 4)
    found["notes"] = list(noted.found.values())
    conclude(written, found, as_json, quiet)
