"""``mamtra corpus record``: a test set as a synthesiser speaks it, into a folder of recordings."""

from pathlib import Path
from typing import Annotated

import typer

SUFFIX = ".wav"


def record(
    sentences: Annotated[
        str, typer.Option("--set", help="everyday, unpredictable, ..., or a list's path.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the recordings.")],
    voice: Annotated[
        str, typer.Option("--voice", help="Of a synthesiser, as of corpus synthesize.")
    ] = "heart",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first lines.")
    ] = None,
) -> None:
    """Speak a test set by a synthesiser, one file a line; what is there is not spoken again.

    mamtra corpus record --set everyday --limit 200 --voice heart -o hibari

    mamtra evaluate seed-tts nano --set everyday --limit 200 --wavs hibari
    """
    from rich.console import Console
    from rich.progress import track

    from mamtra.audio.clip import Audio, write
    from mamtra.corpus.synthetic.synthesize import synthesiser_for
    from mamtra.evaluation.named_sets import open_set

    lines = open_set(sentences).part(limit).lines
    source = synthesiser_for(voice)
    output.mkdir(parents=True, exist_ok=True)
    missing = [line for line in lines if not (output / f"{line.id}{SUFFIX}").exists()]
    console = Console(stderr=True)
    for line in track(missing, "speaking", console=console, transient=True):
        audio = Audio(samples=source.speak(line.text), rate_hz=source.rate_hz)
        write(output / f"{line.id}{SUFFIX}", audio)
    console.print(f"{len(missing)} of {len(lines)} lines spoken into {output}", soft_wrap=True)
