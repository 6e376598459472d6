"""The run that makes the listener: a network that names the phones that it hears in mel features.

The decoder learns to be understood by it. A decoder that learns by distance alone draws the mean of
what may follow, so that a vowel lies between two; to be named right it has to decide. The listener
hears recordings of every voice whose source tells where phones lie, blurred by noise and by an
uneven spectrum, so that it cannot be pleased by what nobody hears. It is not needed to speak.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mamtra.acoustic.config import CLASSES
from mamtra.acoustic.mel import LogMel
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.tokens import TokenSource
from mamtra.recipes.nano.proofreader import NOTHING, phones_of, with_phones
from mamtra.recipes.nano.tokenizer import NANO_MEL
from mamtra.training.loop import LoopSettings, train

MEAN, SPREAD = -5.6, 2.3  # of the log-mel features of recordings, as the listener takes them
HELD_OUT = 150  # utterances


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerRun:
    """Everything that decides the listener's training.

    Attributes:
        batch_frames: mel frames in a step, padding included.
        noise: largest standard deviation of noise in every bin and frame.
        tilt: standard deviation of what is added to a bin throughout an utterance.
    """

    dim: int = 256
    layers: int = 5
    kernel: int = 5
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=1800, learning_rate=2e-3, warmup_steps=180, precision="bfloat16"
        )
    )
    batch_frames: int = 2400
    noise: float = 0.3
    tilt: float = 0.15


class Listener(nn.Module):
    """Residual convolutions over mel features."""

    def __init__(self, run: ListenerRun) -> None:
        super().__init__()
        wide, around = run.kernel, run.kernel // 2
        self.input = nn.Conv1d(NANO_MEL.bins, run.dim, wide, padding=around)
        self.norms = nn.ModuleList(nn.LayerNorm(run.dim) for _ in range(run.layers))
        self.convs = nn.ModuleList(
            nn.Conv1d(run.dim, run.dim, wide, padding=around) for _ in range(run.layers)
        )
        self.output = nn.Linear(run.dim, len(CLASSES))

    def forward(
        self, mel: Float[Tensor, "batch bins frames"]
    ) -> Float[Tensor, "batch frames classes"]:
        """Logits of the phones; features are scaled, as ``scaled`` does."""
        hidden = self.input(mel)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            hidden = hidden + conv(norm(hidden.mT).relu().mT)
        return self.output(hidden.mT)


def scaled(mel: Float[Tensor, "*batch bins frames"]) -> Float[Tensor, "*batch bins frames"]:
    """Log-mel features as the listener takes them."""
    return (mel - MEAN) / SPREAD


def heard_wrong(
    found: Float[Tensor, "batch frames classes"],
    wanted: Int[Tensor, "batch frames"],
    counts: Float[Tensor, "batch frames"] | None = None,
) -> dict[str, Tensor]:
    """Cross entropy of the phones, and the share of frames that are named right.

    Args:
        found: logits.
        wanted: the phones, ``NOTHING`` where there is none.
        counts: how much each frame counts in the cross entropy; all alike if not given.
    """
    known = wanted != NOTHING
    count = known.sum().clamp(min=1)
    loss = functional.cross_entropy(
        found.float().mT, wanted, ignore_index=NOTHING, reduction="none"
    )
    counts = known.float() if counts is None else counts * known
    right = (found.argmax(-1) == wanted) & known
    phones = (loss * counts).sum() / counts.sum().clamp(min=1)
    return {"phones": phones, "right": right.sum() / count}


def by_root_of_length(wanted: Int[Tensor, "batch frames"]) -> Float[Tensor, "batch frames"]:
    """How much frames count so that a phone of n frames counts as the root of n.

    Words hang on short sounds as much as on long ones: a vowel of 40 ms is a word (``a``).
    """
    counts = torch.zeros(wanted.shape)
    for row, phones in zip(counts, wanted, strict=True):
        _, lengths = torch.unique_consecutive(phones, return_counts=True)
        row.copy_((lengths.float() ** -0.5).repeat_interleave(lengths))
    return counts


class ListenerTask:
    """The loss and the measures of the run.

    Args:
        run: what decides it.
        corpus: the spoken sentences; those whose source tells where phones lie are taken.
        tokens: their speech tokens, which tell how long they are.

    Raises:
        CorpusError: no source tells where phones lie.
    """

    def __init__(self, run: ListenerRun, corpus: Corpus, tokens: TokenSource) -> None:
        self.run, self.corpus, self.tokens = run, corpus, tokens
        self.mel = LogMel(NANO_MEL)
        self.train_set, held_out = with_phones(corpus, tokens)
        self.validation = held_out[:: max(1, len(held_out) // HELD_OUT)]
        lengths = [one.samples // NANO_MEL.hop for one in self.train_set]
        self.batches = LengthBatches(lengths, run.batch_frames, run.settings.seed)
        torch.manual_seed(run.settings.seed)
        self.model = Listener(run)

    @torch.no_grad()
    def heard(self, utterance: Utterance) -> tuple[Tensor, Tensor]:
        """Scaled features of an utterance, time first, and the phone of each frame."""
        mel = self.mel(torch.from_numpy(self.corpus.audio(utterance))[None])[0]
        phones = torch.from_numpy(phones_of(utterance, len(self.tokens.of(utterance.id))))
        frames = min(mel.shape[1], len(phones))
        return scaled(mel[:, :frames]).mT, phones[:frames]

    def compute(self, utterances: list[Utterance], seed: int | None) -> dict[str, Tensor]:
        """The loss; features are blurred where there is a seed for it."""
        features, phones = zip(*map(self.heard, utterances), strict=True)
        mel = nn.utils.rnn.pad_sequence(list(features), batch_first=True).mT
        wanted = nn.utils.rnn.pad_sequence(list(phones), batch_first=True, padding_value=NOTHING)
        if seed is not None:
            random = torch.Generator().manual_seed(seed)
            rows, bins = mel.shape[:2]
            loudness = self.run.noise * torch.rand(rows, 1, 1, generator=random)
            tilt = self.run.tilt * torch.randn(rows, bins, 1, generator=random)
            mel = mel + loudness * torch.randn(mel.shape, generator=random) + tilt
        values = heard_wrong(self.model(mel), wanted)
        return values | {"loss": values["phones"]}

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step; everything random comes from its number."""
        chosen = [self.train_set[item] for item in self.batches.at(step)]
        return self.compute(chosen, seed=step)

    def evaluate(self) -> dict[str, float]:
        """The same on held-out sentences, which are not blurred."""
        values = self.compute(self.validation, seed=None)
        return {f"validation_{name}": round(float(value), 4) for name, value in values.items()}


def train_listener(
    corpus: Corpus, tokens: TokenSource, folder: Path, run: ListenerRun | None = None
) -> None:
    """Train the listener; ``folder/model.safetensors`` then holds a ``Listener``.

    Args:
        corpus: the spoken sentences.
        tokens: their speech tokens.
        folder: where the run lives.
        run: what decides it.

    Raises:
        CorpusError: no source of the corpus tells where phones lie.
    """
    task = ListenerTask(run or ListenerRun(), corpus, tokens)
    evaluate = task.evaluate if task.validation else None
    train(folder, task.model, task.loss, task.run.settings, evaluate)
