"""What a student learns from: the data, its teacher's logits, its teacher's embeddings.

Teacher and student must have read the same input, or their logits cannot be compared. All three
losses are computed in float32.

Axes: n predicted ids, v vocabulary.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillLosses:
    """Weights of the three losses; the defaults are those of the paper's code.

    Attributes:
        ce: of the cross entropy on the ground truth.
        logits: of the divergence between student's and teacher's logits.
        embedding: of the distance between their input embeddings.
        skew: share of the student's own distribution mixed into the teacher's.
    """

    ce: float = 0.5
    logits: float = 0.125
    embedding: float = 0.125
    skew: float = 0.1

    def __post_init__(self) -> None:
        for name in ("ce", "logits", "embedding"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}={getattr(self, name)} must not be negative")
        if not 0 <= self.skew < 1:
            raise ConfigError(f"skew={self.skew} must be at least 0 and less than 1")


def cross_entropy(
    logits: Float[Tensor, "predicted ids"], targets: Int[Tensor, " predicted"]
) -> Float[Tensor, ""]:
    """Mean cross entropy in nats per predicted id."""
    return F.cross_entropy(logits.float(), targets)


def skewed_reverse_kl(
    student: Float[Tensor, "predicted ids"],
    teacher: Float[Tensor, "predicted ids"],
    skew: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean of ``KL(p_S || (1 - skew) p_T + skew p_S)`` in nats per predicted id (DistiLLM).

    Reverse: the student is punished for what it says and the teacher would not. The skew keeps the
    gradient bounded where the teacher gives nearly nothing.
    """
    ours = student.float().log_softmax(-1)
    mixed = teacher.detach().float().log_softmax(-1) + math.log1p(-skew)
    if skew > 0:
        mixed = torch.logaddexp(mixed, ours + math.log(skew))
    return (ours.exp() * (ours - mixed)).sum(-1).mean()


def embedding_distance(
    student: Float[Tensor, "real dim"], teacher: Float[Tensor, "real dim"]
) -> Float[Tensor, ""]:
    """Mean squared error between the vectors that student's and teacher's backbones read."""
    return F.mse_loss(student.float(), teacher.detach().float())


def distillation(
    weights: DistillLosses,
    student_logits: Float[Tensor, "predicted ids"],
    teacher_logits: Float[Tensor, "predicted ids"],
    targets: Int[Tensor, " predicted"],
    student_inputs: Float[Tensor, "real dim"] | None = None,
    teacher_inputs: Float[Tensor, "real dim"] | None = None,
) -> dict[str, Tensor]:
    """Weigh the losses together.

    Returns:
        ``loss``, the weighted sum to minimise, and ``ce``, ``logits``, ``embedding`` unweighted. A
        loss with weight 0 is left out; so is the embedding's where no inputs are given.
    """
    parts: dict[str, Tensor] = {}
    if weights.ce:
        parts["ce"] = cross_entropy(student_logits, targets)
    if weights.logits:
        parts["logits"] = skewed_reverse_kl(student_logits, teacher_logits, weights.skew)
    if weights.embedding and student_inputs is not None and teacher_inputs is not None:
        parts["embedding"] = embedding_distance(student_inputs, teacher_inputs)
    total = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
    return {"loss": total, **{name: part.detach() for name, part in parts.items()}}
