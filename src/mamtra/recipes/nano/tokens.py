"""Speech tokens of the whole corpus, by the trained tokenizer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mamtra.acoustic.mel import LogMel
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer, SpeechTokenizerConfig
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.tokens import TokenTable, write_tokens
from mamtra.recipes.nano.tokenizer import NANO_MEL, NANO_TOKENIZER, load_audio

BATCH = 32


def trained_tokenizer(
    weights: Path, config: SpeechTokenizerConfig | None = None
) -> SpeechTokenizer:
    """The tokenizer inside a trained ``Recogniser``."""
    tokenizer = SpeechTokenizer(config or NANO_TOKENIZER)
    prefix = "tokenizer."
    inside: dict[str, Tensor] = {
        name.removeprefix(prefix): value
        for name, value in load_file(weights).items()
        if name.startswith(prefix)
    }
    tokenizer.load_state_dict(inside)
    return tokenizer.eval()


def tokens_of(
    corpus: Corpus, utterances: list[Utterance], tokenizer: SpeechTokenizer
) -> Iterator[tuple[str, np.ndarray]]:
    """Names and tokens of utterances, in order of length."""
    features = LogMel(NANO_MEL)
    ordered = sorted(utterances, key=lambda utterance: utterance.samples)
    for start in range(0, len(ordered), BATCH):
        group = ordered[start : start + BATCH]
        samples, lengths = load_audio(corpus, group)
        with torch.inference_mode():
            frames = lengths // NANO_MEL.hop // 2 * 2
            ids = tokenizer.encode(features(samples), frames)
        for row, utterance in enumerate(group):
            yield utterance.id, ids[row, : int(frames[row]) // 2].numpy()


def extract_tokens(corpus: Corpus, weights: Path, path: Path) -> TokenTable:
    """Write the tokens of every utterance of a corpus to one file."""
    write_tokens(path, tokens_of(corpus, corpus.utterances, trained_tokenizer(weights)))
    return TokenTable.open(path)
