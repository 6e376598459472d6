"""What nano's tokenizer is told of a sentence: the phone of each frame, and how much it counts."""

import torch

from mamtra.corpus.synthetic.manifest import Utterance
from mamtra.recipes.nano.phone_errors import PHONE_ID
from mamtra.recipes.nano.tokenizer import NANO_MEL, UNKNOWN, phone_frames


def spoken(phones: str, places: list[tuple[int, int]]) -> Utterance:
    """An utterance whose phones lie at these frames."""
    return Utterance(
        id="one",
        text="",
        voice="heart",
        split="train",
        shard="one",
        offset=0,
        samples=0,
        words=[],
        phones=phones,
        starts=[start * NANO_MEL.hop for start, _ in places],
        ends=[end * NANO_MEL.hop for _, end in places],
    )


def test_a_phone_counts_as_the_root_of_its_frames():
    classes, weights = phone_frames(spoken("t aa", [(1, 2), (2, 11)]), 14)
    assert classes.tolist() == [UNKNOWN, PHONE_ID["t"], *[PHONE_ID["aa"]] * 9, *[UNKNOWN] * 3]
    assert weights[1] == 1
    torch.testing.assert_close(weights[2:11].sum(), torch.tensor(3.0))
    assert not weights[classes == UNKNOWN].any()


def test_a_phone_shorter_than_half_a_frame_is_nowhere():
    classes, weights = phone_frames(spoken("t aa", [(1, 1), (1, 3)]), 4)
    assert PHONE_ID["t"] not in classes.tolist()
    assert weights.isfinite().all()
