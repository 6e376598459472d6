"""The vocoder's recipe on a corpus of two seconds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mamtra.acoustic.vocoder import Vocoder
from mamtra.checkpoints.modules import load_part
from mamtra.corpus.synthetic.manifest import Corpus, Utterance, write_shard
from mamtra.recipes.nano.vocoder import NANO_VOCODER, VocoderRun, VocoderTask, train_vocoder
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
    seconds = np.arange(16_000) / 16_000
    tone = (8000 * np.sin(2 * np.pi * 150 * seconds)).astype(np.int16)
    samples = [tone, tone[:2000]]
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
            for voice, start, length in [("slt", 0, 16_000), ("rms", 16_000, 2000)]
        ]
        write_shard(tmp_path, split, samples, rows)
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
    load_part(Vocoder(RUN.config), tmp_path / "run" / "model.safetensors")
