"""From an attention teacher to a hybrid student: weights, starts, losses, placements."""

from mamtra.transfer.losses import DistillLosses, distillation
from mamtra.transfer.projections import TransferReport
from mamtra.transfer.student import make_student

__all__ = ["DistillLosses", "TransferReport", "distillation", "make_student"]
