"""The program ``mamtra``: a table of commands.

A command's file is imported only when that command was asked for, so ``mamtra --help`` answers
without loading torch. To add a command, write a function (or a ``typer.Typer`` with commands of its
own) in a file beside this one and add its row to the table.
"""

import errno
import gc
import importlib
import re
import signal
import sys
from typing import Annotated, Any

import typer

import mamtra
from mamtra.cli.signals import INTERRUPTED, interrupting_signals
from mamtra.cli.streams import complain, flush_output, open_streams, silence_output
from mamtra.errors import MamtraError, MissingExtraError, thread_refused
from mamtra.extras import install_command

# name: (where it is, what it does)
COMMANDS = {
    "say": ("mamtra.cli.say:say", "Speak text into a sound file."),
    "voices": ("mamtra.cli.voices:voices", "List the voices of a model."),
    "voice": ("mamtra.cli.voice:app", "Make a voice from a recording, or show one."),
    "serve": ("mamtra.cli.serve:serve", "Serve speech over HTTP, with a page."),
    "doctor": ("mamtra.cli.doctor:doctor", "Tell what this installation can do, and why not more."),
    "corpus": ("mamtra.cli.corpus:app", "Make a corpus of synthetic speech."),
    "nano": ("mamtra.cli.nano:nano", "Make nano again, stage by stage."),
    "evaluate": ("mamtra.cli.evaluate:app", "Measure how well a model speaks."),
    "fetch": ("mamtra.cli.fetch:fetch", "Fetch a model from huggingface.co."),
    "import": ("mamtra.cli.import_:import_", "Turn a published checkpoint into a model folder."),
    "convert": ("mamtra.cli.convert:convert", "Turn a Transformer speech model into a hybrid."),
    "prepare": ("mamtra.cli.prepare:app", "Turn recordings into shards to train from."),
    "distill": ("mamtra.cli.distill:distill", "Train a student to speak like its teacher."),
    "place": ("mamtra.cli.place:place", "Rank a teacher's attention layers."),
    "export": ("mamtra.cli.export:export", "Write a language model for other engines."),
    "lab": ("mamtra.cli.lab:lab", "Run experiments on the transfer, at nano size."),
    "plan": ("mamtra.cli.plan:plan", "Tell how many bytes a model will need."),
    "bench": ("mamtra.cli.bench:app", "Measure what speaking costs."),
}


HINTS = {  # what people type, and what they mean
    ("voice", "list"): "mamtra voices",
    ("list",): "mamtra voices",
    ("models",): "mamtra doctor",
    ("speak",): "mamtra say",
}
PLAIN_WORDS = (  # typer's words for what an option takes, and plain ones
    (re.compile(r"is not a valid int(?:eger)?(?: range)?$"), "is not a whole number"),
    (re.compile(r"is not a valid float(?: range)?$"), "is not a number"),
)
SUGGESTION = re.compile(r"possible options|did you mean", re.IGNORECASE)  # of an option
DASHED_TEXT = (
    "a text that begins with a dash goes behind -- at the end (mamtra say -o a.wav -- "
    '"-5 degrees") or to standard input (mamtra say -)'
)
TORCH_PACKAGES = ("torch", "einops")  # that only the extra torch brings
MANY_OBJECTS = 20_000  # between two looks for garbage; Python's own 700 costs a start a fortieth
READER_GONE = 141  # 128 + SIGPIPE, as shells report it
LONGEST = 1500  # letters of a message; a name in it may have thousands
# typer exports its children only
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # pyright: ignore[reportAssignmentType]


def fetch(target: str) -> Any:
    """Import what a row of the table names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def show_version(wanted: bool) -> bool:
    """Print the version and end, if that is wanted."""
    if wanted:
        print(f"mamtra {mamtra.__version__}")
        raise typer.Exit()
    return wanted


def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Hybrid Mamba-Transformer speech synthesis: speak, train, convert, measure."""


def program(wanted: str | None) -> typer.Typer:
    """The command line with one command loaded and the others known by name only."""
    app = typer.Typer(
        name="mamtra",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for name, (target, summary) in COMMANDS.items():
        command = fetch(target) if name == wanted else lambda: None
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, help=summary)
        else:
            app.command(name, help=None if name == wanted else summary)(command)
    return app


