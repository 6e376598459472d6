"""How soon speech is heard, and what streaming costs: time to first audio beside a whole ``say``.

Model and memory are warm. Each round speaks the same text as a stream and as a whole, one after the
other, so that a busy spell of the machine meets both; compare the ratios. Also
reported: how far the streamed mel features are from those of the whole piece, of the same tokens.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mamtra.benchmark.spread import merged
from mamtra.synthesis.acoustics import flow_noise
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.stream import AudioPiece
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.voice.voice import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round took.

    Attributes:
        first_audio_seconds: from the call to the first samples.
        first_audio_cpu_seconds: what the processor did until then, all threads; on a busy machine
            this says more.
        stream_seconds: from the call to the last samples.
        say_seconds: the whole text at once.
        audio_seconds: how long the stream lasts.
        longest_wait_seconds: the longest silence that a listener would have heard who began to
            play at once; 0 if samples always came in time.
        pieces: of samples.
    """

    first_audio_seconds: float
    first_audio_cpu_seconds: float
    stream_seconds: float
    say_seconds: float
    audio_seconds: float
    longest_wait_seconds: float
    pieces: int


def listen(
    flow: Iterable[AudioPiece],
    clock: Callable[[], float] = time.perf_counter,
    processor: Callable[[], float] = time.process_time,
) -> tuple[float, float, float, float, float, int]:
    """Take a stream as a player would.

    Returns:
        Seconds to the first samples, by the clock and of the processor, and to the end, of sound,
        of the longest wait of the player, and how many pieces held samples.
    """
    started, busy = clock(), processor()
    first = worked = played_until = heard = wait = 0.0
    count = 0
    for piece in flow:
        now = clock() - started
        if not len(piece.samples):
            continue
        if not count:
            first = played_until = now
            worked = processor() - busy
        wait = max(wait, now - played_until)
        played_until = max(played_until, now) + piece.seconds
        heard += piece.seconds
        count += 1
    return first, worked, clock() - started, heard, wait, count


def rounds(
    synthesizer: Synthesizer, text: str, voice: str | None, seed: int, runs: int
) -> Iterator[Round]:
    """Time a stream and a whole in turn; the first round warms and is not handed out."""
    for number in range(runs + 1):
        first, worked, whole, heard, wait, count = listen(synthesizer.stream(text, voice, seed))
        started = time.perf_counter()
        synthesizer.say(text, voice, seed)
        said = time.perf_counter() - started
        if number:
            yield Round(
                first_audio_seconds=first,
                first_audio_cpu_seconds=worked,
                stream_seconds=whole,
                say_seconds=said,
                audio_seconds=heard,
                longest_wait_seconds=wait,
                pieces=count,
            )


def mel_distance(synthesizer: Synthesizer, tokens: list[int], voice: Voice) -> dict[str, float]:
    """Absolute difference a bin of streamed mel features from those of the whole piece.

    ``spread`` is the features' own standard deviation, to compare with.
    """
    decoder = synthesizer.model.decoder
    noise = flow_noise(decoder.sizes)
    whole, chunked = (
        decoder.decode(tokens, voice.prompt, noise, chunked=chunked) for chunked in (False, True)
    )
    return {
        "absolute": round(float(np.abs(whole - chunked).mean()), 4),
        "spread": round(float(whole.std()), 4),
    }


def round_figures(one: Round) -> dict[str, Any]:
    """One round as a row; every ratio is taken within it."""
    return {
        "warm say": {"seconds": one.say_seconds},
        "stream": {
            "seconds": one.stream_seconds,
            "first_audio_seconds": one.first_audio_seconds,
            "first_audio_cpu_seconds": one.first_audio_cpu_seconds,
            "audio_seconds": one.audio_seconds,
            "pieces": one.pieces,
            "longest_wait_seconds": one.longest_wait_seconds,
            "first_audio_of_say": one.first_audio_seconds / one.say_seconds,
            "times_say": one.stream_seconds / one.say_seconds,
            "real_time_factor": {"whole": one.stream_seconds / one.audio_seconds},
        },
    }


def measure(
    synthesizer: Synthesizer,
    text: str,
    voice: str | None = None,
    seed: int = 0,
    runs: int = 5,
    watch: Callable[[Iterable[Round]], Iterable[Round]] = iter,
) -> dict[str, Any]:
    """The results of a stream and of a whole ``say``, by name.

    Args:
        synthesizer: the model.
        text: what to say.
        voice: of the model.
        seed: of what is said.
        runs: rounds, after one to warm up.
        watch: sees the rounds pass by.

    Raises:
        GenerationError: the model said nothing.
    """
    measured = list(watch(rounds(synthesizer, text, voice, seed, runs)))
    chosen = synthesizer.voice(voice)
    first = synthesizer.pieces(text)[0]
    tokens = next(synthesizer.speak([[first]], SpeakOptions(voice=chosen, seed=seed))).speech_tokens
    results = merged([round_figures(one) for one in measured])
    results["stream"]["mel_distance"] = mel_distance(synthesizer, tokens, chosen)
    return results
