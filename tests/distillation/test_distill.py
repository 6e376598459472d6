"""Any folder is distilled into a student that speaks; a stopped run goes on to the same bits."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import SPEECH_LM

from mamtra.audio.clip import read
from mamtra.backbone import Layout
from mamtra.checkpoints.format import ModelFolder
from mamtra.distillation.data import DistillBatches, UtterancesInMemory, random_utterances
from mamtra.distillation.distill import distill
from mamtra.distillation.dry_run import task_of
from mamtra.distillation.samples import sampler_for
from mamtra.distillation.settings import DistillRun, paper_settings
from mamtra.distillation.task import DistillTask, check_pair
from mamtra.errors import ConfigError, CorpusError, ModelError, TrainingError
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.vocabulary import TASK
from mamtra.synthesis.load import open_folder
from mamtra.training.workers import launch
from mamtra.transfer.convert import convert
from mamtra.transfer.losses import DistillLosses

DATA = random_utterances(SPEECH_LM, 24, speech=(10, 30))
RUN = DistillRun(
    settings=replace(
        paper_settings(6), learning_rate=1e-2, log_every=1, evaluate_every=3, precision="float32"
    ),
    tokens=200,
    held_out=4,
)


@pytest.fixture(scope="module")
def student(tiny_model_folder, tmp_path_factory) -> ModelFolder:
    """The tiny model with all its layers Mamba."""
    folder = tmp_path_factory.mktemp("students") / "student"
    convert(ModelFolder(tiny_model_folder), folder, Layout.parse("MM"))
    return ModelFolder(folder)


@pytest.fixture(scope="module")
def finished(tiny_model_folder, student, tmp_path_factory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    said = sampler_for(student, ["Hello there."])
    distill(folder, ModelFolder(tiny_model_folder), student, DATA, RUN, sampler=said)
    return folder


def rows(folder: Path) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: v for name, v in row.items() if name != "seconds"} for row in found]


def test_the_finished_student_speaks(finished) -> None:
    folder = ModelFolder(finished / "student")
    speech = open_folder(folder).say("Hello there.", seed=1)
    assert speech.seconds > 0
    assert folder.config.name == "student-distilled"
    assert "6 steps of 200 tokens" in (finished / "student" / "README.md").read_text()


def test_the_student_is_heard_at_each_evaluation(finished) -> None:
    folders = sorted((finished / "samples").iterdir())
    assert [folder.name for folder in folders] == ["step-3", "step-6"]
    for folder in folders:
        (told,) = json.loads((folder / "samples.json").read_text())
        assert told["text"] == "Hello there."
        assert read(folder / told["file"]).seconds > 0


def test_what_does_not_learn_stays_to_the_bit_and_the_rest_changes(finished, student) -> None:
    before = load_file(student.part_file("speech_lm"))
    after = load_file(finished / "student" / "speech_lm.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "backbone.layers.0.mixer.in_proj.weight" in changed
    assert all(".mixer." in name or name.startswith(("speech_", "head")) for name in changed)


def test_the_log_tells_all_losses_and_both_held_out_measures(finished) -> None:
    first = rows(finished)[0]
    assert {"loss", "ce", "logits", "embedding", "teacher_ce", "gradient"} <= first.keys()
    measured = [row for row in rows(finished) if "held_out_ce" in row]
    assert [row["step"] for row in measured] == [3, 6]
    assert len({row["held_out_teacher_ce"] for row in measured}) == 1


def test_a_stopped_run_goes_on_to_the_same_losses(
    tiny_model_folder, student, finished, tmp_path, monkeypatch
) -> None:
    teacher = ModelFolder(tiny_model_folder)
    folder = tmp_path / "run"
    run = replace(RUN, settings=replace(RUN.settings, checkpoint_seconds=-1.0))
    loss = DistillTask.loss

    def stop(self: DistillTask, number: int) -> dict[str, torch.Tensor]:
        if number == 4:
            raise TrainingError("stopped")
        return loss(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(DistillTask, "loss", stop)
        with pytest.raises(TrainingError, match="stopped"):
            distill(folder, teacher, student, DATA, run)
    distill(folder, teacher, student, DATA, run)
    assert rows(folder) == rows(finished)
    one, other = (load_file(place / "model.safetensors") for place in (folder, finished))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_folder_with_another_run_is_refused_but_more_steps_are_not(
    tiny_model_folder, student, finished, tmp_path
) -> None:
    teacher = ModelFolder(tiny_model_folder)
    with pytest.raises(
        ConfigError, match=r"another tokens \(200, now 100\), freeze \(mamba, now all\)"
    ):
        distill(finished, teacher, student, DATA, replace(RUN, freeze="all", tokens=100))
    run = replace(RUN, settings=replace(RUN.settings, steps=2))
    folder = tmp_path / "run"
    distill(folder, teacher, student, DATA, run)
    more = replace(RUN, settings=replace(RUN.settings, steps=3))
    distill(folder, teacher, student, DATA, more)
    assert [row["step"] for row in rows(folder) if "loss" in row] == [1, 2, 3]
    assert "3 steps" in (folder / "student" / "README.md").read_text()


def run_with(folder: Path, teacher: Path, student: Path, steps: int, accumulate: int) -> None:
    """Train in a process of several, or alone."""
    settings = replace(RUN.settings, steps=steps, accumulate=accumulate)
    models = ModelFolder(teacher), ModelFolder(student)
    distill(folder, *models, DATA, replace(RUN, settings=settings))


def test_a_run_goes_on_with_other_processes_only_if_a_step_has_as_many_batches(
    tiny_model_folder, student, tmp_path
) -> None:
    pair = tiny_model_folder, student.folder
    launch(2, run_with, tmp_path, *pair, 1, 1)
    with pytest.raises(ConfigError, match=r"another batches_a_step \(2, now 1\)"):
        run_with(tmp_path, *pair, 2, 1)
    run_with(tmp_path, *pair, 2, 2)
    assert rows(tmp_path)[-1]["step"] == 2


def test_a_run_that_did_not_keep_its_batches_a_step_is_held_to_its_accumulate(
    tiny_model_folder, student, tmp_path
) -> None:
    pair = tiny_model_folder, student.folder
    run_with(tmp_path, *pair, 1, 1)
    path = tmp_path / "run.json"
    former = json.loads(path.read_text())
    del former["batches_a_step"]
    path.write_text(json.dumps(former))
    with pytest.raises(ConfigError, match=r"another settings.accumulate \(1, now 2\)"):
        run_with(tmp_path, *pair, 2, 2)
    run_with(tmp_path, *pair, 2, 1)
    assert json.loads(path.read_text())["batches_a_step"] == 1


@pytest.fixture
def moved(tiny_model_folder, student, tmp_path) -> tuple[Path, Path]:
    """Teacher and student as they are, in folders of a test's own."""
    folders = tmp_path / "teacher", tmp_path / "moved"
    for source, target in zip((tiny_model_folder, student.folder), folders, strict=True):
        shutil.copytree(source, target)
    return folders


