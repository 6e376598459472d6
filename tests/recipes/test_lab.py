"""The laboratory: which trials there are, one carried out at toy size, and its pictures."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy_nano import TOY_STUDENT

from mamtra.backbone import MambaConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import built_in
from mamtra.cli.lab import lab
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.errors import ConfigError, CorpusError
from mamtra.figures.trials import CE, WER, draw_bars, draw_scatter, over_seeds
from mamtra.recipes.lab.experiments import LABS, Brief, trials_of
from mamtra.recipes.lab.self_corpus import missing, speak_corpus
from mamtra.recipes.lab.trial import Bench, Trial, carry_out, decided
from mamtra.recipes.nano.speech_lm import SpeechLMRun, SpeechLMTask
from mamtra.recipes.nano.stages import Workshop
from mamtra.recipes.nano.student import untrained
from mamtra.speech_lm import SpeechLMConfig

BRIEF = Brief(steps=8, tokens=400)
STUDENTS = {
    "paper": replace(TOY_STUDENT, freeze="mamba"),
    "ours": replace(
        TOY_STUDENT,
        mamba=MambaConfig(gate="open", rotary=True, input_bias=True),
        calibration_batches=2,
        align_steps=1,
    ),
    "removed": replace(TOY_STUDENT, layout="AAAA", kept_layers=(0, 3)),
}


@pytest.mark.parametrize("lab", LABS)
def test_trials_have_names_of_their_own_and_seeds_that_differ(lab: str) -> None:
    trials = trials_of(lab, BRIEF, range(2))
    assert max(Counter(trial.name for trial in trials).values()) == 1
    seeds = {(trial.run.settings.seed, trial.run.data_seed) for trial in trials}
    assert len(seeds) == 2
    assert {trial.run.settings.steps for trial in trials} == {8}


def test_every_ratio_is_tried_at_every_placement_that_differs() -> None:
    trials = trials_of("ratios", BRIEF, [0], {"wer": [7, 6, 0, 1, 2, 3, 4, 5, 8, 9, 10, 11]})
    layouts = [trial.run.layout for trial in trials]
    assert len(set(layouts)) == len(layouts)
    assert Counter(layout.count("A") for layout in layouts) == {6: 7, 3: 7, 2: 7, 1: 4}
    assert "MMMMMMAAMMMM" in layouts


def test_trials_differ_in_what_they_are_about_only() -> None:
    paper, *_, ours, _ = trials_of("recipes", BRIEF, [0])
    assert paper.run.freeze == "mamba"
    assert paper.run.mamba == MambaConfig()
    assert paper.run.settings == ours.run.settings
    assert paper.run.data_seed == ours.run.data_seed


def test_laboratories_share_runs_that_are_the_same() -> None:
    places: dict[str, set[str]] = {
        lab: {trial.folder_name for trial in trials_of(lab, BRIEF, [0])} for lab in LABS
    }
    assert places["recipes"] & places["ratios"]
    assert places["recipes"] & places["starts"]
    assert not places["rivals"] & places["ratios"]


def test_a_run_is_known_by_what_it_decides() -> None:
    told = decided(replace(TOY_STUDENT, kept_layers=(0, 3)))
    assert set(told) == {"teacher", "layout", "settings", "kept_layers"}
    assert decided(MambaConfig(gate="open")) == {"gate": "open"}


def test_mixers_are_compared_with_equal_steps_and_data_and_half_with_every_seed() -> None:
    trials = trials_of("mixers", BRIEF, range(3))
    layouts = Counter(trial.run.layout for trial in trials)
    assert layouts == {
        "AMAMAMAMAMAM": 3,
        "AGAGAGAGAGAG": 3,
        "AMMMAMMMAMMM": 1,
        "AGGGAGGGAGGG": 1,
        "AMMMMMAMMMMM": 1,
        "AGGGGGAGGGGG": 1,
    }
    for mamba, deltanet in zip(trials[::2], trials[1::2], strict=True):
        assert mamba.run.settings == deltanet.run.settings
        assert mamba.run.data_seed == deltanet.run.data_seed
        assert mamba.run.losses == deltanet.run.losses
    weights = [
        sum(weight.numel() for weight in untrained(trial.run).parameters()) for trial in trials[:2]
    ]
    assert weights[1] == pytest.approx(weights[0], rel=2e-3)


def test_what_a_laboratory_lacks_is_listed_with_the_small_way(tmp_path: Path) -> None:
    told = r"needs a corpus .*, its speech tokens .*, a teacher .*--teacher nano-teacher"
    with pytest.raises(CorpusError, match=told):
        lab("mixers", folder=tmp_path / "none", output=tmp_path / "lab")
    (tmp_path / "tokens.safetensors").touch()
    assert len(missing(Workshop(folder=tmp_path))) == 2


def test_a_teachers_own_speech_is_a_corpus_to_learn_from(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    shop, teacher = Workshop(folder=tmp_path), ModelFolder(tiny_model_folder)
    with pytest.raises(CorpusError, match="3 sentences are too few; the least is 20"):
        speak_corpus(shop, teacher, 3)
    said: list[int] = []
    speak_corpus(shop, teacher, 20, report=lambda: said.append(1))
    assert not missing(shop)
    spoken = len(said)
    run = SpeechLMRun(config=teacher.section("speech_lm", SpeechLMConfig), batch_places=200)
    task = SpeechLMTask(run, Corpus.open(shop.corpus), TokenTable.open(shop.tokens))
    assert 10 < len(task.train) + len(task.validation) <= spoken <= 20
    assert len(task.validation) == 4
    assert int(task.batch(0).speech_ids.max()) < 27
    with torch.inference_mode():
        assert task.evaluate()["validation_letters"] > 0
    task.model.load_state_dict(load_file(shop.weights("teacher")))
    speak_corpus(shop, teacher, 20, report=lambda: said.append(1))
    assert len(said) == spoken, "what was spoken is not spoken again"


def test_an_unknown_laboratory_is_refused() -> None:
    with pytest.raises(ConfigError, match="ratios, starts, losses, recipes, rivals, mixers"):
        trials_of("colours", BRIEF, [0])


@pytest.mark.parametrize("what", STUDENTS)
def test_a_trial_is_trained_and_measured_once(
    what: str, workshop: Workshop, tmp_path: Path
) -> None:
    bench = Bench(workshop=workshop, folder=tmp_path, model=built_in()["nano"], sentences=())
    trial = Trial(name=what, run=STUDENTS[what], facts={"what": what})
    row = carry_out(trial, bench)
    assert row["what"] == what
    assert row[CE] > 0
    assert row["attention_layers"] == 2
    folder = tmp_path / "trials" / trial.folder_name
    (folder / "model.safetensors").unlink()
    assert carry_out(trial, bench) == row, "a finished trial is read, not trained again"


def made_up(what: str, seed: int, ce: float, wer: float) -> dict:
    return {"what": what, "seed": seed, "layout": "AM", CE: ce, WER: wer}


def test_seeds_become_a_mean_with_its_range(tmp_path: Path) -> None:
    rows = [made_up("a", 0, 2.0, 30.0), made_up("b", 0, 3.0, 50.0), made_up("a", 1, 2.2, 40.0)]
    means = over_seeds(rows, ("what",))
    assert [mean["what"] for mean in means] == ["a", "b"]
    assert means[0][CE] == pytest.approx(2.1)
    assert means[0][f"{WER}_range"] == [30.0, 40.0]
    draw_scatter(means, tmp_path / "s.png", colour="what", mark="layout", teacher=rows[0])
    draw_bars(means, tmp_path / "b.png", label="what", teacher=rows[0])
    assert json.loads((tmp_path / "s.json").read_text())["points"] == means
    assert (tmp_path / "b.png").stat().st_size > 1000
