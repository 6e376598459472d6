"""Where the chunks of a stream end, after prompts of every length."""

from dataclasses import dataclass
from itertools import pairwise

import pytest

from mamtra.acoustic.chunk_borders import ChunkBorders


@dataclass(frozen=True)
class Sizes:
    chunk_tokens: int = 25
    lookahead_tokens: int = 3
    frames_per_token: int = 2


@pytest.mark.parametrize("prompt", [0, 1, 3, 4, 19, 28, 100, 101, 127])
def test_a_border_lies_where_the_prompt_begins_to_look_ahead_and_a_shorter_chunk_follows(prompt):
    borders, ends = ChunkBorders.of(Sizes(), prompt), [0]
    while ends[-1] < prompt + 80:
        ends.append(borders.after(2 * ends[-1]) // 2)
    begins = max(0, prompt - 3)
    assert begins in ends
    lengths = [end - start for start, end in pairwise(ends)]
    place = ends.index(begins)
    assert lengths[place] == 17
    assert set(lengths[1:place] + lengths[place + 1 :]) <= {25}
    for tokens in range(prompt + 80):
        assert borders.border(tokens) == max(end for end in ends if end <= tokens)
        assert borders.following(tokens) == min(end for end in ends if end > tokens)
    assert borders.readable(prompt, final=False) == 2 * begins  # a voice's prompt, read once
    assert borders.readable(begins + 19, final=False) == 2 * begins
    assert borders.readable(begins + 20, final=False) == 2 * (begins + 17)
    assert borders.readable(prompt + 7, final=True) == 2 * (prompt + 7)
