"""What the caller of ``make say`` writes reaches the program as it stands."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

OF_THE_CALLER = ("TEXT", "OUT", "SEED", "VOICE", "MODEL", "MAKEFLAGS", "MAKELEVEL")
PROGRAM = """#!/bin/sh
cat
for word in "$@"; do printf '\\n%s' "$word"; done
"""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An installed environment, as make sees it; its mamtra repeats what it was given."""
    binaries = tmp_path / "venv" / "bin"
    binaries.mkdir(parents=True)
    for path in (binaries / "python", binaries / "mamtra"):
        path.write_text(PROGRAM)
        path.chmod(0o755)
    (tmp_path / "venv" / "ready").touch()
    return tmp_path / "venv"


def said(venv: Path, *values: str) -> list[str]:
    """The text and the arguments that the program gets."""
    command = ["make", "--no-print-directory", "-C", str(ROOT), "say", f"VENV={venv}", *values]
    plain = {name: value for name, value in os.environ.items() if name not in OF_THE_CALLER}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


ODD = 'no\'body "x" `y` \\ *'


def test_make_say_without_values_leaves_the_voice_and_the_model_out(venv: Path) -> None:
    text = "Hello from two small cores."
    assert said(venv) == [text, "say", "-", "-o", "speech.wav", "--seed", "0"]


def test_make_say_passes_every_value_as_it_stands(venv: Path) -> None:
    names = OF_THE_CALLER[:5]
    told = said(venv, *(f"{name}={name} {ODD}" for name in names))
    text, out, seed, voice, model = (f"{name} {ODD}" for name in names)
    options = ["-o", out, "--seed", seed, "--voice", voice, "--model", model]
    assert told == [text, "say", "-", *options]


def test_make_say_passes_an_empty_path_on_to_be_refused(venv: Path) -> None:
    assert said(venv, "OUT=")[1:5] == ["say", "-", "-o", ""]
