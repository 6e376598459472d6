"""``mamtra evaluate`` as a person meets it: a table on the terminal, figures in files."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from mamtra.audio.clip import Audio, write
from mamtra.cli.evaluate import app
from mamtra.cli.evaluate_intelligibility import lines_to_say
from mamtra.errors import ConfigError, CorpusError, ModelError
from mamtra.evaluation.report import failure_notes

TEXTS = "Hello there.\n\nGood morning to you.\nSee you soon.\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.txt"
    path.write_text(TEXTS)
    return path


def test_an_evaluation_shows_a_table_and_keeps_its_row(
    tiny_model_folder: Path, sentences: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    common = ["intelligibility", "--model", str(tiny_model_folder), "--sentences", str(sentences)]
    common += ["--voice", "low", "--voice", "high", "--limit", "2"]
    kept = ["--judge", "pocketsphinx:choice", "-o", str(tmp_path / "kept")]
    kept += ["--row", str(tmp_path / "rows.jsonl")]
    first = run(*common, *kept)
    assert first.exit_code == 0
    assert "low/speech" in first.stdout
    assert "{" not in first.stdout
    assert "no source to compare with" in first.stderr
    told = json.loads((tmp_path / "kept" / "scores.json").read_text())
    assert list(told["systems"]) == ["low/speech", "high/speech"]
    assert told["judges"][0]["name"] == "pocketsphinx choice"
    assert told["judges"][0]["version"] == told["provenance"]["versions"]["pocketsphinx"]
    assert str(tmp_path) not in json.dumps(told)
    assert len(list((tmp_path / "kept").rglob("*.wav"))) == 4
    (line,) = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert json.loads(line) == told
    assert "| low/speech |" in (tmp_path / "kept" / "table.md").read_text()
    assert r"low/speech &" in (tmp_path / "kept" / "table.tex").read_text()
    run(*common, *kept)
    again = json.loads((tmp_path / "kept" / "scores.json").read_text())
    assert again["systems"] == told["systems"]


def test_anybodys_recordings_are_judged_without_a_model(sentences: Path, tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    folder = tmp_path / "theirs"
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    for number in (1, 2):
        write(folder / f"{number}.wav", Audio(samples=noise, rate_hz=16_000))
    done = run("intelligibility", "--sentences", str(sentences), "--wavs", str(folder))
    assert done.exit_code == 0
    assert "theirs failed on 1 clip," in done.stdout.replace("\n", " ")


def test_without_a_recogniser_it_is_counted_how_speech_ended(
    tiny_model_folder: Path, sentences: Path, tmp_path: Path
) -> None:
    row = tmp_path / "rows.jsonl"
    common = ["--judge", "none", "--row", str(row)]
    done = run("seed-tts", str(tiny_model_folder), "--set", str(sentences), *common)
    assert done.exit_code == 0
    (stops,) = (told["stops"] for told in json.loads(row.read_text())["systems"].values())
    assert sum(stops.values()) == 3
    assert f"{stops.get('end', 0)} of 3" in done.stdout
    assert "WER" not in done.stdout


def test_speech_that_did_not_end_by_itself_is_told() -> None:
    told = {"m": {"failed": [], "stops": {"end": 8, "budget": 2, "error": 1}}}
    assert failure_notes(told) == ["m did not end by itself: budget 2"]


def test_an_unknown_model_is_refused_before_anything_loads() -> None:
    with pytest.raises(ModelError, match="nobody"):
        run("intelligibility", "--model", "nobody")


def test_an_unknown_stage_is_refused(tiny_model_folder: Path, sentences: Path) -> None:
    pytest.importorskip("pocketsphinx")
    common = ["intelligibility", "--model", str(tiny_model_folder), "--sentences", str(sentences)]
    with pytest.raises(ConfigError, match="known: source, vocoder, copy, forced, speech"):
        run(*common, "--stage", "sing")


def test_sentences_are_lines_or_those_kept_from_training(sentences: Path) -> None:
    assert [line.text for line in lines_to_say(str(sentences), 2).lines] == [
        "Hello there.",
        "Good morning to you.",
    ]
    assert len(lines_to_say(None, None).lines) >= 200


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_a_file_without_sentences_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "nothing.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CorpusError):
        lines_to_say(str(path), None)


@pytest.mark.parametrize("command", ["carry", "stream"])
def test_two_ways_of_saying_the_same_are_compared(
    command: str, tiny_model_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    count = ["--pairs", "2"] if command == "carry" else ["--sentences", "2"]
    model = ["--model", str(tiny_model_folder)]
    judge = ["--judge", "pocketsphinx:choice"]
    done = run(command, *model, *count, *judge, "--row", str(tmp_path / "rows.jsonl"))
    assert done.exit_code == 0
    told = json.loads((tmp_path / "rows.jsonl").read_text())
    first, second = told["systems"]
    assert told["systems"][second]["baseline"] == first
    assert ("from_offline" in told) == (command == "stream")


def test_a_picture_of_one_sentence(tiny_model_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "picture.png"
    done = run(
        "spectrogram", "--model", str(tiny_model_folder), "--text", "Hello.", "-o", str(path)
    )
    assert done.stdout.strip() == str(path)
    assert path.exists()
    told = json.loads(path.with_suffix(".json").read_text())
    assert (told["voice"], told["text"]) == ("low", "Hello.")
