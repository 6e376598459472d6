"""Word errors of sentences that a model says, without a folder: for searches and laboratories."""

from collections.abc import Iterator, Sequence

from mamtra.errors import GenerationError
from mamtra.evaluation.clip import ENDED
from mamtra.evaluation.judges.judge import Hearing
from mamtra.evaluation.word_errors import WordErrors, plain_words, word_errors
from mamtra.synthesis.synthesizer import Synthesizer


def understood(
    synthesizer: Synthesizer, sentences: Sequence[str], judge: Hearing, seed: int
) -> Iterator[tuple[WordErrors, bool]]:
    """Of each sentence its word errors, and whether it ended by itself."""
    for text in sentences:
        try:
            speech = synthesizer.say(text, seed=seed)
            heard, ended = judge.hear(speech.samples, speech.rate), speech.stop_reason == ENDED
        except GenerationError:
            heard, ended = "", False
        yield word_errors(plain_words(text), plain_words(heard)), ended
