"""What another voice said, at the main voice's times."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from toy_nano import utterance

from mamtra.corpus.synthetic.manifest import Corpus, write_shard
from mamtra.recipes.nano.twins import moved, twins

HOP = 480


def timed(length: int, bounds: list[int], voice: str = "heart"):
    """An utterance of three phones between four bounds, in frames."""
    starts, ends = ([HOP * at for at in part] for part in (bounds[:-1], bounds[1:]))
    return replace(
        utterance(0, HOP * length), voice=voice, phones="hh ax l", starts=starts, ends=ends
    )


def test_each_phone_takes_the_place_that_it_has_in_the_other_reading() -> None:
    given, wanted = timed(10, [1, 3, 5, 9]), timed(16, [2, 8, 10, 14])
    numbers = torch.tensor([0.0, 1, 1, 2, 2, 3, 3, 3, 3, 4])  # which stretch each frame is in
    mel = numbers.repeat(2, 1)
    found = moved(mel, given, wanted, HOP, 16)
    assert found.shape == (2, 16)
    expected = torch.tensor([0.0] * 2 + [1] * 6 + [2] * 2 + [3] * 4 + [4] * 2)
    inner = [0, 3, 4, 5, 6, 11, 12, 15]  # away from the bounds, where frames are mixed
    assert torch.equal(found[0][inner], expected[inner])


def test_a_reading_at_its_own_times_stays_as_it_is() -> None:
    given = timed(10, [1, 3, 5, 9])
    mel = torch.randn(3, 10, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(moved(mel, given, given, HOP, 10), mel, atol=1e-4)


def test_twins_have_the_same_text_and_the_same_phones(tmp_path: Path) -> None:
    items = [
        replace(timed(10, [1, 3, 5, 9]), id="heart-0", text="Yes."),
        replace(timed(10, [1, 3, 5, 9]), id="heart-1", text="No."),
        replace(timed(10, [1, 3, 5, 9], "bass"), id="bass-0", text="Yes."),
        replace(timed(10, [1, 3, 5, 9], "bass"), id="bass-1", text="No.", phones="n ow l"),
        replace(timed(10, [1, 3, 5, 9], "bass"), id="bass-2", text="Who knows."),
    ]
    (tmp_path / "corpus.json").write_text('{"rate_hz": 24000}')
    items = [replace(item, offset=4800 * n) for n, item in enumerate(items)]
    clips = [np.zeros(4800, np.int16)] * len(items)
    write_shard(tmp_path, "train", clips, items)
    found = twins(Corpus.open(tmp_path))
    assert {name: twin.id for name, twin in found.items()} == {"bass-0": "heart-0"}
