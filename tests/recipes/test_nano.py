"""The chain of nano's recipes at toy size, and the rules each of them keeps."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mamtra.acoustic.speech_tokenizer import SpeechTokenizerConfig
from mamtra.backbone import BackboneConfig
from mamtra.cli.main import main
from mamtra.corpus.manifest import Corpus, Utterance, write_shard
from mamtra.corpus.tokens import TokenTable
from mamtra.recipes.nano import Workshop, guard_for, run_stage
from mamtra.recipes.nano_speech_lm import SpeechLMRun, SpeechLMTask, spelled, train_teacher
from mamtra.recipes.nano_student import StudentRun, StudentTask, train_student
from mamtra.recipes.nano_tokenizer import (
    TokenizerRun,
    edit_distance,
    greedy_phones,
    train_tokenizer,
)
from mamtra.recipes.nano_tokens import tokens_of, trained_tokenizer
from mamtra.speech_lm.model import SpeechLMConfig
from mamtra.training.loop import LoopSettings

WORDS = [["Hello", "hh ax l ow"], ["old", "ow l d"], ["world", "w er l d"]]
SETTINGS = LoopSettings(steps=2, warmup_steps=1, log_every=1, evaluate_every=2)
SIZES = SpeechTokenizerConfig(dim=16, blocks=1)
TOY_LM = SpeechLMRun(
    config=SpeechLMConfig(
        backbone=BackboneConfig(
            dim=16,
            layout="AAAA",
            query_heads=2,
            kv_heads=1,
            head_dim=8,
            mlp_dim=16,
            rope_theta=10_000.0,
        ),
        text_vocabulary=76,
        speech_vocabulary=729,
    ),
    settings=SETTINGS,
    batch_places=400,
    compiled=False,
)
TOY_STUDENT = StudentRun(teacher=TOY_LM, layout="AMAM", settings=SETTINGS)


def utterance(number: int, samples: int = 0, offset: int = 0, split: str = "train") -> Utterance:
    return Utterance(
        id=f"slt-{split}-{number}",
        text="Hello, old world.",
        voice="slt",
        split=split,
        shard=split,
        offset=offset,
        samples=samples,
        words=WORDS,
        phones="hh ax l ow pau ow l d w er l d",
    )


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A toy corpus with a tokenizer, its tokens and a teacher, each trained for two steps."""
    made = Workshop(folder=tmp_path_factory.mktemp("nano"), workers=1)
    made.corpus.mkdir()
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("validation", 3)):
        clips = [
            (1000 * random.standard_normal(16_000 + 700 * n)).astype(np.int16) for n in range(count)
        ]
        starts = np.cumsum([0, *map(len, clips)])
        write_shard(
            made.corpus,
            split,
            clips,
            [utterance(n, len(clip), int(starts[n]), split) for n, clip in enumerate(clips)],
        )
    corpus = Corpus.open(made.corpus)
    train_tokenizer(
        corpus,
        made.folder / "tokenizer",
        TokenizerRun(config=SIZES, settings=SETTINGS, batch_frames=400),
    )
    tokenizer = trained_tokenizer(made.weights("tokenizer"), SIZES)
    from mamtra.corpus.tokens import write_tokens

    write_tokens(made.tokens, tokens_of(corpus, corpus.utterances, tokenizer))
    train_teacher(made.corpus, made.tokens, made.folder / "teacher", TOY_LM)
    return made


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
        assert len(tokens.of(item.id)) == item.samples // 640
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
    task = StudentTask(TOY_STUDENT, corpus, tokens, workshop.weights("teacher"))
    before = {name: value.clone() for name, value in task.teacher.state_dict().items()}
    task.student.to(torch.bfloat16)
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


def test_a_stage_whose_result_is_there_is_not_run_again(workshop: Workshop) -> None:
    before = workshop.weights("tokenizer").stat().st_mtime_ns
    assert run_stage(workshop, "tokenizer") is False
    assert workshop.weights("tokenizer").stat().st_mtime_ns == before


def test_the_guard_leaves_room_for_everything_in_the_corpus(workshop: Workshop) -> None:
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    guard = guard_for(tokens, corpus)
    for item in corpus.choose("train"):
        length = len(tokens.of(item.id))
        assert guard.least(len(item.text)) <= length <= guard.most(len(item.text))


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
    assert "tokenizer, tokens, vocoder" in capsys.readouterr().err