def cached(
    folder: Path, teacher: Path, student: Path, steps: int, data: UtterancesInMemory = DATA
) -> None:
    """Train with the teacher's logits kept."""
    run = replace(RUN, settings=replace(RUN.settings, steps=steps), teacher_cache=4)
    distill(folder, ModelFolder(teacher), ModelFolder(student), data, run)


def changed(model: Path) -> None:
    """Another model's weights in a folder."""
    path = model / "speech_lm.safetensors"
    save_file({name: value * 1.5 for name, value in load_file(path).items()}, path)


def test_models_of_a_run_count_by_their_content_wherever_they_lie(
    tiny_model_folder, student, moved, tmp_path
) -> None:
    run = tmp_path / "run"
    cached(run, tiny_model_folder, student.folder, 1)
    cached(run, *moved, 2)
    assert rows(run)[-1]["step"] == 2
    for model, name in zip(moved, ("teacher_weights", "student_weights"), strict=True):
        kept = (model / "speech_lm.safetensors").read_bytes()
        changed(model)
        with pytest.raises(ConfigError, match=f"another {name} "):
            cached(run, *moved, 3)
        (model / "speech_lm.safetensors").write_bytes(kept)
    # a cache alone knows its teacher too
    changed(moved[0])
    (run / "run.json").unlink()
    with pytest.raises(ConfigError, match="keeps logits of another teacher"):
        cached(run, *moved, 3)


def test_kept_logits_of_another_text_are_refused(tiny_model_folder, student, tmp_path) -> None:
    pair = tiny_model_folder, student.folder
    cached(tmp_path, *pair, 1)
    # the same speech, its text read otherwise, as by a new file of pronunciations
    read = UtterancesInMemory([(list(reversed(text)), speech) for text, speech in DATA.pairs])
    with pytest.raises(ConfigError, match="keeps logits of another text"):
        cached(tmp_path, *pair, 2, read)
    path = tmp_path / "teacher_cache" / "cache.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({name: about[name] for name in about if name != "text"}))
    cached(tmp_path, *pair, 2)  # one of before the text was noted
    assert json.loads(path.read_text()) == about


def test_a_run_that_kept_only_where_its_models_lie_goes_on_there(
    tiny_model_folder, student, moved, tmp_path
) -> None:
    run = tmp_path / "run"
    cached(run, *moved, 1)
    written = run / "run.json", run / "teacher_cache" / "cache.json"
    request, about = (json.loads(path.read_text()) for path in written)
    former = {name: value for name, value in request.items() if not name.endswith("_weights")}
    written[0].write_text(json.dumps(former))
    written[1].write_text(json.dumps(about | {"teacher": request["teacher"]}))
    with pytest.raises(ConfigError, match=r"another teacher \(.*, student \("):
        cached(run, tiny_model_folder, student.folder, 2)
    cached(run, *moved, 2)
    assert [json.loads(path.read_text()) for path in written][1] == about
    changed(moved[0])
    with pytest.raises(ConfigError, match="another teacher_weights"):
        cached(run, *moved, 3)


