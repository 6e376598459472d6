"""The vocoder's recipe on a corpus of two seconds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mamtra.checkpoints.locate import locate
from mamtra.corpus.synthetic.manifest import Corpus, Utterance, write_shard
from mamtra.errors import CorpusError
from mamtra.recipes.nano.drawer import Drawer
from mamtra.recipes.nano.start import start_vocoder
from mamtra.recipes.nano.vocoder import (
    NANO_VOCODER,
    VocoderRun,
    VocoderTask,
    train_vocoder,
    trained_vocoder,
)
from mamtra.training.loop import LoopSettings

RUN = VocoderRun(
    config=replace(NANO_VOCODER, channels=16, pitch_channels=16),
    settings=LoopSettings(steps=3, warmup_steps=1, log_every=1, evaluate_every=3),
    batch=2,
    shortest_frames=10,
    longest_frames=12,
    validation_frames=10,
)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Two spoken sentences, one of them shorter than a piece."""
    seconds = np.arange(24_000) / 24_000
    tone = (8000 * np.sin(2 * np.pi * 150 * seconds)).astype(np.int16)
    samples = [tone, tone[:2880]]
    for split in ("train", "validation"):
        rows = [
            Utterance(
                id=f"{voice}-{split}",
                text="tone",
                voice=voice,
                split=split,
                shard=split,
                offset=start,
                samples=length,
                words=[],
                phones="",
            )
            for voice, start, length in [("heart", 0, 24_000), ("am_adam", 24_000, 2880)]
        ]
        write_shard(tmp_path, split, samples, rows)
    (tmp_path / "corpus.json").write_text('{"rate_hz": 24000}')
    return Corpus.open(tmp_path)


def test_a_step_draws_the_same_pieces_and_noise_each_time(corpus: Corpus) -> None:
    task = VocoderTask(RUN, corpus)
    first, again, other = (task.loss(step)["loss"].item() for step in (5, 5, 6))
    assert first == again
    assert first != other


def test_training_writes_weights_that_a_vocoder_takes(corpus: Corpus, tmp_path: Path) -> None:
    train_vocoder(corpus, tmp_path / "run", RUN)
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert np.isfinite(last["validation_loss"])
    vocoder = trained_vocoder(tmp_path / "run" / "model.safetensors", RUN.config)
    assert not vocoder.training


def test_judges_are_asked_from_their_step_on_and_do_not_touch_each_other(corpus: Corpus) -> None:
    task = VocoderTask(replace(RUN, adversary_from=1, adversary_frames=4), corpus)
    assert "fooled" not in task.loss(0)
    values = task.loss(1)
    values["judges"].backward(retain_graph=True)
    assert all(weight.grad is None for weight in task.model.parameters())
    task.judged.zero_grad()
    (values["fooled"] + values["features"]).backward()
    assert all(weight.grad is None for weight in task.judged.adversary.parameters())
    assert task.model.conv_in.weight.grad is not None


def test_new_judges_are_heeded_little_by_little(corpus: Corpus) -> None:
    task = VocoderTask(replace(RUN, adversary_from=2, adversary_ramp=4, adversary_frames=4), corpus)
    assert [task.chosen(step).heed for step in (0, 1, 2, 3, 5, 9)] == [0, 0, 0.25, 0.5, 1, 1]
    pieces = task.chosen(2).pieces
    plain, some, all_of_it = (task.compute(pieces, 7, heed)["loss"] for heed in (0.0, 0.25, 1.0))
    values = task.compute(pieces, 7, 1.0)
    heard = RUN.fooled_weight * values["fooled"] + RUN.feature_weight * values["features"]
    assert some.item() == pytest.approx((plain + values["judges"] + heard / 4).item(), rel=1e-5)
    assert all_of_it.item() == pytest.approx((plain + values["judges"] + heard).item(), rel=1e-5)


def test_a_corpus_of_another_rate_is_named(corpus: Corpus) -> None:
    corpus.rate_hz = 16_000
    with pytest.raises(CorpusError, match="16000 Hz and nano at 24000"):
        VocoderTask(RUN, corpus)


class Flat(Drawer):
    """A decoder that draws the same everywhere."""

    def __init__(self) -> None:
        """Nothing to load."""

    def draw(self, utterance: Utterance) -> torch.Tensor:
        return torch.full((100, utterance.samples // 480), -3.0)


def test_a_piece_may_be_spoken_from_what_the_decoder_draws(corpus: Corpus) -> None:
    task = VocoderTask(RUN, corpus, Flat())
    short = corpus.choose("train", "am_adam")[0]
    random = np.random.default_rng(0)
    heard, drawn = task.piece(short, 12, random), task.piece(short, 12, random, drawn=True)
    audio = torch.from_numpy(np.stack([heard.samples, drawn.samples]))
    mel = task.features([heard, drawn], audio)
    assert mel.shape == (2, 100, 12)
    assert (mel[1, :, :6] == -3).all()
    assert not (mel[0] == -3).any()
    assert (mel[1, :, 6:] < -11).all(), "beyond its end is silence"


def test_a_run_may_begin_with_an_earlier_vocoder(corpus: Corpus, tmp_path: Path) -> None:
    run = replace(RUN, config=NANO_VOCODER, settings=replace(RUN.settings, steps=1))
    task = VocoderTask(run, corpus)
    told = start_vocoder(task.model, locate("nano"))
    assert not told["new"]
    taken = load_file(locate("nano") / "vocoder.safetensors")
    assert torch.equal(task.model.conv_in.weight, taken["conv_in.weight"])
