"""``mamtra evaluate`` as a person meets it: data to stdout, talk to stderr."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mamtra.cli.evaluate import app, read_sentences
from mamtra.errors import CorpusError, ModelError

TEXTS = "Hello there.\n\nGood morning to you.\nSee you soon.\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.txt"
    path.write_text(TEXTS)
    return path


def test_an_evaluation_prints_one_line_of_json_and_keeps_its_rows(
    tiny_model_folder: Path, sentences: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    common = ["intelligibility", "--model", str(tiny_model_folder), "--sentences", str(sentences)]
    kept = ["--limit", "2", "--judge", "choice", "-o", str(tmp_path / "kept"), "--wavs"]
    first = run(*common, "--voice", "low", "--voice", "high", *kept)
    assert first.exit_code == 0
    (line,) = first.stdout.splitlines()
    told = json.loads(line)
    assert [(row["voice"], row["stage"]) for row in told["results"]] == [
        ("low", "speech"),
        ("high", "speech"),
    ]
    assert set(told["missing"]) == {"low", "high"}
    assert "no source to compare with" in first.stderr
    assert told["provenance"]["versions"]["pocketsphinx"]
    assert str(tmp_path) not in line
    folder = tmp_path / "kept"
    assert len((folder / "rows.jsonl").read_text().splitlines()) == 4
    assert json.loads((folder / "summary.json").read_text()) == told
    assert len(list(folder.rglob("*.wav"))) == 4
    again = json.loads(run(*common, "--voice", "low", "--voice", "high", *kept).stdout)
    assert again["results"] == told["results"]
    with pytest.raises(CorpusError, match="another seed"):
        run(*common, *kept, "--seed", "7")


def test_sounds_need_a_folder(tiny_model_folder: Path) -> None:
    refused = run("intelligibility", "--model", str(tiny_model_folder), "--wavs")
    assert refused.exit_code == 2
    assert "-o FOLDER" in refused.stderr


def test_an_unknown_model_is_refused_before_anything_loads() -> None:
    with pytest.raises(ModelError, match="nobody"):
        run("intelligibility", "--model", "nobody")


def test_sentences_are_lines_and_empty_ones_are_skipped(sentences: Path) -> None:
    assert read_sentences(sentences, None) == [
        "Hello there.",
        "Good morning to you.",
        "See you soon.",
    ]
    assert len(read_sentences(sentences, 2)) == 2
    assert len(read_sentences(None, None)) >= 200


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_a_file_without_sentences_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "nothing.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CorpusError):
        read_sentences(path, None)


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
