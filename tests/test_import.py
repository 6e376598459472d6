"""What importing costs: nothing heavy comes along unasked."""

import subprocess
import sys

import pytest

NEVER = {"transformers", "torchaudio", "librosa", "matplotlib", "gradio", "pocketsphinx"}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh Python has after a statement."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.rsplit("\n", 2)[-2].split())


def test_the_package_alone_loads_no_torch_and_no_numpy() -> None:
    assert not loaded_by("import mamtra") & (NEVER | {"torch", "numpy", "typer", "soundfile"})


def test_speaking_loads_only_what_speaking_needs() -> None:
    speak = "import mamtra; mamtra.load('nano').say('Hello.')"
    loaded = loaded_by(f"from mamtra.checkpoints import locate as p\nif p.built_in(): {speak}")
    assert "onnxruntime" in loaded
    assert not loaded & (NEVER | {"torch", "einops", "onnx", "tokenizers", "wetext"})


def test_what_speaks_loads_no_torch_until_an_engine_asks_for_it() -> None:
    rooms = (
        "mamtra.text.frontend, mamtra.voice.load, mamtra.voice.prompt_recording, "
        "mamtra.generation.bistream, mamtra.audio.whisper_features, mamtra.synthesis.load, "
        "mamtra.runtime.exclusive, mamtra.cli.say, mamtra.cli.voice, mamtra.cli.voices"
    )
    use = (
        "import mamtra, mamtra.checkpoints.format as f, mamtra.checkpoints.locate as l\n"
        "folder = f.ModelFolder(l.locate()) if l.built_in() else None\n"
        "voice = folder and mamtra.Voice.load(next(iter(folder.voice_files().values())))\n"
        "mamtra.SpeakOptions(voice=voice, seed=3)"
    )
    assert not loaded_by(f"import {rooms}\n{use}") & (NEVER | {"torch", "einops"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["say", "--help"], ["nonsense"]])
def test_help_and_wrong_usage_answer_without_torch(arguments: list[str]) -> None:
    run = f"import mamtra.cli.main as m\ntry: m.main({arguments!r})\nexcept SystemExit: pass"
    assert "torch" not in loaded_by(run)


def test_every_public_name_is_there() -> None:
    import mamtra

    for name in mamtra.__all__:
        assert getattr(mamtra, name)
    assert set(dir(mamtra)) == set(mamtra.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import mamtra

    with pytest.raises(AttributeError, match="nonsense"):
        _ = mamtra.nonsense
