"""What a distillation will take, by arithmetic: bytes by part, and hours by card.

Weights, gradients, master weights and Adam's numbers are exact. Activations are an estimate of what
autograd keeps of each layer; a test holds it to a quarter of what it really keeps. Time is
operations over what a card does at its best by its maker's word, times a share of that which is
really reached, the *utilisation*: an assumption, to be replaced by what your first steps show.

Axes: a token is a text id, a speech id or a mark of the sequence.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mamtra.backbone import BackboneConfig
from mamtra.distillation.settings import DistillRun
from mamtra.errors import ConfigError
from mamtra.sizing.gpus import memory_of
from mamtra.sizing.matrix import EXACT
from mamtra.sizing.mixer_sizes import mixer_sizes
from mamtra.sizing.operations import forward_operations
from mamtra.sizing.plan import usable_bytes
from mamtra.sizing.sizes import TEXT_IDS_PER_WORD, TOKENS_PER_SECOND, WORDS_PER_SECOND
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.transfer.freeze import apply

HALF = 2  # bytes of a bfloat16
UTILISATION = 0.2  # of a card's best; an assumption, cautious for a model this small
# 10^12 operations a second in bfloat16 without sparsity, from the makers' data sheets
TERA_OPERATIONS = {"rtx4090": 165.2, "a6000": 154.8, "a100": 312.0, "h100": 989.4, "h200": 989.4}
LIBRITTS_HOURS = 555.0  # its three training sets
UTTERANCE_SECONDS = 5.6  # LibriTTS's mean
TEXT_IDS_PER_SECOND = WORDS_PER_SECOND * TEXT_IDS_PER_WORD["bpe"]
MARKS = 3  # of each utterance: start, task, end


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBytes:
    """Bytes by part, on each device.

    Attributes:
        teacher, student: weights in the type of the run.
        gradients: of what is trained, in float32, and those that a narrower run gathers them from.
        master_weights: of what is trained, in float32.
        adam: two float32 numbers for each.
        activations: kept for the gradients, an estimate.
        logits: of teacher and student and what the losses make of them, an estimate.
    """

    teacher: int
    student: int
    gradients: int
    master_weights: int
    adam: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All together."""
        return sum(asdict(self).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTime:
    """What a card needs; ``largest_batch`` is the batch that its memory holds."""

    card: str
    hours: float
    fits: bool
    largest_batch: int


def parameters_of(config: SpeechLMConfig, freeze: str) -> tuple[int, int]:
    """All weights of a model, and those that are trained; nothing is allocated."""
    with torch.device("meta"):
        model = SpeechLM(config)
    chosen = set(apply(model, freeze))
    counts = {name: weight.numel() for name, weight in model.named_parameters()}
    return sum(counts.values()), sum(counts[name] for name in chosen)


def operations_of_token(
    teacher: SpeechLMConfig, student: SpeechLMConfig, length: float, recompute: bool
) -> float:
    """Operations for one token: the teacher forward, the student forward and twice backward.

    The gradient passes through frozen layers as well; that they make no gradient of their own
    weights is not counted, so a run with few weights that are trained needs up to a quarter less.
    """
    forward = [forward_operations(config, length) for config in (teacher, student)]
    return forward[0] + forward[1] * (4 if recompute else 3)


def kept_bytes(config: BackboneConfig, recompute: bool, width: int = HALF) -> int:
    """Bytes that a token keeps until the gradients are made."""
    layers = []
    for kind in config.layout:
        plain, exact = mixer_sizes(kind, config).prefill
        # both norms and the sums around them; gate, its silu, up and their product
        plain += 4 * config.dim + 4 * config.mlp_dim
        exact += 4 * config.dim
        layers.append(plain * width + exact * EXACT)
    if not recompute:
        return sum(layers)
    return len(layers) * config.dim * width + max(layers)


def training_bytes(
    teacher: SpeechLMConfig, student: SpeechLMConfig, run: DistillRun
) -> TrainingBytes:
    """Bytes on each device."""
    width = HALF if run.settings.precision == "bfloat16" else EXACT
    teacher_count, _ = parameters_of(teacher, "all")
    count, trainable = parameters_of(student, run.freeze)
    share = TOKENS_PER_SECOND / (TOKENS_PER_SECOND + TEXT_IDS_PER_SECOND)
    # both models' logits, and in float32 what cross entropy and divergence keep: about 7 of a kind
    logits = round(run.tokens * share) * student.vocabulary.size * (2 * width + 7 * EXACT)
    kept = kept_bytes(student.backbone, run.recompute, width)
    return TrainingBytes(
        teacher=teacher_count * width,
        student=count * width,
        gradients=trainable * (EXACT + (width if width < EXACT else 0)),
        master_weights=trainable * EXACT,
        adam=2 * trainable * EXACT,
        activations=run.tokens * kept,
        logits=logits,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run takes.

    Attributes:
        tokens: of the whole run.
        steps: with one device and the run's batches.
        operations: of the whole run.
        parts: bytes on each device.
    """

    hours_of_speech: float
    epochs: float
    utilisation: float
    tokens: int
    steps: int
    operations: float
    parts: TrainingBytes
    cards: tuple[CardTime, ...]

    def row(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = asdict(self)
        found["parts"]["total"] = self.parts.total
        return found


def largest_batch(parts: TrainingBytes, tokens: int, card: str) -> int:
    """The batch that a card's memory holds; 0 where not even the weights fit."""
    growing = parts.activations + parts.logits
    left = usable_bytes(memory_of(card)) - (parts.total - growing)
    return max(0, math.floor(left / (growing / tokens)))


def estimate(
    teacher: SpeechLMConfig,
    student: SpeechLMConfig,
    run: DistillRun,
    *,
    hours_of_speech: float = LIBRITTS_HOURS,
    epochs: float = 15.0,
    utilisation: float = UTILISATION,
) -> Estimate:
    """Add up a run.

    Args:
        teacher, student: their sizes.
        run: batches, precision, what is trained.
        hours_of_speech: of the data; the default is LibriTTS, 50 million speech tokens.
        epochs: times that it is read.
        utilisation: share of a card's best that is reached.

    Raises:
        ConfigError: a number cannot be.
    """
    if hours_of_speech <= 0 or epochs <= 0 or not 0 < utilisation <= 1:
        raise ConfigError(
            f"{hours_of_speech:g} hours, {epochs:g} epochs, utilisation {utilisation:g}: the first "
            f"two must be more than 0, the last between 0 and 1"
        )
    seconds = hours_of_speech * 3600
    marks = MARKS / UTTERANCE_SECONDS
    tokens = round(seconds * (TOKENS_PER_SECOND + TEXT_IDS_PER_SECOND + marks) * epochs)
    length = UTTERANCE_SECONDS * (TOKENS_PER_SECOND + TEXT_IDS_PER_SECOND) + MARKS
    each = operations_of_token(teacher, student, length, run.recompute)
    parts = training_bytes(teacher, student, run)
    cards = []
    for card, tera in TERA_OPERATIONS.items():
        room = largest_batch(parts, run.tokens, card)
        hours = each * tokens / (tera * 1e12 * utilisation) / 3600
        cards.append(CardTime(card=card, hours=hours, fits=room >= run.tokens, largest_batch=room))
    return Estimate(
        hours_of_speech=hours_of_speech,
        epochs=epochs,
        utilisation=utilisation,
        tokens=tokens,
        steps=math.ceil(tokens / (run.tokens * run.settings.accumulate)),
        operations=each * tokens,
        parts=parts,
        cards=tuple(cards),
    )
