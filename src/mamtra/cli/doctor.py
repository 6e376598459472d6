"""``mamtra doctor``: what this installation can do, and why not more."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Tell what this installation can do, and why not more; ends with 1 if it cannot speak."""
    # packages load here and not for --help
    from mamtra.cli.findings import findings

    report = findings()
    if as_json:
        print(json.dumps([asdict(finding) for finding in report]))
    else:
        for finding in report:
            mark = "--" if finding.optional else "ok" if finding.good else "!!"
            print(f"{mark}  {finding.about:21} {finding.found}")
            if finding.advice:
                print(f"    {'':21} -> {finding.advice}")
    if not all(finding.good for finding in report):
        print("this installation cannot speak by itself yet", file=sys.stderr)
        raise typer.Exit(1)
