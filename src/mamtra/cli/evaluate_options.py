"""Options that several commands of ``mamtra evaluate`` have, each said once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

JUDGE = "pocketsphinx"  # who hears where nobody else is asked for
NOBODY = "none"  # in place of a judge: only how speech ended is counted

Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first lines.")]
Judge = Annotated[
    list[str] | None,
    typer.Option(
        "--judge",
        help="Who hears the words: pocketsphinx, pocketsphinx:unigram, whisper:FOLDER; repeatable. "
        "none: nobody; how speech ended is counted all the same.",
    ),
]
Quality = Annotated[
    list[str] | None,
    typer.Option(
        "--quality",
        help="Who rates naturalness: distillmos, dnsmos; pitch measures its spread; repeatable.",
    ),
]
Similarity = Annotated[
    list[str] | None,
    typer.Option("--similarity", help="Who compares voices: resemblyzer; repeatable."),
]
Reference = Annotated[
    Path | None,
    typer.Option("--reference", help="A recording of the right voice, where lines have no prompt."),
]
Wavs = Annotated[
    list[Path] | None,
    typer.Option("--wavs", help="Judge the recordings of this folder; repeatable."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder of sounds and results; a stopped run goes on."),
]
RowFile = Annotated[
    Path | None, typer.Option("--row", help="Also add the figures to this file of rows (.jsonl).")
]
Page = Annotated[bool, typer.Option("--page", help="Write a page to listen to, in -o.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of the judges.")]


def asked_judges(
    judge: Sequence[str] | None, quality: Sequence[str] | None, similarity: Sequence[str] | None
) -> list[str]:
    """The judges' names of a command's options; the default recogniser if none was named."""
    hearing = [name for name in judge or [JUDGE] if name != NOBODY]
    return [*hearing, *(quality or ()), *(similarity or ())]
