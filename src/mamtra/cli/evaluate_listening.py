"""``mamtra evaluate blind`` and ``listening``: ask people, and sum up what they answered."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mamtra.errors import ConfigError


def evaluate_blind(
    wavs: Annotated[
        list[Path], typer.Option("--wavs", help="Two folders of recordings of the same lines.")
    ],
    sentences: Annotated[
        str, typer.Option("--sentences", help="One a line, meta.lst, or a set's name.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the test.")],
    count: Annotated[int, typer.Option("--count", min=1, help="Lines to compare.")] = 20,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Random seed of lines, order and sides.")
    ] = 0,
) -> None:
    """Write a blind test of two systems: a page to hand out, and a key to keep.

    mamtra evaluate blind --wavs out/wavs/nano/0 --wavs theirs --sentences lines.txt -o blind
    """
    from mamtra.evaluation.listening import KEY, PAGE, write_test
    from mamtra.evaluation.named_sets import open_set
    from mamtra.evaluation.systems import file_of_each_line

    if len(wavs) != 2:
        raise ConfigError(f"a blind test compares two folders, not {len(wavs)}; give --wavs twice")
    lines = open_set(sentences)
    names = [str(path) for path in wavs]
    systems = {name: file_of_each_line(path, lines) for name, path in zip(names, wavs, strict=True)}
    if len(systems) != 2:
        raise ConfigError(f"both --wavs are {names[0]!r}; a system cannot be compared with itself")
    pairs = write_test(output, systems, lines.lines, count, seed)
    print(output / PAGE / "index.html")
    print(f"{pairs} pairs; keep {output / KEY} to yourself", file=sys.stderr)


def evaluate_listening(
    answers: Annotated[list[Path], typer.Argument(help="What listeners saved.")],
    key: Annotated[Path, typer.Option("--key", help="key.json of the test.")],
    as_json: Annotated[bool, typer.Option("--json", help="Report as one JSON line.")] = False,
) -> None:
    """Sum up a blind test: comparison mean opinion score with its interval, and preferences.

    mamtra evaluate listening answers/*.json --key blind/key.json
    """
    import json

    from mamtra.evaluation.listening import opinion

    found = opinion(key, answers)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    print(f"{found.better} against {found.other}: CMOS {found.cmos.signed}")
    print(
        f"preferred {found.preferred:.0f} %, the same {found.tied:.0f} %, "
        f"rejected {found.rejected:.0f} %; {found.listeners} listeners"
    )
    for listener, reason in found.left_out.items():
        print(f"left out: {listener} {reason}", file=sys.stderr)
