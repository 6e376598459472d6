"""``mamtra doctor``: what this installation can do, and why not more."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from mamtra.cli.options import AsJson
from mamtra.errors import ConfigError


def doctor(
    as_json: AsJson = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Examine this model instead: name or folder.")
    ] = None,
    voice: Annotated[
        str | None, typer.Option("--voice", help="Of the sentence that the model speaks.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="Who hears it: pocketsphinx, whisper:base.")
    ] = None,
) -> None:
    """Tell what this installation can do, and why not more; ends with 1 if it cannot speak.

    mamtra doctor

    mamtra doctor --model cosyvoice2 --voice me.safetensors --judge whisper:base

    With --model: whether its files are complete, whether its graphs say what its modules say (a
    digest of five tensors each), and one sentence; a page to paste into an issue.
    """
    # packages load here and not for --help
    from mamtra.cli.findings import findings, machine

    if model is None:
        if voice or judge:
            raise ConfigError("--voice and --judge examine a model; name it with --model")
        report, unable = findings(), "this installation cannot speak by itself yet"
    else:
        from mamtra.checkpoints.format import ModelFolder
        from mamtra.checkpoints.locate import locate
        from mamtra.cli.model_findings import model_findings

        folder = ModelFolder(locate(model))
        report = [*machine(), *model_findings(folder, voice, judge)]
        unable = f"model {folder.config.name!r} is not as it should be"
    if as_json:
        print(json.dumps([asdict(finding) for finding in report]))
    else:
        for finding in report:
            mark = "--" if finding.optional else "ok" if finding.good else "!!"
            print(f"{mark}  {finding.about:21} {finding.found}")
            if finding.advice:
                print(f"    {'':21} -> {finding.advice}")
    if not all(finding.good for finding in report):
        print(unable, file=sys.stderr)
        raise typer.Exit(1)
