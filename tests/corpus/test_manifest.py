"""A corpus folder gives back what was written; tokens too."""

import numpy as np
import pytest

from mamtra.atomic import leftovers
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.synthetic.manifest import Corpus, Utterance, write_shard
from mamtra.corpus.synthetic.tokens import TokenTable, write_tokens
from mamtra.errors import CorpusError


def utterance(number: int, offset: int, samples: int, split: str = "train") -> Utterance:
    return Utterance(
        id=f"slt-{number}",
        text="Hello.",
        voice="slt",
        split=split,
        shard="slt-0",
        offset=offset,
        samples=samples,
        words=[["Hello", "hh ax l ow"]],
        phones="hh ax l ow",
    )


def test_audio_comes_back_where_the_manifest_says(tmp_path) -> None:
    clips = [np.arange(5, dtype=np.int16), np.full(3, -100, dtype=np.int16)]
    write_shard(tmp_path, "slt-0", clips, [utterance(0, 0, 5), utterance(1, 5, 3, "test")])
    corpus = Corpus.open(tmp_path)
    (held,) = corpus.choose("test")
    np.testing.assert_allclose(corpus.audio(held) * 32768, clips[1])
    assert [item.id for item in corpus.choose("train", "slt")] == ["slt-0"]
    assert not leftovers(tmp_path)


def test_an_empty_folder_and_an_unknown_split_are_named(tmp_path) -> None:
    with pytest.raises(CorpusError, match="mamtra corpus synthesize"):
        Corpus.open(tmp_path)
    write_shard(tmp_path, "slt-0", [np.zeros(5, np.int16)], [utterance(0, 0, 5)])
    with pytest.raises(CorpusError, match="train, validation, test"):
        Corpus.open(tmp_path).choose("dev")


def test_tokens_come_back_by_utterance(tmp_path) -> None:
    write_tokens(tmp_path / "t", [("a", np.array([1, 728])), ("b", np.array([5]))])
    table = TokenTable.open(tmp_path / "t")
    assert table.of("a").tolist() == [1, 728]
    assert table.of("b").tolist() == [5]
    assert "c" not in table
    with pytest.raises(CorpusError, match="'c'"):
        table.of("c")
    with pytest.raises(CorpusError, match="no speech tokens"):
        TokenTable.open(tmp_path / "none")


def test_batches_depend_on_the_step_alone_and_keep_the_budget() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(10, 200, 500).tolist()
    one, two = (LengthBatches(lengths, 2000, seed=3) for _ in range(2))
    seen = set()
    for step in range(400):
        batch = one.at(step)
        assert batch == two.at(step)
        assert len(set(batch)) == len(batch)
        longest = max(lengths[item] for item in batch)
        assert longest * len(batch) <= 2000
        seen.update(batch)
    assert len(seen) > 450
