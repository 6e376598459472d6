"""The program ``mamtra``: a table of commands.

A command's file is imported only when that command was asked for, so ``mamtra --help`` answers
without loading torch. To add a command, write a function (or a ``typer.Typer`` with commands of its
own) in a file beside this one and add its row to the table.
"""

import importlib
import sys
from typing import Annotated, Any

import typer

import mamtra
from mamtra.errors import MamtraError

# name: (where it is, what it does)
COMMANDS = {
    "say": ("mamtra.cli.say:say", "Speak text into a sound file."),
    "voices": ("mamtra.cli.voices:voices", "List the voices of a model."),
    "voice": ("mamtra.cli.voice:app", "Make a voice from a recording, or show one."),
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


def fetch(place: str) -> Any:
    """Import what a row of the table names."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def not_loaded() -> None:
    """Stand for a command that was not asked for."""


def show_version(wanted: bool) -> bool:
    """Print the version and end, if that is wanted."""
    if wanted:
        print(f"mamtra {mamtra.__version__}")
        raise typer.Exit()
    return wanted


def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Hybrid Mamba-Transformer speech synthesis: speak, train, convert, measure."""


def program(wanted: str | None) -> typer.Typer:
    """The command line with one command loaded and the others known by name only."""
    app = typer.Typer(
        name="mamtra", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(options)
    for name, (place, summary) in COMMANDS.items():
        command = fetch(place) if name == wanted else not_loaded
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, help=summary)
        else:
            app.command(name, help=None if name == wanted else summary)(command)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with a documented exit code (docs/commands.md)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    wanted = next((argument for argument in arguments if not argument.startswith("-")), None)
    try:
        program(wanted)(arguments, prog_name="mamtra")
    except MamtraError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
