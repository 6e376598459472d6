"""``mamtra say``: speak text into a sound file."""

import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from mamtra.audio.clip import check_target
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.options import (
    STANDARD,
    AsJson,
    Device,
    FlowContext,
    Mark,
    Model,
    Proofread,
    Seed,
    Threads,
)
from mamtra.cli.say_batch import Sharing, say_lines
from mamtra.cli.say_stream import say_stream
from mamtra.cli.say_whole import say_whole
from mamtra.errors import TextError
from mamtra.text.files import lines_of_input, read_standard_input, read_text_file

DEFAULT_OUTPUT = "speech.wav"
ROWS = 8  # of a batch
OVER = "processes"  # are a batch's workers
SHOWN = 40  # letters of a text that a message repeats


def checked_words(text: str) -> str:
    """The text itself.

    Raises:
        TextError: there are no words in it.
    """
    if not text.strip():
        raise TextError("the text is empty; give a sentence, or - to read standard input")
    return text


def hint_at_file(text: str) -> None:
    """Say how a file is spoken, if the text is the name of one."""
    with suppress(OSError, ValueError):  # a text that no file can be named
        if Path(text).is_file():
            print(f"note: {text} is a file; to say what is in it: --file {text}", file=sys.stderr)


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
    if batch is not None and (text is not None or output in (None, "", STANDARD)):
        raise typer.BadParameter("--batch takes no text; it needs -o FOLDER")
    if batch is not None and state != "fresh":
        raise typer.BadParameter("--batch speaks every piece fresh; leave --state out")
    if batch is not None and stream:
        raise typer.BadParameter("--batch writes whole files; leave --stream out")
    if batch is None and text is None:
        raise typer.BadParameter("give a text, -, --file FILE or --batch FILE")
    if as_json and output == STANDARD:
        raise typer.BadParameter("--json and -o - would both write to standard output")
    if stream and state != "fresh":
        raise typer.BadParameter("--stream speaks each piece afresh; leave --state out")
    if timestamps is not None and (stream or batch is not None):
        raise typer.BadParameter("--timestamps is for one text in a file; leave the other out")


def check_alone(rows: int, workers: int, over: str, shard: str | None) -> None:
    """Refuse options of a batch for a single text, which would not heed them.

    Raises:
        typer.BadParameter: one was given.
    """
    given = {
        "--rows": rows != ROWS,
        "--workers": workers != 1,
        "--over": over != OVER,
        "--shard": shard is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise typer.BadParameter(f"{name} is for --batch FILE; leave it out for a single text")


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
    seed: Seed = 0,
    model: Model = DEFAULT,
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
    proofread: Proofread = True,
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
    ] = ROWS,
    mark: Mark = True,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes that share a batch.")
    ] = 1,
    over: Annotated[
        str, typer.Option("--over", help="Of the workers: processes or a ray cluster.")
    ] = OVER,
    shard: Annotated[
        str | None, typer.Option("--shard", help="2/4: only the second of four shares of a batch.")
    ] = None,
    device: Device = "cpu",
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype", help="Number type of the language model: float32, bfloat16, int8, int4."
        ),
    ] = "auto",
    engine: Annotated[
        str, typer.Option("--engine", help="onnx on a CPU, torch, eager or graph; auto decides.")
    ] = "auto",
    threads: Threads = 0,
    flow_steps: Annotated[
        int | None,
        typer.Option("--flow-steps", min=1, help="Of a decoder with a flow; fewer are faster."),
    ] = None,
    flow_dtype: Annotated[
        str, typer.Option("--flow-dtype", help="Of the flow: float32, bfloat16; auto decides.")
    ] = "auto",
    flow_context: FlowContext = 0,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Speak text into a sound file.

    mamtra say "Hello there." -o hello.wav

    echo "Hello there." | mamtra say - -o - | aplay

    mamtra say - --stream -o - < book.txt | aplay

    mamtra say --batch lines.jsonl -o folder
    """
    if file and text is not None:
        raise TextError(f"the text {text[:SHOWN]!r} and --file were given; give one of them")
    from_input = text == STANDARD  # a file that holds a dash alone is a text
    text = read_text_file(file) if file else text
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
        "streams": rows if batch is not None else 1,
    }
    check_usage(text, output, state, batch, timestamps, stream=stream, as_json=as_json)
    if batch is None:
        check_alone(rows, workers, over, shard)
    words = ""
    if text is not None and not (stream and from_input):
        words = checked_words(read_standard_input() if from_input else text)
    target = DEFAULT_OUTPUT if output is None else output
    if batch is None and target != STANDARD:
        check_target(target)
    locate(model)

    # numpy and the engine load here: not for --help, and not when there is nothing to do
    from mamtra.audio.mark import mark_or_nothing
    from mamtra.synthesis.load import load
    from mamtra.synthesis.options import SpeakOptions
    from mamtra.text.lexicon import read_lexicon

    if quiet:
        logging.getLogger("mamtra").setLevel(logging.ERROR)
    how: dict[str, Any] = {
        "voice": voice,
        "seed": seed,
        "mode": mode,
        "instruct": instruct,
        "normalize": normalize,
        "lexicon": read_lexicon(lexicon) if lexicon else None,
        "speed": speed,
        "proofread": proofread,
    }
    options = SpeakOptions(**how, state=state)
    told: dict[str, Any] = {"as_json": as_json, "quiet": quiet}
    if batch is not None:
        sharing, folder = Sharing.of(shard, workers, over), Path(target)
        say_lines(batch, folder, model, options, rows, run, mark=mark, sharing=sharing, **told)
        return
    comment = mark_or_nothing(mark)
    synthesizer = load(model, **run)
    if stream:
        say_stream(synthesizer, words or lines_of_input(), how, target, comment, **told)
    else:
        say_whole(synthesizer, words, options, target, comment, timestamps, **told)
