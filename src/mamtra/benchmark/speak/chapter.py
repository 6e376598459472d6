"""What a chapter costs as it grows: memory and time of each piece, from the first to the last.

Sentences that nano was not trained on are read as one text in paragraphs of five, over and over
until there are enough, and written into a sound file as ``mamtra say`` does. If anything were kept
from piece to piece, the process would grow and later pieces would be slower.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from mamtra.audio.file_writer import GrowingSound
from mamtra.benchmark.memory import peak_bytes, resident_bytes
from mamtra.corpus.synthetic.sentences import held_out_sentences
from mamtra.synthesis.long_text import Written, write_pieces
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speech import Speech
from mamtra.synthesis.synthesizer import Synthesizer

PARAGRAPH = 5  # sentences
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the chapter, at which memory is reported

Watch = Callable[[Iterable[Speech], int], Iterable[Speech]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was seen when a piece was finished.

    Attributes:
        seconds: how long the piece lasts.
        took_seconds: how long speaking it took.
        resident_bytes: of the whole process, where the system tells.
        state_bytes: of the speech language model's memory.
    """

    seconds: float
    took_seconds: float
    resident_bytes: int | None
    state_bytes: int


def chapter(sentences: int) -> str:
    """A text of so many sentences in paragraphs."""
    lines = list(islice(cycle(held_out_sentences()), sentences))
    starts = range(0, sentences, PARAGRAPH)
    return "\n\n".join(" ".join(lines[start : start + PARAGRAPH]) for start in starts)


def sampled(spoken: Iterable[Speech], samples: list[Sample]) -> Iterator[Speech]:
    """The same pieces; notes what each of them cost."""
    before = time.perf_counter()
    for speech in spoken:
        sample = Sample(
            seconds=speech.seconds,
            took_seconds=time.perf_counter() - before,
            resident_bytes=resident_bytes(),
            state_bytes=speech.state_bytes,
        )
        samples.append(sample)
        yield speech
        before = time.perf_counter()


def factor(samples: Sequence[Sample]) -> float:
    """Seconds of work for each second of speech."""
    speech = sum(sample.seconds for sample in samples)
    return round(sum(sample.took_seconds for sample in samples) / speech, 4)


def results_of(
    samples: Sequence[Sample], written: Written, loaded: int | None
) -> dict[str, dict[str, Any]]:
    """The figures of the whole chapter and of its pieces on the way.

    Args:
        samples: of each piece.
        written: the account of the file.
        loaded: bytes that the process held before it spoke.
    """
    count = len(samples)
    states = [sample.state_bytes for sample in samples]
    reasons = sorted(set(written.stop_reasons))
    results: dict[str, dict[str, Any]] = {
        "chapter": {
            "pieces": count,
            "audio_seconds": round(written.seconds, 2),
            "real_time_factor": factor(samples),
            "peak_bytes": peak_bytes(),
            "state_bytes": {"least": min(states), "most": max(states)},
            "stop_reasons": {reason: written.stop_reasons.count(reason) for reason in reasons},
        },
        "loaded": {"resident_bytes": loaded},
    }
    before = 0
    for piece in sorted({max(1, round(share * count)) for share in SHARES}):
        since = samples[before:piece]
        results[f"piece {piece}"] = {
            "resident_bytes": samples[piece - 1].resident_bytes,
            "real_time_factor": factor(since),
        }
        before = piece
    return results


def measure(
    synthesizer: Synthesizer,
    sentences: int,
    voice: str | None = None,
    seed: int = 0,
    state: str = "fresh",
    watch: Watch = lambda spoken, _: spoken,
) -> dict[str, Any]:
    """Speak a chapter into a file that is thrown away; the results by name.

    Args:
        synthesizer: the model.
        sentences: how long the chapter is.
        voice: of the model.
        seed: of what is said.
        state: ``fresh`` or ``carry``.
        watch: sees the pieces pass by and is told how many there will be.

    Raises:
        GenerationError: the model said nothing.
    """
    options = SpeakOptions(voice=voice, seed=seed, state=state)
    paragraphs = synthesizer.speaker(options).paragraphs(chapter(sentences))
    pieces = sum(map(len, paragraphs))
    samples: list[Sample] = []
    loaded = resident_bytes()
    spoken = synthesizer.speak(paragraphs, options)
    with tempfile.TemporaryDirectory() as folder:
        with GrowingSound(Path(folder) / "chapter.wav", synthesizer.rate) as file:
            written = write_pieces(watch(sampled(spoken, samples), pieces), file)
        size = (Path(folder) / "chapter.wav").stat().st_size
    results = results_of(samples, written, loaded)
    results["chapter"]["file_bytes"] = size
    return results
