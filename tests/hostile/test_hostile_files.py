"""Thousands of damaged files: each is refused by one sentence and its code, or does no harm.

The seeds of a default run are few; ``-m slow`` takes the numbers of docs/reliability.md. A seed
that failed can be tried alone: the number is in the message.
"""

import io
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutations import mutated_bytes, mutated_json, mutated_weights

if sys.platform != "linux":
    pytest.skip("bounds memory by /proc and RLIMIT_AS", allow_module_level=True)

from outcome import Outcome, outcome

PARTS = ("speech_lm", "decoder", "vocoder")
FEW, MANY = 12, 1  # every so many-th seed
COUNTS = {"config": 300, "weights": 600, "voice": 160, "recording": 130}


@pytest.fixture(scope="module")
def model(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that may be damaged."""
    return Path(shutil.copytree(tiny_model_folder, tmp_path_factory.mktemp("hostile") / "model"))


@pytest.fixture(scope="module")
def sounds() -> list[tuple[str, bytes]]:
    """A recording in each format that is read."""
    wave = np.sin(np.arange(48_000) * 0.03).astype(np.float32) * 0.3
    found = []
    for suffix, kind in ((".wav", "WAV"), (".flac", "FLAC"), (".ogg", "OGG"), (".mp3", "MP3")):
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, 16_000, format=kind)
        found.append((suffix, buffer.getvalue()))
    return found


def say(model: Path, *more: str) -> Outcome:
    output = model.parent / "speech.wav"
    return outcome(["say", "Hi.", "--quiet", "--model", str(model), "-o", str(output), *more])


def config_turns(model: Path, seeds: range) -> Iterator[tuple[int, Outcome]]:
    path = model / "config.json"
    whole = path.read_bytes()
    for seed in seeds:
        path.write_bytes(mutated_json(json.loads(whole), random.Random(f"config {seed}")))
        yield seed, say(model)
    path.write_bytes(whole)


def weight_turns(model: Path, seeds: range) -> Iterator[tuple[int, Outcome]]:
    for seed in seeds:
        source = random.Random(f"weights {seed}")
        path = model / f"{source.choice(PARTS)}.safetensors"
        whole = path.read_bytes()
        damaged, wrong_type = mutated_weights(whole, source)
        path.write_bytes(damaged)
        found = say(model)
        if wrong_type and found.code == 0:
            found = Outcome(None, "spoke with weights of a type that no weight has")
        yield seed, found
        path.write_bytes(whole)


def voice_turns(model: Path, seeds: range) -> Iterator[tuple[int, Outcome]]:
    whole = (model / "voices" / "low.safetensors").read_bytes()
    path = model.parent / "voice.safetensors"
    for seed in seeds:
        path.write_bytes(mutated_weights(whole, random.Random(f"voice {seed}"))[0])
        yield seed, say(model, "--voice", str(path))


def recording_turns(
    model: Path, seeds: range, sounds: list[tuple[str, bytes]]
) -> Iterator[tuple[int, Outcome]]:
    for seed in seeds:
        source = random.Random(f"recording {seed}")
        suffix, whole = source.choice(sounds)
        path, voice = model.parent / f"damaged{suffix}", model.parent / "made.safetensors"
        path.write_bytes(mutated_bytes(whole, source))
        yield (
            seed,
            outcome(
                [
                    "voice",
                    "make",
                    str(path),
                    "-o",
                    str(voice),
                    "--model",
                    str(model),
                    "--text",
                    "Hm.",
                ]
            ),
        )


def check(turns: Iterator[tuple[int, Outcome]]) -> None:
    """Run them all and list every seed that left the house by the window."""
    bad = [f"{seed}: {found.code} {found.told}" for seed, found in turns if not found.accepted]
    assert not bad, f"{len(bad)} of them\n" + "\n".join(bad[:40])


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "all"])
def seeds(request: pytest.FixtureRequest) -> Callable[[str], range]:
    """The seeds of a kind of file."""
    return lambda kind: range(0, COUNTS[kind], request.param)


def test_damaged_configs_are_refused_in_a_sentence(model, seeds) -> None:
    check(config_turns(model, seeds("config")))


def test_damaged_weights_are_refused_in_a_sentence(model, seeds) -> None:
    check(weight_turns(model, seeds("weights")))


def test_damaged_voices_are_refused_in_a_sentence(model, seeds) -> None:
    check(voice_turns(model, seeds("voice")))


def test_damaged_recordings_are_refused_in_a_sentence(model, seeds, sounds) -> None:
    check(recording_turns(model, seeds("recording"), sounds))
