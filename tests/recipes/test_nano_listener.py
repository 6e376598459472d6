"""The listener names phones in mel features, and a decoder learns to be understood by it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close
from toy_nano import PHONES, SETTINGS, STEP, timed, timed_corpus

from mamtra.acoustic.config import CLASSES
from mamtra.corpus.synthetic.manifest import Corpus, write_shard
from mamtra.corpus.synthetic.tokens import TokenTable, write_tokens
from mamtra.errors import CorpusError, TrainingError
from mamtra.recipes.nano.articulation import (
    ArticulationRun,
    ArticulationTask,
    train_articulation,
)
from mamtra.recipes.nano.decoder import DecoderRun, DecoderTask
from mamtra.recipes.nano.detail import Detail
from mamtra.recipes.nano.listener import (
    Listener,
    ListenerRun,
    ListenerTask,
    by_root_of_length,
    heard_wrong,
    train_listener,
)
from mamtra.recipes.nano.proofreader import NOTHING
from mamtra.recipes.nano.stages import Workshop, run_stage

LISTENER = ListenerRun(
    dim=16,
    layers=1,
    kernel=3,
    settings=replace(SETTINGS, steps=60, warmup_steps=5, learning_rate=1e-2, evaluate_every=60),
    batch_frames=200,
)
DECODER = DecoderRun(settings=SETTINGS, batch_frames=200)


def tones() -> np.ndarray:
    """Each phone is a tone of its own."""
    numbers = [1 + CLASSES.index(phone) for phone in PHONES.split()]
    at = np.arange(STEP) / 24_000
    sound = [3000 * np.sin(2 * np.pi * 200 * number * at) for number in numbers]
    return np.concatenate(sound).astype(np.int16)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return timed_corpus(tmp_path_factory.mktemp("timed"), tones())


@pytest.fixture(scope="module")
def tokens(corpus: Corpus) -> TokenTable:
    numbers = [CLASSES.index(phone) for phone in PHONES.split()]
    path = corpus.folder / "tokens.safetensors"
    write_tokens(path, [(one.id, np.repeat(numbers, 2)) for one in corpus.utterances])
    return TokenTable.open(path)


@pytest.fixture(scope="module")
def listener(corpus: Corpus, tokens: TokenTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listener")
    train_listener(corpus, tokens, folder, LISTENER)
    return folder


def last_row(folder: Path) -> dict[str, float]:
    return json.loads((folder / "log.jsonl").read_text().splitlines()[-1])


def test_what_recordings_tell_is_learnt(listener: Path) -> None:
    assert last_row(listener)["validation_right"] > 0.9


def test_frames_without_a_phone_do_not_count() -> None:
    found = torch.zeros(1, 3, len(CLASSES))
    found[0, :, 4] = 9.0
    heard = heard_wrong(found, torch.tensor([[4, NOTHING, 7]]))
    assert float(heard["right"]) == 0.5
    unknown = heard_wrong(found, torch.full((1, 3), NOTHING))
    assert float(unknown["phones"]) == float(unknown["right"]) == 0.0


def test_frames_count_as_much_as_they_are_told_to() -> None:
    found, wanted = torch.randn(1, 3, len(CLASSES)), torch.tensor([[4, NOTHING, 7]])
    first = heard_wrong(found, wanted, torch.tensor([[1.0, 9.0, 0.0]]))
    alone = heard_wrong(found[:, :1], wanted[:, :1])
    assert float(first["phones"]) == pytest.approx(float(alone["phones"]), rel=1e-6)


def test_a_phone_counts_as_the_root_of_its_length() -> None:
    counts = by_root_of_length(torch.tensor([[3, 3, 3, 3, 8, 3, 3, 3, 3], [5] * 9]))
    assert counts[0].tolist() == [0.5] * 4 + [1.0] + [0.5] * 4
    assert float(counts[1].sum()) == pytest.approx(3.0)


def articulating(corpus: Corpus, tokens: TokenTable, share: float = 0.5) -> ArticulationTask:
    run = ArticulationRun(decoder=replace(DECODER, twin_share=share), listener=LISTENER)
    bins, nothing = DECODER.decoder.bins, torch.zeros(DECODER.decoder.bins)
    detail = Detail(matrix=torch.eye(bins), drawn=nothing, natural=nothing)
    return ArticulationTask(run, corpus, tokens, Listener(LISTENER), detail)


def test_phones_that_are_not_heard_are_a_part_of_the_loss(
    corpus: Corpus, tokens: TokenTable
) -> None:
    task, random = articulating(corpus, tokens), np.random.default_rng(0)
    values = task.compute(task.batch(task.train[:2], random), random, chunked=False)
    distance = values["absolute"] + values["square"] + values["melody"]
    assert_close(values["loss"], distance + ArticulationRun().phone_weight * values["phones"])
    values["phones"].backward()
    head = task.model.decoder.mean_head
    assert head is not None
    assert head.weight.grad is not None
    assert head.weight.grad.abs().max() > 0


def test_the_phones_are_those_of_the_tokens_where_another_voice_says_them(tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text('{"rate_hz": 24000}')
    slower = replace(timed(0, "train", 2 * STEP), id="other", voice="nova", shard="other")
    write_shard(tmp_path, "train", [tones()], [timed(0, "train")])
    write_shard(tmp_path, "other", [np.repeat(tones(), 2)], [slower])
    both = Corpus.open(tmp_path)
    ids = [(one.id, np.zeros(one.samples // 960, np.int64)) for one in both.utterances]
    write_tokens(tmp_path / "tokens.safetensors", ids)
    task = articulating(both, TokenTable.open(tmp_path / "tokens.safetensors"), share=1.0)
    batch = task.batch([slower], np.random.default_rng(0))
    assert [one.voice for one in batch.said] == ["heart"]
    assert batch.lengths.tolist() == [STEP * len(PHONES.split()) // 960]


def test_a_decoder_learns_to_be_heard_and_its_speakers_stay(
    corpus: Corpus, tokens: TokenTable, listener: Path, tmp_path: Path
) -> None:
    before, run = tmp_path / "decoder", ArticulationRun(decoder=DECODER, listener=LISTENER)
    before.mkdir()
    task = DecoderTask(DECODER, corpus, tokens)
    save_file(task.model.state_dict(), before / "model.safetensors")
    run = replace(run, settings=replace(SETTINGS, steps=12, learning_rate=3e-3, evaluate_every=4))
    weights = [folder / "model.safetensors" for folder in (before, listener)]
    train_articulation(corpus, tokens, tmp_path / "made", *weights, run)
    rows = [json.loads(line) for line in (tmp_path / "made" / "log.jsonl").read_text().splitlines()]
    assert "heart_right" in rows[-1]
    old, new = load_file(weights[0]), load_file(tmp_path / "made" / "model.safetensors")
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert "decoder.mean_head.weight" in changed
    assert not [name for name in changed if name.startswith("speaker.")]


def test_a_source_that_does_not_tell_times_cannot_teach(workshop: Workshop) -> None:
    tokens = TokenTable.open(workshop.tokens)
    with pytest.raises(CorpusError, match="hibari"):
        ListenerTask(LISTENER, Corpus.open(workshop.corpus), tokens)


@pytest.mark.parametrize(("stage", "needed"), [("articulation", "decoder"), ("student", "teacher")])
def test_a_stage_whose_beginning_is_missing_says_so(
    corpus: Corpus, tmp_path: Path, stage: str, needed: str
) -> None:
    made = Workshop(folder=tmp_path)
    made.corpus.symlink_to(corpus.folder)
    with pytest.raises(TrainingError, match=f"mamtra nano {needed} -f"):
        run_stage(made, stage)


def test_the_decoder_that_articulates_is_taken_where_there_is_one(tmp_path: Path) -> None:
    made = Workshop(folder=tmp_path)
    assert made.decoder == made.weights("decoder")
    made.weights("articulation").parent.mkdir()
    made.weights("articulation").touch()
    assert made.decoder == made.weights("articulation")
