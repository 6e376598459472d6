"""``mamtra say``: speak text into a sound file.

Pieces are written as they are spoken, so a book needs no more memory than a sentence. What was
finished when somebody pressed Ctrl-C, or when a later piece failed, can be played all the same.
"""

import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from mamtra.audio.clip import check_target
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.say_batch import Sharing, say_lines
from mamtra.cli.say_stream import deliver_stream
from mamtra.cli.stop_reasons import ENDED, doubtful
from mamtra.errors import GenerationError, MamtraError, TextError
from mamtra.text.files import lines_of_input, read_standard_input, read_text_file

if TYPE_CHECKING:
    from mamtra.synthesis.long_text import Written
    from mamtra.synthesis.speech import Speech
    from mamtra.synthesis.stream import AudioPiece

STANDARD = "-"  # in place of a text or a path: standard input, standard output
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
DEFAULT_OUTPUT = "speech.wav"
SHOWN = 40  # letters of a text that a message repeats


def read_text(text: str) -> str:
    """The text itself, or standard input for ``-``.

    Raises:
        TextError: there are no words in it.
    """
    if text == STANDARD:
        text = read_standard_input()
    if not text.strip():
        raise TextError("the text is empty; give a sentence, or - to read standard input")
    return text


def text_of_file(text: str | None, path: Path) -> str:
    """What a text file holds.

    Raises:
        TextError: it cannot be read, is not UTF-8, or a text was given as well.
    """
    if text is not None:
        raise TextError(f"the text {text[:SHOWN]!r} and --file were given; give one of them")
    return read_text_file(path)


def hint_at_file(text: str) -> None:
    """Say how a file is spoken, if the text is the name of one."""
    with suppress(OSError, ValueError):  # a text that no file can be named
        if Path(text).is_file():
            print(f"note: {text} is a file; to say what is in it: --file {text}", file=sys.stderr)


def with_progress(spoken: Iterator["Speech"], pieces: int, quiet: bool) -> Iterator["Speech"]:
    """The same pieces, with a bar on standard error if there are several and somebody watches."""
    if quiet or pieces < 2 or not sys.stderr.isatty():
        yield from spoken
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(spoken, "speaking", total=pieces, console=Console(stderr=True), transient=True)


def target(output: str, special: bool) -> AbstractContextManager[BinaryIO]:
    """Where a whole sound goes: standard output, or something that is no plain file (a fifo)."""
    return Path(output).open("wb") if special else nullcontext(sys.stdout.buffer)


def deliver(spoken: Iterator["Speech"], output: str, rate: int, comment: str) -> "Written":
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
def word_times(spoken: Iterator["Speech"], path: Path | None) -> Iterator[Iterator["Speech"]]:
    """The same pieces; at the end, when each word is heard is written to a file, if one is given.

    Raises:
        ConfigError: the file's suffix is none of those known.
        MissingExtraError: pocketsphinx is not installed.
        AudioError: the file cannot be written.
    """
    if path is None:
        yield spoken
        return
    from mamtra.synthesis.word_times import WordLog, check_suffix, write_subtitles

    check_suffix(path)
    log = WordLog()

    def noted() -> Iterator["Speech"]:
        for speech in spoken:
            log.add(speech.audio, speech.text, speech.pause_seconds)
            yield speech

    yield noted()
    write_subtitles(log.words, path)


def report(written: "Written", pieces: int, output: str, seconds: float) -> dict:
    """What is told about the result."""
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


def talk(told: dict) -> None:
    """Say in one line what was done, on standard error."""
    line = f"{told['path']}: {told['seconds']:.1f} s of speech in {told['spoken_in_seconds']:.1f} s"
    if told["pieces"] < told["pieces_wanted"]:
        line += f"; {told['pieces']} of {told['pieces_wanted']} pieces, not the whole text"
    print(line, file=sys.stderr)


def advise(state: str, reads_prompts: bool, quiet: bool) -> None:
    """Warn of a choice that makes a model worse."""
    if state == "carry" and not reads_prompts and not quiet:
        print(
            "note: this model does not read prompts; with --state carry it may lose more words",
            file=sys.stderr,
        )


