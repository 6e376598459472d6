"""Opens a model's proofreader, where it has one and its text is read in phones."""

from collections.abc import Callable, Sequence

from mamtra.acoustic.config import ProofreaderConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.shards import opened
from mamtra.generation.proofreader import Proofreader, word_of
from mamtra.synthesis.text_reader import Tokenizer
from mamtra.text.tokenizer import NanoTokenizer

PART = "proofreader"
Check = Callable[[Sequence[int]], float]  # how badly speech ids say a text
CheckOf = Callable[[list[int]], Check | None]  # of a text's ids; none where no word is in phones


def proofreader_of(folder: ModelFolder, tokenizer: Tokenizer) -> CheckOf | None:
    """What gives the check of each text; None for a model that cannot be proofread.

    Raises:
        ModelError: its weights are missing or damaged, or do not fit its sizes.
    """
    if not folder.holds(PART) or not isinstance(tokenizer, NanoTokenizer):
        return None
    config = folder.section(PART, ProofreaderConfig)
    with opened(folder.part_file(PART), "numpy") as weights:
        proofreader = Proofreader(config, {name: weights.tensor(name) for name in weights})

    def check_of(text: list[int]) -> Check | None:
        spelled = tokenizer.phones(text)
        if not any(spelled):
            return None
        words = [word_of(phones) for phones in spelled]
        return lambda ids: proofreader.misread(ids, words)

    return check_of
