"""Pieces joined: no clicks, sensible pauses, nothing of the speech lost."""

import numpy as np
import pytest

from mamtra.audio.joiner import Joiner, edges, faded, join_samples, pause_after

RATE = 16_000
PAUSES = [0.15, 0.05, 0.35]


def tone(seconds: float, silence: float = 0.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    quiet = np.zeros(round(silence * RATE), np.float32)
    sound = np.cos(2 * np.pi * 200 * time, dtype=np.float32) * np.float32(0.5)
    return np.concatenate([quiet, sound, quiet])


def test_no_join_jumps_further_than_the_sound_itself_moves() -> None:
    pieces = [tone(0.3), tone(0.2), tone(0.25)]
    joined = join_samples(pieces, PAUSES, RATE)
    assert np.abs(np.diff(joined)).max() <= np.abs(np.diff(pieces[0])).max() * 1.01
    assert joined[0] == joined[-1] == 0


def test_a_long_silence_inside_the_join_becomes_a_natural_pause() -> None:
    joined = join_samples(
        [tone(0.5, 1.0), tone(0.5, 1.0)], [pause_after("One."), pause_after("Two.")], RATE
    )
    loud = np.flatnonzero(np.abs(joined) > 0.01)
    gap = np.diff(loud).max() / RATE
    assert gap == pytest.approx(pause_after("One.") + 0.08, abs=0.03)
    assert len(joined) / RATE == pytest.approx(2 * 0.5 + 2 * 1.0 + gap, abs=0.05)


def test_sentences_pause_longer_than_phrases_and_phrases_longer_than_words() -> None:
    assert pause_after("End. ") > pause_after("clause,") > pause_after("cut here") > 0
    assert pause_after("End.", ends_paragraph=True) > 1.5 * pause_after("End.")


def test_pieces_that_come_one_by_one_are_joined_alike_and_one_is_held() -> None:
    pieces = [tone(0.3), tone(0.01), tone(0.2), np.zeros(0, np.float32), tone(0.1)]
    pauses = [0.35, 0.05, 0.7, 0.1, 0.35]
    joiner, parts = Joiner(RATE), []
    for samples, pause in zip(pieces, pauses, strict=True):
        parts.append(joiner.push(samples, pause))
        assert joiner.held is not None
        assert len(joiner.held) <= len(samples)
    parts.append(joiner.finish())
    np.testing.assert_array_equal(np.concatenate(parts), join_samples(pieces, pauses, RATE))
    assert not len(parts[0])
    # each part rises from zero and ends in silence, so none can click where it meets the next
    for part in filter(len, parts):
        assert part[0] == part[-1] == 0
    assert np.abs(np.diff(np.concatenate(parts))).max() <= np.abs(np.diff(tone(0.3))).max() * 1.01


def test_nothing_joined_is_nothing() -> None:
    assert not len(Joiner(RATE).finish())


def test_silence_and_nothing_survive() -> None:
    assert edges(np.zeros(100, np.float32), RATE) == (0, 100)
    silent = join_samples([np.zeros(0, np.float32), np.zeros(800, np.float32)], [0.1, 0.3], RATE)
    assert not silent.any()


def test_a_fade_leaves_the_middle_and_the_original_alone() -> None:
    sound = np.ones(RATE, np.float32)
    result = faded(sound, RATE)
    assert result[0] == result[-1] == 0
    assert (result[100:-100] == 1).all()
    assert (sound == 1).all()
