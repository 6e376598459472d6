"""``mamtra voice``: make a voice from a recording, and show what a voice file holds."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mamtra.atomic import check_place
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.options import AsJson
from mamtra.errors import VoiceError

if TYPE_CHECKING:
    from mamtra.voice.voice import Voice

app = typer.Typer(help="Make a voice from a recording, or show one.", no_args_is_help=True)

SUFFIX = ".safetensors"


def check_output(output: Path) -> None:
    """Make sure that the voice can be written, before any work is spent on it.

    Raises:
        VoiceError: another suffix, or ``check_place`` refuses it.
    """
    if output.suffix != SUFFIX:
        raise VoiceError(f"cannot write {str(output)!r}: the name of a voice ends with {SUFFIX}")
    check_place(output, VoiceError)


def facts(voice: "Voice") -> dict:
    """What is told about a voice."""
    return {
        "name": voice.name,
        "text": voice.text,
        "prompt_seconds": round(voice.prompt_seconds, 2),
        "speech_tokens": len(voice.tokens),
        "codes": voice.codes,
        "rate_hz": voice.rate_hz,
        "mel_bins": voice.mel.shape[0],
        "speaker_width": voice.speaker.shape[0],
        "source": voice.source,
        "licence": voice.licence,
        "consent": voice.consent,
    }


@app.command("make")
def voice_make(
    recording: Annotated[Path, typer.Argument(help="A sound file of 3 to 10 seconds; at most 30.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of the voice: NAME.safetensors.")
    ],
    text: Annotated[
        str, typer.Option("--text", help="The words spoken in it; zero-shot needs them.")
    ] = "",
    model: Annotated[str, typer.Option("--model", help="The model that it is for.")] = DEFAULT,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the voice; else that of the file.")
    ] = (None),
    source: Annotated[str, typer.Option("--source", help="Where the recording is from.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Terms of using the voice.")] = "",
    consent: Annotated[
        str, typer.Option("--consent", help="The speaker's consent: who agreed, when, to what.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a voice from a recording of it.

    mamtra voice make prompt.wav --text "The words in it." -o anna.safetensors --model cosyvoice2

    Ask the speaker first, and write down that you did: --consent "Anna A., by letter, 1 May".
    """
    check_output(output)
    folder = locate(model)

    # numpy and the engine load here and not for --help
    from mamtra.acoustic.decoder_config import DecoderConfig
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.voice.load import open_voice_encoder
    from mamtra.voice.prompt_recording import read_recording
    from mamtra.voice.voice import make_voice

    opened = ModelFolder(folder)
    prompt = read_recording(recording, text.strip())
    for note in prompt.notes:
        print(f"note: {recording}: {note}", file=sys.stderr)
    decoder = opened.section("decoder", DecoderConfig)
    voice = make_voice(
        open_voice_encoder(opened),
        prompt.audio,
        name or output.stem,
        text=text.strip(),
        source=source,
        licence=licence,
        consent=consent,
        codes=decoder.encoder.vocabulary,
    )
    voice.save(output)
    told = facts(voice)
    if not decoder.steps:  # no flow that continues the recording
        print(
            f"note: model {opened.config.name!r} does not clone: it knows a voice from a short "
            "vector only, and will hardly sound like the recording",
            file=sys.stderr,
        )
    if not consent and not licence:
        print("note: record the speaker's consent with --consent", file=sys.stderr)
    if as_json:
        print(json.dumps({"path": str(output), **told}))
        return
    words = "with its words" if voice.text else "without words: cross-lingual and instruct only"
    print(f"{output}: a prompt of {told['prompt_seconds']:.1f} s, {words}", file=sys.stderr)


@app.command("show")
def voice_show(
    voice: Annotated[str, typer.Argument(help="A saved voice, or one of the model's.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Whose voice it is, or shall speak with it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a voice file holds; with --model, also whether that model can speak with it.

    mamtra voice show anna.safetensors
    """
    folder = locate(model or DEFAULT)

    # as above
    from mamtra.acoustic.decoder_config import DecoderConfig
    from mamtra.audio.log_mel import MelConfig
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.runtime.sizes import DecoderSizes
    from mamtra.voice.voice import Voice, check_voice, find_voice

    opened = ModelFolder(folder)
    found = Voice.load(find_voice(opened, voice))
    told = facts(found)
    if as_json:
        print(json.dumps(told))
    else:
        for what, value in told.items():
            print(f"{what.replace('_', ' '):15} {value or '-'}")
    if model is not None:
        decoder, mel = opened.section("decoder", DecoderConfig), opened.section("mel", MelConfig)
        check_voice(found, DecoderSizes.of(decoder), mel.rate_hz, opened.config.name)