def test_teacher_and_student_read_one_batch_of_both_layouts() -> None:
    data = random_utterances(SPEECH_LM, 24, speech=(40, 80))
    batches = DistillBatches(data, SPEECH_LM, tokens=10_000, seed=3)
    first = batches.at(0)
    assert torch.equal(first.order, batches.at(0).order)
    fill = SPEECH_LM.vocabulary.fill
    # every bi-stream sequence has a fill mark among its targets, none of the others has
    assert (first.targets == fill).any()
    flat = DistillBatches(data, SPEECH_LM, tokens=10_000, seed=3, bi_stream=False).at(0)
    assert not (flat.targets == fill).any()
    assert (flat.order == TASK + 1).sum() == len(flat.lengths)


def test_held_out_utterances_are_never_trained_on() -> None:
    batches = DistillBatches(DATA, SPEECH_LM, tokens=100, held_out=8)
    assert not set(batches.held_out) & set(batches.trained)
    assert sum(len(batch.lengths) for batch in batches.validation()) == 8
    assert batches.steps(2.0, 4) == -(-2 * batches.total // 400)


def test_a_batch_holds_no_more_than_its_tokens_with_marks_and_padding() -> None:
    data = random_utterances(SPEECH_LM, 40, speech=(2, 9))
    batches = DistillBatches(data, SPEECH_LM, tokens=120, held_out=20, bi_stream=False)
    drawn = [batches.at(number) for number in range(20)]
    for batch in (*drawn, *batches.validation()):
        assert batch.order.numel() <= 120
    assert max(batch.order.numel() for batch in drawn) > 90
    assert max(batch.order.numel() for batch in batches.validation()) > 90


def test_data_of_another_model_is_refused() -> None:
    strange = UtterancesInMemory([([1, 2], [5, 27, 3])] * 3)
    with pytest.raises(CorpusError, match="speech ids up to 27, and the model has 27"):
        DistillBatches(strange, SPEECH_LM, tokens=100).at(0)
    with pytest.raises(
        CorpusError, match=r"3 utterances are too few to keep held_out=3 .*--set held_out=N"
    ):
        DistillBatches(strange, SPEECH_LM, tokens=100, held_out=3)


def test_models_with_different_ids_are_refused() -> None:
    with pytest.raises(ModelError, match="speech_vocabulary is 27 and the student's 28"):
        check_pair(SPEECH_LM, replace(SPEECH_LM, speech_vocabulary=28))
    with pytest.raises(ModelError, match="end_mark is 0 and the student's 1"):
        check_pair(SPEECH_LM, replace(SPEECH_LM, end_mark=1))
    with pytest.raises(ModelError, match="marks is 3 and the student's 200"):
        check_pair(SPEECH_LM, replace(SPEECH_LM, marks=200, end_mark=1, fill_mark=3))


def test_a_run_with_nothing_to_learn_from_is_refused_before_it_begins() -> None:
    batches = DistillBatches(DATA, SPEECH_LM, tokens=100)
    narrow = replace(SPEECH_LM, backbone=replace(SPEECH_LM.backbone, dim=8))

    def task(student: SpeechLMConfig, run: DistillRun) -> DistillTask:
        return DistillTask(SpeechLM(SPEECH_LM), SpeechLM(student), batches, run)

    nothing = DistillLosses(ce=0.0, logits=0.0, embedding=0.0)
    alone = replace(RUN, freeze="all", losses=replace(nothing, embedding=1.0))
    with pytest.raises(ConfigError, match="no loss is left to learn from"):
        task(SPEECH_LM, replace(alone, losses=nothing))
    with pytest.raises(ConfigError, match="no loss is left to learn from"):
        task(narrow, alone)
    assert torch.isfinite(task(SPEECH_LM, alone).loss(0)["loss"])
    aligned = replace(alone, losses=nothing, align_steps=RUN.settings.steps)
    assert task(SPEECH_LM, aligned).run == aligned


@pytest.mark.parametrize("name", ["freeze", "align_target"])
def test_an_unknown_choice_is_refused_with_the_run(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}='block' is unknown; possible are "):
        replace(RUN, **{name: "block"})


def test_a_rehearsal_takes_the_steps_that_follow_the_alignment() -> None:
    models = SpeechLM(SPEECH_LM), SpeechLM(SPEECH_LM)
    run = replace(RUN, freeze="all", align_steps=2)
    task = task_of(models, DATA, run, torch.device("cpu"))
    assert set(task.loss(0)) > {"loss", "ce", "logits"}
    whole = replace(run, align_steps=run.settings.steps)
    assert task_of(models, DATA, whole, torch.device("cpu")).run == whole


def test_a_student_of_another_width_learns_without_the_embedding_loss() -> None:
    narrow = replace(SPEECH_LM, backbone=replace(SPEECH_LM.backbone, dim=8))
    batches = DistillBatches(DATA, SPEECH_LM, tokens=100)
    task = DistillTask(SpeechLM(SPEECH_LM), SpeechLM(narrow), batches, replace(RUN, freeze="all"))
    values = task.loss(0)
    assert "embedding" not in values
    assert torch.isfinite(values["loss"])
