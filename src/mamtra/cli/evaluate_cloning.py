"""``mamtra evaluate cloning``: whether voices made from recordings sound like their speakers."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli import evaluate_options as options
from mamtra.cli.options import Model, Seed

JUDGE = "resemblyzer"
LINES = 3


def evaluate_cloning(
    recordings: Annotated[
        Path, typer.Argument(help="A folder with one sound file of each speaker, 3 to 30 s long.")
    ],
    model: Model = DEFAULT,
    judge: Annotated[str, typer.Option("--similarity", help="Who compares voices.")] = JUDGE,
    lines: Annotated[
        int, typer.Option("--lines", min=1, help="Held-out sentences that each voice says.")
    ] = LINES,
    seed: Seed = 0,
    row: options.RowFile = None,
) -> None:
    """Make a voice from each recording, let it speak, and compare it with all recordings.

    mamtra evaluate cloning speakers --model nano
    """
    folder = locate(model)
    from mamtra.atomic import append_row
    from mamtra.audio.clip import FORMATS
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.corpus.synthetic.sentences import held_out_sentences
    from mamtra.errors import ConfigError, CorpusError
    from mamtra.evaluation.cloning import compared, summed
    from mamtra.evaluation.judges.judge import Similarity
    from mamtra.evaluation.judges.registry import open_judge
    from mamtra.figures.provenance import provenance
    from mamtra.synthesis.load import load
    from mamtra.voice.load import open_voice_encoder
    from mamtra.voice.prompt_recording import read_recording

    if not recordings.is_dir():
        raise CorpusError(f"{str(recordings)!r} is no folder; give one with a sound file a speaker")
    asked = open_judge(judge)
    if not isinstance(asked, Similarity):
        raise ConfigError(f"judge {judge!r} does not compare voices; resemblyzer does")
    files = sorted(path for path in recordings.iterdir() if path.suffix.lower() in FORMATS)
    stems = [path.stem for path in files]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise CorpusError(f"{str(recordings)!r} holds two recordings of {twice[0]!r}; leave one")
    clips = {path.stem: read_recording(path, "").audio for path in files}
    synthesizer = load(folder)
    encoder = open_voice_encoder(ModelFolder(folder))
    said = held_out_sentences()[:lines]
    table = compared(synthesizer, encoder, clips, said, asked, seed)
    found = summed(list(clips), table)
    print(
        f"{len(clips)} speakers: likeness to the own recording {found['own']}, to others "
        f"{found['others']}; nearest to the own: {found['nearest']:.0%}, by chance "
        f"{found['chance']:.0%}"
    )
    if row is not None:
        whole = {
            "evaluation": "cloning",
            "model": synthesizer.name,
            "judge": asked.identity.row(),
            "lines": said,
            **found,
            "provenance": provenance(seed),
        }
        append_row(row, whole, CorpusError)
        print(json.dumps({"row": str(row)}))
