"""mamtra voice: a recording becomes a voice that say speaks with, and show tells what it is."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cosyvoice_folder import write_prompt
from exit_code import ended

from mamtra.voice.voice import Voice


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_prompt(tmp_path / "prompt.wav")


def test_a_made_voice_speaks_and_tells_what_it_is(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--text", "Its words.", "--licence", "CC0-1.0", "--consent", "the buzz, by letter"]
    assert ended(["voice", "make", "prompt.wav", "-o", "anna.safetensors", *told, *tiny]) == 0
    captured = capsys.readouterr()
    assert not captured.out
    assert "anna.safetensors: a prompt of 1.6 s, with its words" in captured.err
    assert "does not clone" in captured.err
    assert ended(["voice", "show", "anna.safetensors", "--json", *tiny]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["name"] == "anna"
    assert (row["text"], row["consent"]) == ("Its words.", "the buzz, by letter")
    assert (row["codes"], row["rate_hz"], row["speech_tokens"]) == (27, 16_000, 40)
    assert ended(["say", "Hi.", "-o", "a.wav", "--voice", "anna.safetensors", *tiny]) == 0
    assert Voice.load("anna.safetensors").licence == "CC0-1.0"


def test_what_was_mended_is_told(tiny: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    samples, rate = soundfile.read("prompt.wav", dtype="float32")
    soundfile.write("both.flac", np.stack([samples, samples], axis=1), rate)
    assert ended(["voice", "make", "both.flac", "-o", "b.safetensors", "--json", *tiny]) == 0
    captured = capsys.readouterr()
    assert "note: both.flac: its 2 channels were mixed to one" in captured.err
    assert json.loads(captured.out)["path"] == "b.safetensors"


def test_show_is_for_people_too(tiny: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["voice", "show", "low", *tiny]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[:1])
    assert lines == {"name": "low"}


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["make", "nothing.wav", "-o", "a.safetensors"], 7, "no such file"),
        (["make", "text.wav", "-o", "a.safetensors"], 7, "as sound"),
        (["make", "prompt.wav", "-o", "a.wav"], 5, "ends with .safetensors"),
        (["make", "prompt.wav", "-o", "none/a.safetensors"], 5, "there is no folder 'none'"),
        (["show", "prompt.wav"], 5, "not a saved voice"),
        (["show", "nobody"], 5, "unknown voice 'nobody'"),
    ],
)
def test_a_mistake_is_one_clear_sentence(
    arguments: list[str],
    code: int,
    reason: str,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("text.wav").write_text("no sound at all")
    assert ended(["voice", *arguments, *tiny]) == code
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1
    assert not list(Path().rglob("a.safetensors"))


def test_show_refuses_a_voice_of_another_model(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["voice", "show", "heart"]) == 0
    assert ended(["voice", "make", "prompt.wav", "-o", "a.safetensors", *tiny]) == 0
    assert ended(["voice", "show", "a.safetensors", "--model", "nano"]) == 5
    assert "was made for another model than 'nano'" in capsys.readouterr().err
