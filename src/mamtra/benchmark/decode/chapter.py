"""A chapter at any size without sound: what a language model of random weights takes for each
speech id, from the first piece to the last, and what the process holds.

Random weights never end by themselves, so each piece is as long as its words would be.
"""

import time
from dataclasses import dataclass
from typing import Any

from mamtra.benchmark.decode.config import BenchConfig
from mamtra.benchmark.decode.target import build, make_ready
from mamtra.benchmark.decode.timing import Speaker, prompt_of
from mamtra.benchmark.memory import peak_bytes, resident_bytes
from mamtra.errors import ConfigError
from mamtra.sizing.sizes import TOKENS_PER_SECOND, WORDS_PER_SECOND

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the chapter, at which its cost is reported
PIECE_WORDS = 25  # ten seconds, about what a piece of text holds


@dataclass(frozen=True, slots=True, kw_only=True)
class IdsOfPiece:
    """What a piece took.

    Attributes:
        seconds, cpu_seconds: of its prompt and all its speech ids.
        state_bytes: of the language model's memory at its end.
    """

    ids: int
    seconds: float
    cpu_seconds: float
    resident_bytes: int | None
    state_bytes: int


def cost(pieces: list[IdsOfPiece]) -> dict[str, float]:
    """Of one speech id, prompts included, and for each second of speech."""
    ids = sum(piece.ids for piece in pieces)
    clock, busy = sum(p.seconds for p in pieces), sum(p.cpu_seconds for p in pieces)
    return {
        "milliseconds_per_id": round(1000 * clock / ids, 3),
        "cpu_milliseconds_per_id": round(1000 * busy / ids, 3),
        "real_time_factor": round(clock * TOKENS_PER_SECOND / ids, 4),
        "cpu_real_time_factor": round(busy * TOKENS_PER_SECOND / ids, 4),
    }


def measure(config: BenchConfig, words: int, state: str = "fresh") -> dict[str, Any]:
    """Speak so many words without sound.

    Args:
        config: the model, in a shape, on an engine.
        words: of the chapter, rounded up to whole pieces.
        state: ``fresh`` begins each piece anew; ``carry`` keeps one memory for the whole chapter.

    Raises:
        ConfigError: the state is unknown, or the model cannot be.
    """
    if state not in ("fresh", "carry"):
        raise ConfigError(f"state {state!r} is unknown; possible are fresh and carry")
    make_ready(config)
    target = build(config)
    model, sizes = target.model, target.sizes
    ids = round(PIECE_WORDS / WORDS_PER_SECOND * TOKENS_PER_SECOND)
    prompt = prompt_of(model, sizes.text_ids(PIECE_WORDS / WORDS_PER_SECOND))
    count = -(-words // PIECE_WORDS)
    loaded, pieces, held = resident_bytes(), list[IdsOfPiece](), None
    for _ in range(count):
        began, busy = time.perf_counter(), time.process_time()
        if held is None or state == "fresh":
            held = model.new_state(1, sizes.text_ids(PIECE_WORDS / WORDS_PER_SECOND) + ids)
        speaker = Speaker(model, held, 1, model.read([prompt], held))
        speaker.speak(ids)
        pieces.append(
            IdsOfPiece(
                ids=ids,
                seconds=time.perf_counter() - began,
                cpu_seconds=time.process_time() - busy,
                resident_bytes=resident_bytes(),
                state_bytes=held.nbytes,
            )
        )
    states = [piece.state_bytes for piece in pieces]
    results: dict[str, Any] = {
        "chapter": {
            "words": words,
            "pieces": count,
            "ids": ids * count,
            "audio_seconds": ids * count / TOKENS_PER_SECOND,
            "layout": sizes.backbone.layout,
            "engine": target.engine,
            "peak_bytes": peak_bytes(),
            "state_bytes": {"least": min(states), "most": max(states)},
            **cost(pieces),
        },
        "loaded": {"resident_bytes": loaded},
    }
    before = 0
    for piece in sorted({max(1, round(share * count)) for share in SHARES}):
        held_bytes = pieces[piece - 1].resident_bytes
        results[f"piece {piece}"] = {"resident_bytes": held_bytes, **cost(pieces[before:piece])}
        before = piece
    return results
