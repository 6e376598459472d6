"""The chain of nano's recipes at toy size, and the rules each of them keeps."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_nano import TOY_LM, TOY_STUDENT, WORDS, utterance

from mamtra.checkpoints.format import ModelConfig, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.cli.main import main
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.errors import TrainingError
from mamtra.recipes.nano import student
from mamtra.recipes.nano.assemble import LM_FILE, fill, guard_for
from mamtra.recipes.nano.phone_errors import edit_distance, greedy_phones
from mamtra.recipes.nano.speech_lm import LAYERS, SpeechLMTask, spelled
from mamtra.recipes.nano.stages import Workshop, run_stage
from mamtra.recipes.nano.student import (
    SHIPPED,
    STUDENTS,
    student_task,
    train_student,
    untrained,
)
from mamtra.text.pronunciations import Pronunciations
from mamtra.text.tokenizer import NanoTokenizer


def test_words_are_spelled_in_phones_by_share() -> None:
    random = np.random.default_rng(0)
    given = utterance(0)
    assert spelled(given, 0.0, random) == "Hello, old world."
    assert spelled(given, 1.0, random) == "{hh ax l ow}, {ow l d} {w er l d}."
    other = replace(given, words=WORDS[:2])
    assert spelled(other, 1.0, random) == "Hello, old world.", "words that do not match stay"


def test_every_utterance_has_a_token_for_each_two_frames(workshop: Workshop) -> None:
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    for item in corpus.utterances:
        assert len(tokens.of(item.id)) == item.samples // 960
        assert tokens.of(item.id).max() < 729


def test_a_batch_depends_on_its_number_alone(workshop: Workshop) -> None:
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    one, two = (SpeechLMTask(TOY_LM, corpus, tokens).batch(7) for _ in range(2))
    assert torch.equal(one.text_ids, two.text_ids)
    assert torch.equal(one.targets, two.targets)


def test_the_evaluation_tells_right_from_wrong_text_apart(workshop: Workshop) -> None:
    log = (workshop.folder / "teacher/log.jsonl").read_text()
    rows = [json.loads(line) for line in log.splitlines()]
    measured = [row for row in rows if "validation_letters" in row]
    assert measured[-1].keys() >= {"validation_phones", "validation_wrong_text"}


def test_teacher_and_student_read_the_same_batch_and_the_teacher_rests(workshop: Workshop) -> None:
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    task, _, _ = student_task(TOY_STUDENT, corpus, tokens, workshop.weights("teacher"))
    before = {name: value.clone() for name, value in task.teacher.state_dict().items()}
    values = task.loss(0)
    values["loss"].backward()
    assert values["embedding"] == 0, "the embeddings were copied and read the same ids"
    assert task.student.backbone.layers[1].mixer.in_proj.weight.grad is not None
    for name, value in task.teacher.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_student_is_trained_and_its_transfer_written_down(workshop: Workshop) -> None:
    folder = workshop.folder / "student"
    train_student(
        workshop.corpus, workshop.tokens, workshop.weights("teacher"), folder, TOY_STUDENT
    )
    table = (folder / "transfer.txt").read_text()
    assert "in_proj" in table
    assert "backbone.layers.1.mixer.in_proj.weight" in load_file(folder / "model.safetensors")


def test_a_student_goes_on_from_an_earlier_one_of_its_shape(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(student, "same_tokens", lambda *_: True)
    stages = workshop.corpus, workshop.tokens, workshop.weights("teacher")
    train_student(*stages, workshop.folder / "student", TOY_STUDENT)
    earlier = workshop.folder / "earlier"
    run = replace(TOY_STUDENT, settings=replace(TOY_STUDENT.settings, learning_rate=1e-12))
    config = ModelConfig(name="earlier", speech_lm=asdict(untrained(run).config))
    write_config(earlier, config)
    save_part(fill(untrained(run), workshop.weights("student")), earlier / LM_FILE)
    train_student(*stages, workshop.folder / "further", run, earlier)
    before, after = (load_file(workshop.weights(stage)) for stage in ("student", "further"))
    name = "backbone.layers.1.mixer.in_proj.weight"
    torch.testing.assert_close(before[name], after[name], atol=1e-3, rtol=1e-3)
    assert (workshop.folder / "further" / "start.json").exists()
    with pytest.raises(TrainingError, match="has another shape than"):
        train_student(*stages, workshop.folder / "other", replace(run, layout="MMAA"), earlier)
    monkeypatch.setattr(student, "same_tokens", lambda *_: False)
    train_student(*stages, workshop.folder / "anew", TOY_STUDENT, earlier)
    assert not (workshop.folder / "anew" / "start.json").exists()


def test_a_stage_whose_result_is_there_is_not_run_again(workshop: Workshop) -> None:
    before = workshop.weights("tokenizer").stat().st_mtime_ns
    assert run_stage(workshop, "tokenizer") is False
    assert workshop.weights("tokenizer").stat().st_mtime_ns == before


def test_the_guard_leaves_room_for_everything_in_the_corpus(workshop: Workshop) -> None:
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    tokenizer = NanoTokenizer(Pronunciations(b"hello\thh ax l ow\n"))
    guard = guard_for(tokens, corpus, tokenizer)
    for item in corpus.choose("train"):
        length, text_ids = len(tokens.of(item.id)), len(tokenizer.encode(item.text))
        assert guard.least(text_ids) <= length <= guard.most(text_ids)


def test_phones_are_read_off_the_best_path() -> None:
    assert greedy_phones([0, 3, 3, 0, 3, 5, 5, 0]) == [3, 3, 5]
    assert edit_distance([1, 2, 3], [1, 3]) == 1
    assert edit_distance([], [1, 3]) == 2
    assert edit_distance([4, 4], [4, 5, 4]) == 1


def test_an_unknown_stage_lists_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nano", "bake", "--folder", str(tmp_path)])
    assert ended.value.code == 3
    assert (
        "pronunciations, tokenizer, voices, tokens, proofreader, decoder" in capsys.readouterr().err
    )


def test_sequences_of_several_utterances_hold_their_texts_and_tokens_in_order(
    workshop: Workshop,
) -> None:
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    task = SpeechLMTask(TOY_LM, corpus, tokens)
    items = task.train[:5]
    texts = [f"Word {letter}." for letter in "abcde"]
    batch = task.joined(items, texts, 2)
    assert len(batch.lengths) == 2, "the fifth is left out"
    pairs = [task.tokenizer.encode(text) for text in ("Word a. Word b.", "Word c. Word d.")]
    assert batch.text_ids.tolist() == [*pairs[0], *pairs[1]]
    said = np.concatenate([tokens.of(item.id) for item in items[:4]])
    assert batch.speech_ids.tolist() == said.tolist()


def test_further_students_have_the_layers_that_the_tables_name() -> None:
    layouts = {stage: untrained(run).config.backbone.layout for stage, run in STUDENTS.items()}
    assert layouts == {
        "student-1-3": "AMMMAMMMAMMM",
        "student-1-5": "MMMMMMMMAMAM",
        "student-1-11": "MMMMMMMMAMMM",
        "removed-6": "AAAAAA",
    }
    replaced = [layer for layer, letter in enumerate(SHIPPED.layout) if letter == "M"]
    assert sorted((*replaced, *STUDENTS["removed-6"].kept_layers)) == list(range(LAYERS))


def test_a_rival_is_healed_as_a_student_is_distilled(workshop: Workshop) -> None:
    run = replace(TOY_STUDENT, kept_layers=(0,), calibration_batches=0)
    folder = workshop.folder / "rival"
    train_student(workshop.corpus, workshop.tokens, workshop.weights("teacher"), folder, run)
    student = untrained(run)
    student.load_state_dict(load_file(folder / "model.safetensors"))
    assert "unused" in (folder / "transfer.txt").read_text()
