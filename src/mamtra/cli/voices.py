"""``mamtra voices``: the voices of a model."""

import json
import sys

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.options import AsJson, Model


def voices(
    model: Model = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the voices of a model; the one that speaks when none is asked for has a star."""
    # numpy loads here and not for --help
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.voice.voice import Voice, default_voice, voice_names

    folder = ModelFolder(locate(model))
    default = default_voice(folder)
    files = folder.voice_files()
    for name in voice_names(folder):
        voice = Voice.load(files[name])
        row = {
            "name": name,
            "default": name == default,
            "prompt_seconds": round(voice.prompt_seconds, 2),
            "source": voice.source,
            "licence": voice.licence,
        }
        if as_json:
            print(json.dumps(row))
        else:
            star = "*" if name == default else " "
            print(f"{star} {name:12} {row['prompt_seconds']:5.2f} s  {voice.source}".rstrip())
    if not files:
        print(f"model {folder.config.name!r} has no voices", file=sys.stderr)