def conclude(written: "Written", told: dict, as_json: bool, quiet: bool) -> None:
    """Tell what was done, if anything was, and end.

    Raises:
        GenerationError: a piece did not end by itself; what was spoken is written all the same.
    """
    if written.seconds and as_json:
        print(json.dumps(told))
    elif written.seconds and not quiet:
        talk(told)
    end(written.problem)
    if written.stop_reason != ENDED:
        raise GenerationError(doubtful(written.stop_reasons, told["path"]))


def end(problem: BaseException | None) -> None:
    """End as somebody who pressed Ctrl-C, or an error, asked for."""
    if isinstance(problem, KeyboardInterrupt):
        raise typer.Exit(INTERRUPTED)
    if problem is not None:
        raise problem


def write_flowing(
    pieces: Iterator["AudioPiece"],
    output: str,
    rate: int,
    comment: str,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write what flows out of ``Synthesizer.stream``, and tell about it."""
    started = time.perf_counter()
    written, first_audio = deliver_stream(pieces, output, rate, comment)
    told = report(written, written.pieces, output, time.perf_counter() - started)
    told["first_audio_seconds"] = round(first_audio, 4)
    conclude(written, told, as_json, quiet)


def check_usage(
    text: str | None,
    output: str | None,
    state: str,
    batch: str | None,
    timestamps: Path | None,
    *,
    stream: bool,
    as_json: bool,
) -> None:
    """Refuse options that contradict each other.

    Raises:
        typer.BadParameter: some do.
    """
    if batch is not None and (text is not None or output in (None, STANDARD)):
        raise typer.BadParameter("--batch takes no text; it needs -o FOLDER")
    if batch is not None and state != "fresh":
        raise typer.BadParameter("--batch speaks every piece fresh; leave --state out")
    if batch is None and text is None:
        raise typer.BadParameter("give a text, -, --file FILE or --batch FILE")
    if as_json and output == STANDARD:
        raise typer.BadParameter("--json and -o - would both write to standard output")
    if stream and state != "fresh":
        raise typer.BadParameter("--stream speaks each piece afresh; leave --state out")
    if timestamps is not None and (stream or batch is not None):
        raise typer.BadParameter("--timestamps is for one text in a file; leave the other out")


def say(
    text: Annotated[str | None, typer.Argument(help="What to say; - reads standard input.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Say what is in a text file.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="WAV, FLAC, OGG or MP3; - is standard output. [speech.wav]"
        ),
    ] = None,
    voice: Annotated[
        str | None, typer.Option("--voice", help="A voice of the model, or a saved voice.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Random seed; another seed is another take.")
    ] = 0,
    model: Annotated[str, typer.Option("--model", help="A built-in model or a folder.")] = DEFAULT,
    mode: Annotated[
        str | None, typer.Option("--mode", help="zero-shot, cross-lingual or instruct.")
    ] = None,
    instruct: Annotated[
        str | None, typer.Option("--instruct", help="How to speak, in words, where a model can.")
    ] = None,
    normalize: Annotated[
        bool,
        typer.Option(
            "--normalize/--no-normalize", help="Speak numbers and abbreviations as words."
        ),
    ] = True,
    lexicon: Annotated[
        Path | None,
        typer.Option(
            "--lexicon", help="How names are said: word, tab, phones or respelling; one a line."
        ),
    ] = None,
    state: Annotated[
        str,
        typer.Option("--state", help="Each piece anew (fresh), or go on from the last (carry)."),
    ] = "fresh",
    speed: Annotated[
        float, typer.Option("--speed", help="How fast, 0.5 to 2, at the same pitch.")
    ] = 1.0,
    timestamps: Annotated[
        Path | None,
        typer.Option("--timestamps", help="Write when each word is heard: .json, .srt or .vtt."),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Write sound as it is made; read lines as they come.")
    ] = False,
    batch: Annotated[
        str | None, typer.Option("--batch", help="Many texts, one JSON object a line; -o FOLDER.")
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", min=1, help="Pieces of a batch that are spoken at once.")
    ] = 8,
    mark: Annotated[
        bool,
        typer.Option("--mark/--no-mark", help="Say in the file that its speech is artificial."),
    ] = True,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes that share a batch.")
    ] = 1,
    over: Annotated[
        str, typer.Option("--over", help="Of the workers: processes or a ray cluster.")
    ] = "processes",
    shard: Annotated[
        str | None, typer.Option("--shard", help="2/4: only the second of four shares of a batch.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype", help="Number type of the language model: float32, bfloat16, int8, int4."
        ),
    ] = "auto",
    engine: Annotated[
        str, typer.Option("--engine", help="onnx on a CPU, torch, eager or graph; auto decides.")
    ] = "auto",
    threads: Annotated[
        int, typer.Option("--threads", min=0, help="CPU threads; 0 decides by the model's size.")
    ] = 0,
    flow_steps: Annotated[
        int | None,
        typer.Option("--flow-steps", min=1, help="Of a decoder with a flow; fewer are faster."),
    ] = None,
    flow_dtype: Annotated[
        str, typer.Option("--flow-dtype", help="Of the flow: float32, bfloat16; auto decides.")
    ] = "auto",
    flow_context: Annotated[
        int,
        typer.Option("--flow-context", min=0, help="Seconds that a stream's flow remembers."),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Report as one JSON line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Speak text into a sound file.

    mamtra say "Hello there." -o hello.wav

    echo "Hello there." | mamtra say - -o - | aplay

    mamtra say - --stream -o - < book.txt | aplay

    mamtra say --batch lines.jsonl -o folder
    """
    text = text_of_file(text, file) if file else text
    if text is not None and not file and not quiet:
        hint_at_file(text)
    run = {
        "device": device,
        "dtype": dtype,
        "engine": engine,
        "threads": threads,
        "flow_steps": flow_steps or 0,
        "flow_dtype": flow_dtype,
        "flow_context": flow_context,
    }
    check_usage(text, output, state, batch, timestamps, stream=stream, as_json=as_json)
    words = read_text(text) if text is not None and not (stream and text == STANDARD) else ""
    if batch is None and output != STANDARD:
        check_target(output or DEFAULT_OUTPUT)
    locate(model)

    # numpy and the engine load here: not for --help, and not when there is nothing to do
    from mamtra.audio.mark import mark_or_nothing
    from mamtra.synthesis.load import load
    from mamtra.synthesis.options import SpeakOptions
    from mamtra.text.lexicon import read_lexicon

    if quiet:
        logging.getLogger("mamtra").setLevel(logging.ERROR)
    names = read_lexicon(lexicon) if lexicon else None
    options = SpeakOptions(
        voice=voice,
        seed=seed,
        mode=mode,
        instruct=instruct,
        normalize=normalize,
        state=state,
        lexicon=names,
        speed=speed,
    )
    if batch is not None:
        folder = Path(output or "")
        sharing = Sharing.of(shard, workers, over)
        say_lines(
            batch,
            folder,
            model,
            options,
            rows,
            run,
            as_json=as_json,
            quiet=quiet,
            mark=mark,
            sharing=sharing,
        )
        return
    comment = mark_or_nothing(mark)
    output = output or DEFAULT_OUTPUT
    synthesizer = load(model, **run)
    if stream:
        flowing = synthesizer.stream(
            words or lines_of_input(),
            voice,
            seed,
            mode=mode,
            instruct=instruct,
            normalize=normalize,
            lexicon=names,
            speed=speed,
        )
        write_flowing(flowing, output, synthesizer.rate, comment, as_json=as_json, quiet=quiet)
        return
    advise(state, synthesizer.text.reads_prompts, quiet)
    started = time.perf_counter()
    speaker = synthesizer.speaker(options)
    paragraphs = speaker.paragraphs(words)
    reading = time.perf_counter() - started
    pieces = sum(map(len, paragraphs))
    spoken = with_progress(synthesizer.speak(paragraphs, options), pieces, quiet)
    with word_times(spoken, timestamps) as noted:
        written = deliver(noted, output, synthesizer.rate, comment)
    written.compute_seconds = replace(
        written.compute_seconds, text=written.compute_seconds.text + reading
    )
    told = report(written, pieces, output, time.perf_counter() - started)
    conclude(written, told | {"notes": speaker.notes(words)}, as_json, quiet)