def usage(problem: Any, words: list[str]) -> str:
    """What was wrong with a call, in one sentence; empty where help was shown instead."""
    if type(problem).__name__ == "NoArgsIsHelpError":
        return problem.format_message()
    message = " ".join(problem.format_message().split()).removeprefix("Invalid value: ")
    message = message.replace(". Did you mean", "; did you mean").rstrip(".?")
    for said, plain in PLAIN_WORDS:
        message = said.sub(plain, message)
    known = "mamtra " + words[0] if words and words[0] in COMMANDS else "mamtra"
    called = getattr(problem.ctx, "command_path", known)
    hint = HINTS.get(tuple(words[:2])) or HINTS.get(tuple(words[:1]))
    if words[:1] == ["say"] and "unexpected extra argument" in message:
        return 'error: put the text into quotes: mamtra say "Hello there."'
    no_option = message.startswith("No such option") and not SUGGESTION.search(message)
    if words[:1] == ["say"] and no_option:
        message += f"; {DASHED_TEXT}"
    if hint and "No such command" in message:
        return f"error: there is no command {' '.join(words)!r}; you may mean: {hint}"
    return f"error: {message[:1].lower()}{message[1:]}; see: {called} --help"


def shortened(message: str) -> str:
    """A message without the middle, where it is longer than anybody reads."""
    if len(message) <= LONGEST:
        return message
    return f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"


def out_of_memory(problem: RuntimeError) -> bool:
    """Whether PyTorch could not get what it asked for; it has no class of its own on a CPU."""
    return "allocate memory" in str(problem) or type(problem).__name__ == "OutOfMemoryError"


def system_problem(problem: BaseException) -> str:
    """What the operating system refused, in one sentence."""
    if isinstance(problem, OSError):
        what = problem.strerror or str(problem) or type(problem).__name__
        name = f"{problem.filename}: " if problem.filename else ""
        if problem.errno == errno.ENOSPC and not name:
            name = "not everything was written: "
        message = f"{name}{what[:1].lower()}{what[1:]}"
    elif isinstance(problem, RecursionError):
        message = "the input is nested too deeply"
    elif thread_refused(problem):
        message = (
            "the system gives no further thread; end other programs, or raise the limit of "
            "processes (ulimit -u) or of memory"
        )
    elif isinstance(problem, MemoryError | RuntimeError):
        message = "not enough memory"
    else:
        message = str(problem)
    return f"error: {shortened(message)}"


def ended_by(arguments: list[str], words: list[str]) -> Any:
    """What a command returns.

    Raises:
        MissingExtraError: it needs torch, which is not installed.
    """
    try:
        return program(words[0] if words else None)(
            arguments, prog_name="mamtra", standalone_mode=False
        )
    except ModuleNotFoundError as missing:
        if missing.name not in TORCH_PACKAGES:
            raise
        raise MissingExtraError(
            f"mamtra {words[0]} needs the package {missing.name!r}, which is not installed; "
            f"run: {install_command('torch')}"
        ) from missing


def run(arguments: list[str]) -> int:
    """One command; its exit code. Whatever ends it early is told in one line."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    try:
        status = ended_by(arguments, words)
        flush_output()
        return status if isinstance(status, int) else 0
    except UsageError as problem:
        complain(usage(problem, words))
        return 2
    except MamtraError as problem:
        complain(f"error: {shortened(str(problem))}")
        return problem.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as ended:  # typer's answer to a broken pipe
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        silence_output()
        return READER_GONE
    except BrokenPipeError:
        silence_output()
        return READER_GONE
    except (OSError, MemoryError, RuntimeError) as problem:
        if isinstance(problem, RuntimeError) and not (
            isinstance(problem, RecursionError) or out_of_memory(problem) or thread_refused(problem)
        ):
            raise
        silence_output()
        complain(system_problem(problem))
        return 1


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with a documented exit code (docs/commands.md)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    gc.set_threshold(MANY_OBJECTS)
    open_streams()
    with interrupting_signals() as received:
        status = run(arguments)
    if status == INTERRUPTED:
        status = received.exit_code or INTERRUPTED
        complain(
            f"stopped{f' by {signal.Signals(received.signal).name}' if received.signal else ''}"
        )
    sys.exit(status)


if __name__ == "__main__":
    main()
