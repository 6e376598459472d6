"""Ranking the layers of a teacher, and the command that does it."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
import torch

from mamtra.backbone import Layout
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import open_language_model
from mamtra.cli.main import main
from mamtra.distillation import layer_ranking
from mamtra.distillation.layer_ranking import Ranking, rank_layers
from mamtra.distillation.self_data import spoken_sequences
from mamtra.errors import ConfigError
from mamtra.speech_lm import SpeechLM
from mamtra.speech_lm.measure import mean_cross_entropy
from mamtra.synthesis.load import load
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.transfer.calibrate import calibrate
from mamtra.transfer.convert import convert
from mamtra.transfer.student import make_student

SENTENCES = ["It was late.", "We walked along the river.", "Tea, please.", "Where is my coat?"]


@pytest.fixture(scope="module")
def teacher() -> Synthesizer:
    return load("nano-teacher")


def ranking(by: str = "ce", instead: str = "mamba") -> Ranking:
    return Ranking(teacher="nano-teacher", by=by, instead=instead, settings={"seed": 0})


@pytest.fixture(scope="module")
def whole(teacher: Synthesizer) -> Ranking:
    """A ranking that was not stopped."""
    return rank_layers(teacher, ranking(), SENTENCES)


def test_a_stopped_ranking_goes_on(teacher: Synthesizer, whole: Ranking, tmp_path: Path) -> None:
    assert whole.whole is not None
    assert median(whole.layers.values()) > whole.whole, "most mixers do not do its work yet"
    assert sorted(whole.order) == list(range(12))
    first = ranking()
    first.whole = whole.whole
    first.layers = {layer: whole.layers[layer] for layer in range(9)}
    first.save(tmp_path / "r.json")
    second, counted = ranking(), []
    second.resume(tmp_path / "r.json")
    rank_layers(teacher, second, SENTENCES, report=lambda: counted.append(1))
    assert len(counted) == 3
    assert second.row() == whole.row()


def test_a_stopped_search_goes_on_to_the_same_layers(
    teacher: Synthesizer, whole: Ranking, tmp_path: Path
) -> None:
    whole = rank_layers(teacher, replace(whole), SENTENCES, attention=10)
    assert [len(results) for results in whole.rounds] == [11]
    given_up = whole.given_up(2)
    assert given_up[0][0] == whole.order[-1]
    stay = set(range(12)) - {layer for layer, _ in given_up}
    assert whole.layout(10, greedily=True) == Layout.of(sorted(stay), 12)
    stopped, counted = ranking(), []
    stopped.whole, stopped.layers = whole.whole, whole.layers
    stopped.rounds = [dict(list(whole.rounds[0].items())[:8])]
    stopped.save(tmp_path / "r.json")
    second = ranking()
    second.resume(tmp_path / "r.json")
    rank_layers(teacher, second, SENTENCES, attention=10, report=lambda: counted.append(1))
    assert len(counted) == 3
    assert second.row() == whole.row()


def test_a_layer_is_measured_as_a_conversion_of_just_these_layers_makes_it(
    teacher: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = SENTENCES[1:2] * 16  # half of them have more tokens than a mixer is wide
    batches = spoken_sequences(teacher, sentences)
    monkeypatch.setattr(layer_ranking, "spoken_sequences", lambda *_: batches)
    model = open_language_model(teacher.folder)
    found = ranking()
    found.whole, found.layers = 0.0, {layer: float(layer != 1) for layer in range(12) if layer != 9}
    found.rounds = [{layer: 1.0 for layer in range(12) if layer not in (1, 9)}]
    rank_layers(teacher, found, sentences, attention=10)
    # what starts at random is drawn for all layers at once
    started, _ = make_student(model, "M" * 12)
    assert isinstance(started, SpeechLM)

    def measured(*layers: int) -> float:
        student, _ = make_student(model, Layout.of(sorted(set(range(12)) - {*layers}), 12))
        assert isinstance(student, SpeechLM)
        for layer in layers:
            weights = started.backbone.layers[layer].state_dict()
            student.backbone.layers[layer].load_state_dict(weights)
        with torch.no_grad():
            fitted_to = [(model.embed(batch), batch.real) for batch in batches[::2]]
        calibrate(model.backbone, student.backbone, fitted_to)
        return mean_cross_entropy(student, batches[1::2])

    assert found.layers[9] == pytest.approx(measured(9), abs=1e-5)
    assert found.rounds[0][9] == pytest.approx(measured(1, 9), abs=1e-5)


def test_a_file_of_another_ranking_is_refused(tmp_path: Path) -> None:
    ranking().save(tmp_path / "r.json")
    with pytest.raises(ConfigError, match="another by"):
        ranking("wer").resume(tmp_path / "r.json")
    for content, reason in (("{", "as JSON"), ("[]", "no ranking"), ('{"by": 1}', "no ranking")):
        (tmp_path / "r.json").write_text(content)
        with pytest.raises(ConfigError, match=reason):
            ranking().resume(tmp_path / "r.json")


def test_what_cannot_be_ranked_is_refused(teacher: Synthesizer) -> None:
    with pytest.raises(ConfigError, match="cosine, ce, wer"):
        rank_layers(teacher, ranking("loudness"), SENTENCES)
    with pytest.raises(ConfigError, match="mamba, nothing"):
        rank_layers(teacher, ranking(instead="noise"), SENTENCES)
    with pytest.raises(ConfigError, match="by='wer' needs a model that speaks"):
        rank_layers(teacher, ranking("wer", "nothing"), SENTENCES)
    with pytest.raises(ConfigError, match="at least one"):
        rank_layers(teacher, ranking(), [])
    with pytest.raises(ConfigError, match="choose by='ce'"):
        rank_layers(teacher, ranking("cosine"), SENTENCES, attention=2)
    with pytest.raises(ConfigError, match="all attention"):
        rank_layers(load("nano"), ranking(), SENTENCES)


def test_a_conversion_solves_output_projections_on_the_teachers_speech(
    teacher: Synthesizer, tmp_path: Path
) -> None:
    layout, folder = Layout.of([0], 12), teacher.folder
    convert(folder, tmp_path / "plain", layout)
    batches = spoken_sequences(teacher, SENTENCES)
    solved = convert(folder, tmp_path / "solved", layout, sequences=batches)
    assert "solved" in solved.start
    model, losses = open_language_model(folder), {}
    for name in ("plain", "solved"):
        student = open_language_model(ModelFolder(tmp_path / name))
        with torch.inference_mode():
            losses[name] = sum(float(student.loss(batch).loss) for batch in batches)
    with torch.inference_mode():
        best = sum(float(model.loss(batch).loss) for batch in batches)
    assert losses["solved"] - best < 0.5 * (losses["plain"] - best)


def test_the_command_prints_a_layout_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.txt").write_text("\n".join(SENTENCES))
    target, picture = tmp_path / "r.json", tmp_path / "r.png"
    given = ["place", "nano-teacher", "--ratio", "1:5", "--by", "cosine", "--json"]
    files = ["--sentences", str(tmp_path / "s.txt"), "-o", str(target), "--picture", str(picture)]
    with pytest.raises(SystemExit) as caught:
        main([*given, *files])
    assert not caught.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["layout"].count("A") == 2
    assert told["order"] == json.loads(target.read_text())["order"]
    assert picture.stat().st_size > 1000


def test_the_command_searches_greedily_and_says_how_to_convert(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.txt").write_text("\n".join(SENTENCES[:2]))
    given = ["place", "nano-teacher", "--ratio", "5:1", "--by", "ce", "--greedy"]
    files = ["--sentences", str(tmp_path / "s.txt"), "-o", str(tmp_path / "r.json")]
    for asked in ([], ["--json"]):  # the second finds everything measured
        with pytest.raises(SystemExit) as caught:
            main([*given, *files, *asked])
        assert not caught.value.code
        told = capsys.readouterr()
        if not asked:
            assert "--layers" in told.err
            assert "gives up" in told.out
    row = json.loads(told.out)
    first = min(row["layers"], key=lambda layer: (row["layers"][layer], -int(layer)))
    assert row["layout"][int(first)] == "M"
    assert row["layout"].count("A") == 10
    assert len(row["rounds"]) == 1
