"""Whether a sentence gains or loses when the language model knows the one before it.

Pairs of sentences are spoken, and only the second is judged: once ``fresh`` and once with the first
one's words and speech carried, in the same voice and from the same seed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from mamtra.evaluation.intelligibility import wrong_words
from mamtra.evaluation.recogniser import Judge, plain_words
from mamtra.evaluation.report import rates
from mamtra.generation.generate import piece_seed
from mamtra.synthesis.long_text import STATES, Carried
from mamtra.synthesis.speech import ENDED
from mamtra.synthesis.synthesizer import Synthesizer

Pair = tuple[str, str]
Watch = Callable[[Sequence[Pair]], Iterable[Pair]]


def pairs_of(sentences: Sequence[str]) -> list[Pair]:
    """Neighbouring sentences two by two; one left over is dropped."""
    return list(pairwise(sentences))[::2]


def measure(
    synthesizer: Synthesizer,
    pairs: Sequence[Pair],
    judges: Mapping[str, Judge],
    voice: str | None = None,
    seed: int = 0,
    watch: Watch = lambda pairs: pairs,
) -> dict[str, Any]:
    """Speak and judge the second sentence of each pair, fresh and carried.

    Args:
        synthesizer: the model.
        pairs: sentences that are short enough to be spoken in one piece.
        judges: forms of the recogniser by name.
        voice: of the model.
        seed: of the first pair.
        watch: sees the pairs pass by.

    Raises:
        GenerationError: the model said nothing.
    """
    narrator = synthesizer.narrator(voice)
    wrong: dict[str, list[dict[str, int]]] = {state: [] for state in STATES}
    ended: dict[str, int] = dict.fromkeys(STATES, 0)
    words = [len(plain_words(second).split()) for _, second in pairs]
    for number, (first, second) in enumerate(watch(pairs)):
        known, own_seed = Carried(), seed + number
        reference = plain_words(second)
        before, piece = (synthesizer.pieces(text)[0] for text in (first, second))
        narrator.speak(before, own_seed, known)
        for state in STATES:
            carried = known if state == "carry" else None
            speech = narrator.speak(piece, piece_seed(own_seed, 1), carried)
            ended[state] += speech.stop_reason == ENDED
            heard = {
                name: judge.hear(speech.samples, speech.rate) for name, judge in judges.items()
            }
            wrong[state].append(
                {name: wrong_words(reference, said) for name, said in heard.items()}
            )
    more = [
        {name: carry[name] - fresh[name] for name in judges}
        for fresh, carry in zip(wrong["fresh"], wrong["carry"], strict=True)
    ]
    return {
        "pairs": len(pairs),
        "words": sum(words),
        "wer": {state: rates(counts, words, seed) for state, counts in wrong.items()},
        "carry_above_fresh": rates(more, words, seed),
        "ended_by_itself": ended,
    }
