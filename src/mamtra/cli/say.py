"""``mamtra say``: speak text into a sound file.

What was finished when somebody pressed Ctrl-C, or when a later piece failed, is written all the
same: a book need not be spoken twice.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from mamtra.audio import check_target, encode
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.errors import MamtraError, TextError

if TYPE_CHECKING:
    from mamtra.synthesis.speech import Speech

STANDARD = "-"  # in place of a text or a path: standard input, standard output
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def read_text(text: str) -> str:
    """The text itself, or standard input for ``-``.

    Raises:
        TextError: there are no words in it.
    """
    if text == STANDARD:
        try:
            text = sys.stdin.read()
        except UnicodeDecodeError as problem:
            raise TextError(f"standard input is not UTF-8 text: {problem}") from problem
    if not text.strip():
        raise TextError("the text is empty; give a sentence, or - to read standard input")
    return text


def with_progress(spoken: Iterator["Speech"], pieces: int, quiet: bool) -> Iterator["Speech"]:
    """The same pieces, with a bar on standard error if there are several and somebody watches."""
    if quiet or pieces < 2 or not sys.stderr.isatty():
        yield from spoken
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(spoken, "speaking", total=pieces, console=Console(stderr=True), transient=True)


def collect(spoken: Iterator["Speech"]) -> tuple[list["Speech"], BaseException | None]:
    """The pieces that were finished, and what kept the others from it."""
    finished: list[Speech] = []
    try:
        for piece in spoken:
            finished.append(piece)
    except (KeyboardInterrupt, MamtraError) as problem:
        return finished, problem
    return finished, None


def deliver(speech: "Speech", output: str) -> None:
    """Write the file, or the whole WAV to standard output."""
    if output == STANDARD:
        sys.stdout.buffer.write(encode(speech.audio))
        sys.stdout.buffer.flush()
    else:
        speech.save(output)


def report(speech: "Speech", finished: int, pieces: int, output: str, seconds: float) -> dict:
    """What is told about the result."""
    return {
        "path": output,
        "seconds": round(speech.seconds, 3),
        "spoken_in_seconds": round(seconds, 3),
        "pieces": finished,
        "pieces_wanted": pieces,
        "stop_reason": speech.stop_reason,
        "speech_tokens": len(speech.speech_tokens),
        "timings": {stage: round(took, 4) for stage, took in asdict(speech.timings).items()},
        "text": speech.text,
    }


def talk(told: dict) -> None:
    """Say in one line what was done, on standard error."""
    line = f"{told['path']}: {told['seconds']:.1f} s of speech in {told['spoken_in_seconds']:.1f} s"
    if told["pieces"] < told["pieces_wanted"]:
        line += f"; {told['pieces']} of {told['pieces_wanted']} pieces, not the whole text"
    if told["stop_reason"] != "end":
        line += f"; did not end by itself ({told['stop_reason']}): another --seed may be better"
    print(line, file=sys.stderr)


def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="WAV, FLAC, OGG or MP3; - is standard output.")
    ] = "speech.wav",
    voice: Annotated[
        str | None, typer.Option("--voice", help="A voice of the model, or a saved voice.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another take.")] = 0,
    model: Annotated[str, typer.Option("--model", help="A built-in model or a folder.")] = DEFAULT,
    mode: Annotated[
        str | None, typer.Option("--mode", help="zero-shot, cross-lingual or instruct.")
    ] = None,
    instruct: Annotated[
        str | None, typer.Option("--instruct", help="How to speak, in words, where a model can.")
    ] = None,
    normalize: Annotated[
        bool, typer.Option("--normalize/--no-normalize", help="Write numbers as words first.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Report as one JSON line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")] = False,
) -> None:
    """Speak text into a sound file.

    mamtra say "Hello there." -o hello.wav

    echo "Hello there." | mamtra say - -o - | aplay
    """
    if as_json and output == STANDARD:
        raise typer.BadParameter("--json and -o - would both write to standard output")
    words = read_text(text)
    if output != STANDARD:
        check_target(output)
    locate(model)

    # torch loads here: not for --help, and not when there is nothing to do
    from mamtra.synthesis.speech import Timings, join
    from mamtra.synthesis.synthesizer import load

    synthesizer = load(model)
    chosen = synthesizer.voice(voice)
    manner = synthesizer.manner(chosen, mode, instruct, normalize)
    started = time.perf_counter()
    pieces = synthesizer.pieces(words, normalize)
    reading = Timings(text=time.perf_counter() - started)
    spoken = synthesizer.speak(pieces, chosen, seed, manner)
    finished, problem = collect(with_progress(spoken, len(pieces), quiet))
    if finished:
        speech = join(finished)
        speech = replace(speech, timings=speech.timings + reading)
        deliver(speech, output)
        seconds = time.perf_counter() - started
        told = report(speech, len(finished), len(pieces), output, seconds)
        if as_json:
            print(json.dumps(told))
        elif not quiet:
            talk(told)
    if isinstance(problem, KeyboardInterrupt):
        raise typer.Exit(INTERRUPTED)
    if problem is not None:
        raise problem
