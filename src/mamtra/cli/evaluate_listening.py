"""``mamtra evaluate blind`` and ``listening``: ask people, and sum up what they answered."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mamtra.cli.options import AsJson, Seed
from mamtra.errors import ConfigError


def evaluate_blind(
    wavs: Annotated[
        list[Path], typer.Option("--wavs", help="Folders of recordings of the same lines.")
    ],
    sentences: Annotated[
        str, typer.Option("--sentences", help="One a line, meta.lst, or a set's name.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the test.")],
    form: Annotated[
        str, typer.Option("--form", help="ab: which of two is better; mos: how good is each.")
    ] = "ab",
    count: Annotated[int, typer.Option("--count", min=1, help="Lines to compare.")] = 20,
    seed: Seed = 0,
) -> None:
    """Write a blind test: a page to hand out, and a key to keep.

    mamtra evaluate blind --wavs out/wavs/nano/0 --wavs theirs --sentences lines.txt -o blind

    mamtra evaluate blind --form mos --wavs a --wavs b --wavs c --sentences lines.txt -o blind
    """
    from mamtra.evaluation.listening import write_test
    from mamtra.evaluation.listening_form import KEY, PAGE
    from mamtra.evaluation.listening_mos import write_mos_test
    from mamtra.evaluation.named_sets import open_set
    from mamtra.evaluation.systems import file_of_each_line

    if form not in ("ab", "mos"):
        raise ConfigError(f"form {form!r} is unknown; known: ab, mos")
    if form == "ab" and len(wavs) != 2:
        raise ConfigError(
            f"the form ab compares two folders, not {len(wavs)}; give --wavs twice, or --form mos"
        )
    lines = open_set(sentences)
    names = [str(path) for path in wavs]
    systems = {name: file_of_each_line(path, lines) for name, path in zip(names, wavs, strict=True)}
    if len(systems) != len(wavs):
        raise ConfigError("two --wavs are the same; a system cannot be compared with itself")
    write = write_test if form == "ab" else write_mos_test
    questions = write(output, systems, lines.lines, count, seed)
    print(output / PAGE / "index.html")
    print(f"{questions} questions; keep {output / KEY} to yourself", file=sys.stderr)


def evaluate_listening(
    answers: Annotated[list[Path], typer.Argument(help="What listeners saved.")],
    key: Annotated[Path, typer.Option("--key", help="key.json of the test.")],
    as_json: AsJson = False,
) -> None:
    """Sum up a blind test: comparison or mean opinion scores with intervals, and preferences.

    mamtra evaluate listening answers/*.json --key blind/key.json
    """
    import json

    from mamtra.evaluation.listening import Opinion, opinion
    from mamtra.evaluation.listening_form import read_key
    from mamtra.evaluation.listening_mos import ratings

    test = read_key(key)
    found = (opinion if test.get("form", "ab") == "ab" else ratings)(test, answers)
    for listener, reason in found.left_out.items():
        print(f"left out: {listener} {reason}", file=sys.stderr)
    if as_json:
        print(json.dumps(asdict(found)))
    elif isinstance(found, Opinion):
        print(f"{found.better} against {found.other}: CMOS {found.cmos.signed}")
        print(
            f"preferred {found.preferred:.0f} %, the same {found.tied:.0f} %, "
            f"rejected {found.rejected:.0f} %; {found.listeners} listeners"
        )
    else:
        for system, mos in found.mos.items():
            print(f"{system}: MOS {mos.value:.2f} ({mos.low:.2f} to {mos.high:.2f})")
        print(f"{found.listeners} listeners")
