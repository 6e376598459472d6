"""Further voices are taught to nano's tokenizer, and its main voice keeps its tokens."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_nano import SETTINGS, SIZES, utterance

from mamtra.corpus.synthetic.manifest import Corpus, write_shard
from mamtra.errors import CorpusError
from mamtra.recipes.nano.stages import Workshop
from mamtra.recipes.nano.tokenizer import TokenizerRun
from mamtra.recipes.nano.voices import VoicesRun, VoicesTask, teach_voices

TOKENIZER = TokenizerRun(config=SIZES, settings=SETTINGS, batch_frames=400)


def run(steps: int, kept_weight: float) -> VoicesRun:
    settings = replace(SETTINGS, steps=steps, learning_rate=1e-2, evaluate_every=steps)
    return VoicesRun(
        tokenizer=TOKENIZER, settings=settings, main_frames=400, kept_weight=kept_weight
    )


@pytest.fixture(scope="module")
def two_voices(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    for path in workshop.corpus.iterdir():
        (folder / path.name).symlink_to(path)
    random = np.random.default_rng(1)
    for split, count in (("train", 6), ("validation", 2)):
        clips = [(900 * random.standard_normal(24_000)).astype(np.int16) for _ in range(count)]
        items = [
            replace(
                utterance(n, 24_000, 24_000 * n, split),
                id=f"bass-{split}-{n}",
                voice="bass",
                shard=f"bass-{split}",
            )
            for n in range(count)
        ]
        write_shard(folder, f"bass-{split}", clips, items)
    return Corpus.open(folder)


def test_only_what_comes_before_the_quantiser_changes(
    two_voices: Corpus, workshop: Workshop, tmp_path: Path
) -> None:
    teach_voices(two_voices, workshop.weights("tokenizer"), tmp_path, run(3, 4.0))
    before = load_file(workshop.weights("tokenizer"))
    after = load_file(tmp_path / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("tokenizer.") for name in changed)
    assert not any(name.startswith("tokenizer.quantizer.up") for name in changed)


def test_the_main_voice_keeps_its_codes_for_as_much_as_that_weighs(
    two_voices: Corpus, workshop: Workshop, tmp_path: Path
) -> None:
    moved = {}
    for weight in (0.0, 100.0):
        folder, given = tmp_path / str(weight), run(20, weight)
        teach_voices(two_voices, workshop.weights("tokenizer"), folder, given)
        rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        moved[weight] = next(row["kept"] for row in reversed(rows) if "kept" in row)
        assert {"changed_tokens", "heart_phone_error_rate", "bass_phone_error_rate"} <= {
            name for row in rows for name in row
        }
    assert moved[100.0] < 0.3 * moved[0.0]


def test_a_corpus_of_one_voice_is_refused(workshop: Workshop) -> None:
    corpus = Corpus.open(workshop.corpus)
    with pytest.raises(CorpusError, match="--others"):
        VoicesTask(run(1, 1.0), corpus, workshop.weights("tokenizer"))
