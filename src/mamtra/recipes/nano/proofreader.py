"""The run that makes nano's proofreader: phones from speech tokens, before they are sounded.

It learns from the tokens that the tokenizer gives of the corpus and from the phones that the source
says lie there, so it hears what the language model writes with the ears of the source.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mamtra.acoustic.config import CLASSES, HALVES, ProofreaderConfig
from mamtra.acoustic.phone_recogniser import PhoneRecogniser
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.tokens import TokenSource
from mamtra.errors import CorpusError
from mamtra.recipes.nano.tokenizer import NANO_MEL
from mamtra.training.loop import LoopSettings, train

NOTHING = -1  # the token, and the class, of padding
NUMBERS = {name: number for number, name in enumerate(CLASSES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofreaderRun:
    """Everything that decides the proofreader's training.

    Attributes:
        batch_tokens: in a step, padding included.
    """

    config: ProofreaderConfig = field(default_factory=ProofreaderConfig)
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(steps=5000, learning_rate=3e-3, warmup_steps=250)
    )
    batch_tokens: int = 5000


def phones_of(utterance: Utterance, tokens: int) -> np.ndarray:
    """The class of each half of an utterance's tokens: that of the phone in its middle.

    Raises:
        CorpusError: a phone is none that a proofreader tells apart.
    """
    names = utterance.phones.split()
    if unknown := sorted(set(names) - set(NUMBERS)):
        raise CorpusError(f"{utterance.id} has unknown phones: {', '.join(unknown)}")
    classes = np.array([NUMBERS[name] for name in names])
    half = NANO_MEL.hop  # two mel frames a token
    middles = np.arange(HALVES * tokens) * half + half // 2
    places = np.searchsorted(utterance.starts, middles, side="right") - 1
    return classes[places.clip(0, len(classes) - 1)]


def with_phones(corpus: Corpus, tokens: TokenSource) -> tuple[list[Utterance], list[Utterance]]:
    """Utterances to train with and to hold out whose phones and tokens are known.

    Raises:
        CorpusError: no source tells where phones lie.
    """
    train_set, validation = (
        [one for one in corpus.choose(split) if one.starts and one.id in tokens]
        for split in ("train", "validation")
    )
    if not train_set:
        raise CorpusError("no source of this corpus tells where phones lie; speak it by hibari")
    return train_set, validation


class ProofreaderTask:
    """The loss and the measures of the run.

    Args:
        run: what decides it.
        corpus: the spoken sentences; those whose source tells where phones lie are taken.
        tokens: their speech tokens.

    Raises:
        CorpusError: no source tells where phones lie.
    """

    def __init__(self, run: ProofreaderRun, corpus: Corpus, tokens: TokenSource) -> None:
        self.run, self.tokens = run, tokens
        self.train_set, self.validation = with_phones(corpus, tokens)
        lengths = [one.samples // (HALVES * NANO_MEL.hop) for one in self.train_set]
        self.batches = LengthBatches(lengths, run.batch_tokens, run.settings.seed)
        torch.manual_seed(run.settings.seed)
        self.model = PhoneRecogniser(run.config)

    def compute(self, utterances: list[Utterance]) -> dict[str, Tensor]:
        """Cross entropy of the phones, and the share of halves that are named right."""
        ids = [self.tokens.of(one.id) for one in utterances]
        classes = [phones_of(*pair) for pair in zip(utterances, map(len, ids), strict=True)]
        tokens, wanted = (
            torch.nn.utils.rnn.pad_sequence(
                [torch.from_numpy(row) for row in rows], batch_first=True, padding_value=NOTHING
            )
            for rows in (ids, classes)
        )
        found = self.model(tokens).float()
        loss = functional.cross_entropy(found.mT, wanted, ignore_index=NOTHING)
        right = (found.argmax(-1) == wanted)[wanted != NOTHING].float().mean()
        return {"loss": loss, "right": right}

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step; everything random comes from its number."""
        return self.compute([self.train_set[item] for item in self.batches.at(step)])

    def evaluate(self) -> dict[str, float]:
        """The same on held-out sentences."""
        values = self.compute(self.validation)
        return {f"validation_{name}": round(float(value), 4) for name, value in values.items()}


def train_proofreader(
    corpus: Corpus, tokens: TokenSource, folder: Path, run: ProofreaderRun | None = None
) -> None:
    """Train the proofreader; ``folder/model.safetensors`` then holds a ``PhoneRecogniser``.

    Args:
        corpus: the spoken sentences.
        tokens: their speech tokens.
        folder: where the run lives.
        run: what decides it.

    Raises:
        CorpusError: no source of the corpus tells where phones lie.
    """
    task = ProofreaderTask(run or ProofreaderRun(), corpus, tokens)
    evaluate = task.evaluate if task.validation else None
    train(folder, task.model, task.loss, task.run.settings, evaluate)
