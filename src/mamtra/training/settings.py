"""How long and how fast a run trains, as one value."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from mamtra.errors import ConfigError

Schedule = Literal["cosine", "constant"]
Precision = Literal["float32", "bfloat16"]
Optimizer = Literal["adam", "muon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How long and how fast to train.

    Attributes:
        final_learning_rate_share: the learning rate falls along a cosine to this share of its peak.
        checkpoint_seconds: time between two checkpoints.
        precision: what the model computes in; the optimiser always works in float32.
        optimizer: ``muon`` uses Muon for the weight matrices and Adam for the rest.
        schedule: after the warm-up the learning rate follows a cosine, or stays as it is.
        accumulate: batches whose gradients are averaged into one step, in each process.
        ema: the finished model is a running mean of the weights that keeps this share of itself at
            each step; 0 for the last weights themselves.
        tensorboard: write the log for TensorBoard as well (extra ``train``).
    """

    steps: int
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    final_learning_rate_share: float = 0.02
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    seed: int = 0
    log_every: int = 50
    evaluate_every: int = 500
    checkpoint_seconds: float = 120.0
    precision: str = "float32"
    optimizer: str = "adam"
    schedule: str = "cosine"
    accumulate: int = 1
    ema: float = 0.0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup_steps < 0:
            raise ConfigError(
                f"steps={self.steps}, warmup_steps={self.warmup_steps}: must be positive"
            )
        for name in ("accumulate", "log_every", "evaluate_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("learning_rate", "gradient_clip"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)} must be above 0")
        if self.weight_decay < 0 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(
                f"weight_decay={self.weight_decay} must not be negative and betas={self.betas} "
                f"must be at least 0 and less than 1"
            )
        if not 0 <= self.ema < 1:
            raise ConfigError(f"ema={self.ema} must be at least 0 and less than 1, such as 0.999")
        choices = {"precision": Precision, "optimizer": Optimizer, "schedule": Schedule}
        for name, allowed in choices.items():
            if getattr(self, name) not in get_args(allowed):
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} is unknown; "
                    f"possible are {', '.join(get_args(allowed))}"
                )

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up, then the schedule."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if self.schedule == "constant":
            return self.learning_rate
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        share = self.final_learning_rate_share
        return self.learning_rate * (share + (1 - share) * (1 + math.cos(math.pi * done)) / 2)
