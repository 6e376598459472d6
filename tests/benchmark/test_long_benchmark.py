"""The chapter that is measured, and what the row tells of it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mamtra
from mamtra.benchmark.decode import chapter as without_sound
from mamtra.benchmark.decode.config import BenchConfig
from mamtra.benchmark.speak.chapter import PARAGRAPH, Sample, chapter, factor, measure, results_of
from mamtra.cli import bench
from mamtra.errors import ConfigError
from mamtra.synthesis.long_text import Written


def sample(place: int) -> Sample:
    return Sample(
        seconds=2.0, took_seconds=1.0 + place, resident_bytes=1000 + place, state_bytes=10 * place
    )


def test_a_chapter_has_as_many_sentences_as_asked_for_in_paragraphs() -> None:
    text = chapter(12)
    assert [paragraph.count(". ") + 1 <= PARAGRAPH for paragraph in text.split("\n\n")] == [
        True
    ] * 3
    assert chapter(600).startswith(text)


def test_figures_are_told_from_the_first_to_the_last_piece() -> None:
    samples = [sample(place) for place in range(1, 21)]
    written = Written(seconds=41.0, stop_reasons=["end"] * 19 + ["budget"])
    results = results_of(samples, written, 900)
    held = {name: told["resident_bytes"] for name, told in results.items() if name != "chapter"}
    assert held == {
        "loaded": 900, "piece 2": 1002, "piece 5": 1005, "piece 10": 1010, "piece 15": 1015,
        "piece 20": 1020,
    }  # fmt: skip
    assert results["piece 2"]["real_time_factor"] == factor(samples[:2]) == 1.25
    assert results["piece 20"]["real_time_factor"] == 9.5
    assert results["chapter"]["state_bytes"] == {"least": 10, "most": 200}
    assert results["chapter"]["stop_reasons"] == {"budget": 1, "end": 19}


def test_a_chapter_is_measured_and_its_row_added_to_a_file(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "long.jsonl"
    arguments = ["speak", "--model", str(tiny_model_folder), "--sentences", "4", "-o", str(path)]
    done = CliRunner().invoke(bench.app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    row = json.loads(path.read_text())
    assert row["provenance"]["seed"] == 0
    told = row["results"]["chapter"]
    assert told["file_bytes"] == pytest.approx(told["audio_seconds"] * 32_000, rel=0.01)
    assert "memory held" in done.stdout


def test_what_is_carried_shows_in_the_memory_of_the_language_model(
    tiny_model_folder: Path,
) -> None:
    synthesizer = mamtra.load(tiny_model_folder)
    fresh, carry = (measure(synthesizer, 5, state=state) for state in ("fresh", "carry"))
    states = [results["chapter"]["state_bytes"]["most"] for results in (carry, fresh)]
    assert states[0] > states[1] > 0


@pytest.mark.parametrize("state", ["fresh", "carry"])
def test_a_chapter_of_any_size_is_measured_without_sound(state: str, tmp_path: Path) -> None:
    output = tmp_path / "chapter.jsonl"
    options = ["--model", "toy", "--targets", "1:5", "--words", "40", "--state", state]
    done = CliRunner().invoke(bench.app, ["decode", *options, "-o", str(output)])
    assert done.exit_code == 0, done.output
    results = json.loads(output.read_text())["results"]
    chapter = results["chapter"]
    assert (chapter["pieces"], chapter["ids"], chapter["audio_seconds"]) == (2, 500, 20.0)
    assert chapter["milliseconds_per_id"] > 0
    grows = chapter["state_bytes"]["most"] > chapter["state_bytes"]["least"]
    assert grows == (state == "carry")
    assert set(results) == {"chapter", "loaded", "piece 1", "piece 2"}


def test_a_chapter_without_sound_knows_two_states() -> None:
    with pytest.raises(ConfigError, match="possible are fresh and carry"):
        without_sound.measure(BenchConfig(model="toy", target="1:5"), 25, "kept")
