"""``mamtra say`` of a text that is there as a whole: its pieces go into a file as they are spoken.

A book needs no more memory than a sentence, and what was finished when somebody pressed Ctrl-C, or
when a later piece failed, can be played all the same.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mamtra.atomic import check_place
from mamtra.cli.options import STANDARD
from mamtra.cli.progress import tracked
from mamtra.cli.say_report import conclude, report
from mamtra.errors import AudioError, MamtraError

if TYPE_CHECKING:
    from mamtra.synthesis.long_text import Written
    from mamtra.synthesis.options import SpeakOptions
    from mamtra.synthesis.speech import Speech
    from mamtra.synthesis.synthesizer import Synthesizer


def target(output: str, special: bool) -> AbstractContextManager[BinaryIO]:
    """Where a whole sound goes: standard output, or something that is no plain file (a fifo)."""
    return Path(output).open("wb") if special else nullcontext(sys.stdout.buffer)


def deliver(spoken: Iterable["Speech"], output: str, rate: int, comment: str) -> "Written":
    """Write pieces as they come into the file, or the whole WAV to standard output."""
    from mamtra.audio.file_writer import GrowingSound
    from mamtra.synthesis.long_text import write_pieces

    early = (KeyboardInterrupt, MamtraError)
    special = output != STANDARD and Path(output).exists() and not Path(output).is_file()
    if output != STANDARD and not special:
        with GrowingSound(output, rate, comment) as file:
            return write_pieces(spoken, file, early)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"speech{Path(output).suffix if special else '.wav'}"
        with GrowingSound(path, rate, comment) as file:
            written = write_pieces(spoken, file, early)
        if written.pieces:
            # the header of a WAV tells its length, so the whole is written first
            with path.open("rb") as whole, target(output, special) as sink:
                shutil.copyfileobj(whole, sink)
                sink.flush()
    return written


@contextmanager
def word_times(spoken: Iterable["Speech"], path: Path | None) -> Iterator[Iterable["Speech"]]:
    """The same pieces; at the end, when each word is heard is written to a file, if one is given.

    Raises:
        ConfigError: the file's suffix is none of those known.
        MissingExtraError: pocketsphinx is not installed.
        AudioError: the file cannot be written; a place that is none is told before any word.
    """
    if path is None:
        yield spoken
        return
    from mamtra.synthesis.word_times import WordLog, check_suffix, write_subtitles

    check_suffix(path)
    check_place(path, AudioError)
    log = WordLog()

    def noted() -> Iterator["Speech"]:
        for speech in spoken:
            log.add(speech.audio, speech.text, speech.pause_seconds)
            yield speech

    yield noted()
    write_subtitles(log.words, path)


def say_whole(
    synthesizer: "Synthesizer",
    words: str,
    options: "SpeakOptions",
    output: str,
    comment: str,
    timestamps: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Speak a text into a file and report.

    Raises:
        MamtraError: see ``Synthesizer.speak`` and ``conclude``.
    """
    if options.state == "carry" and not synthesizer.text.reads_prompts and not quiet:
        print(
            "note: this model does not read prompts; with --state carry it may lose more words",
            file=sys.stderr,
        )
    started = time.perf_counter()
    speaker = synthesizer.speaker(options)
    paragraphs = speaker.paragraphs(words)
    reading = time.perf_counter() - started
    pieces = sum(map(len, paragraphs))
    spoken = synthesizer.speak(paragraphs, options)
    seen = tracked(spoken, pieces, "speaking", quiet=quiet or pieces < 2)
    with word_times(seen, timestamps) as noted:
        written = deliver(noted, output, synthesizer.rate, comment)
    spent = written.compute_seconds
    written.compute_seconds = replace(spent, text=spent.text + reading)
    found = report(written, pieces, output, time.perf_counter() - started)
    conclude(written, found | {"notes": speaker.notes(words)}, as_json, quiet)
