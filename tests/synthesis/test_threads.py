"""One synthesizer in many threads: each call says what it says alone, to the bit."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from eight_bit import INT8

import mamtra
from mamtra.synthesis.synthesizer import Synthesizer

CALLS = [
    (f"Hello there, number {seed}.", voice, seed)
    for seed, voice in enumerate(("low", "high", "low", "high", "low", "high", "low", "high"))
]


@pytest.fixture(scope="module", params=["float32", INT8])
def synthesizer(request: pytest.FixtureRequest, tiny_model_folder: Path) -> Synthesizer:
    return mamtra.load(tiny_model_folder, dtype=request.param)


@pytest.fixture(scope="module")
def alone(synthesizer: Synthesizer) -> list[np.ndarray]:
    return [synthesizer.say(*call).samples for call in CALLS]


def streamed(synthesizer: Synthesizer, call: tuple[str, str, int]) -> np.ndarray:
    return np.concatenate([piece.samples for piece in synthesizer.stream(*call)])


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_say_what_they_say_alone(
    synthesizer: Synthesizer, alone: list[np.ndarray], threads: int
) -> None:
    with ThreadPoolExecutor(threads) as pool:
        together = list(pool.map(lambda call: synthesizer.say(*call).samples, CALLS * 3))
    for samples, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_array_equal(samples, expected)


def test_coroutines_say_what_they_say_alone(
    synthesizer: Synthesizer, alone: list[np.ndarray]
) -> None:
    async def all_at_once() -> list[mamtra.Speech]:
        return await asyncio.gather(*(asyncio.to_thread(synthesizer.say, *call) for call in CALLS))

    for speech, expected in zip(asyncio.run(all_at_once()), alone, strict=True):
        np.testing.assert_array_equal(speech.samples, expected)


def test_streams_interleave_and_one_may_stay_open(
    synthesizer: Synthesizer, alone: list[np.ndarray]
) -> None:
    expected = [streamed(synthesizer, call) for call in CALLS[:2]]
    first, second = (synthesizer.stream(*call) for call in CALLS[:2])
    parts: list[list[np.ndarray]] = [[], []]
    open_stream = synthesizer.stream(*CALLS[2])
    next(open_stream)
    for pieces in zip_longest(first, second):
        for own, piece in zip(parts, pieces, strict=True):
            if piece is not None:
                own.append(piece.samples)
    np.testing.assert_array_equal(synthesizer.say(*CALLS[3]).samples, alone[3])
    for own, samples in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(np.concatenate(own), samples)
