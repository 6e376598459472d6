"""What a stream loses against a whole say: the same sentences spoken both ways, and judged.

In a stream each frame sees only its own chunk and what came before, so the sound differs although
the speech tokens are the same. How far the joined stream is from its own offline form, one decode
with the chunk mask, shows that cutting it into pieces adds nothing but rounding.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mamtra.audio.joiner import faded
from mamtra.evaluation.intelligibility import wrong_words
from mamtra.evaluation.recogniser import Judge, plain_words
from mamtra.evaluation.report import rates
from mamtra.generation.generate import piece_seed
from mamtra.synthesis.acoustics import chunked_sound
from mamtra.synthesis.synthesizer import Synthesizer

WAYS = ("whole", "stream")
Watch = Callable[[Sequence[str]], Iterable[str]]


def differences(joined: np.ndarray, offline: np.ndarray) -> tuple[float, float]:
    """The largest difference of a sample, and that of the whole over the sound's loudness."""
    apart = joined - offline
    loudness = float(np.sqrt(np.mean(np.square(offline))))
    return float(np.abs(apart).max()), float(np.sqrt(np.mean(np.square(apart)))) / loudness


def measure(
    synthesizer: Synthesizer,
    sentences: Sequence[str],
    judges: Mapping[str, Judge],
    voice: str | None = None,
    seed: int = 0,
    watch: Watch = lambda sentences: sentences,
) -> dict[str, Any]:
    """Speak and judge each sentence whole and as a stream.

    Args:
        synthesizer: the model.
        sentences: what is spoken.
        judges: forms of the recogniser by name.
        voice: of the model.
        seed: of every sentence.
        watch: sees the sentences pass by.

    Raises:
        GenerationError: the model said nothing.
    """
    wrong: dict[str, list[dict[str, int]]] = {way: [] for way in WAYS}
    words = [len(plain_words(sentence).split()) for sentence in sentences]
    same_tokens, apart = 0, []
    for sentence in watch(sentences):
        whole = synthesizer.say(sentence, voice=voice, seed=seed)
        pieces = list(synthesizer.stream(sentence, voice=voice, seed=seed))
        joined = np.concatenate([piece.samples for piece in pieces])
        accounts = [piece.spoken for piece in pieces if piece.spoken is not None]
        tokens = [token for account in accounts for token in account.speech_tokens]
        same_tokens += tokens == list(whole.speech_tokens)
        if len(accounts) == 1:
            own_seed = piece_seed(seed, 0)
            sound = chunked_sound(synthesizer.parts, tokens, synthesizer.voice(voice), own_seed)
            apart.append(differences(joined, faded(sound, whole.rate)))
        for way, samples in zip(WAYS, (whole.samples, joined), strict=True):
            heard = {name: judge.hear(samples, whole.rate) for name, judge in judges.items()}
            wrong[way].append(
                {name: wrong_words(plain_words(sentence), said) for name, said in heard.items()}
            )
    figures = {
        "sentences": len(sentences),
        "words": sum(words),
        "same_tokens": same_tokens,
        "wer": {way: rates(counts, words, seed) for way, counts in wrong.items()},
    }
    if apart:
        figures["from_offline"] = {
            "sentences": len(apart),
            "largest_difference": float(f"{max(most for most, _ in apart):.3g}"),
            "largest_relative_rms": float(f"{max(share for _, share in apart):.3g}"),
        }
    return figures
