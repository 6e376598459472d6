"""The float32 weights that an optimiser works on, beside the live ones that a model computes with.

In bfloat16 a small step would be rounded away, so steps are made on float32 copies (the master
weights) and published to the model afterwards. Gradients of several batches and of several
processes are summed in float32 as well.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mamtra.errors import TrainingError
from mamtra.training.settings import LoopSettings
from mamtra.training.workers import average


class MasterWeights:
    """Float32 copies of a model's trainable weights, with their optimisers.

    Args:
        model: its trainable weights are those that require a gradient; it takes the type it
            computes in.
        settings: of the run.

    Raises:
        TrainingError: the model has nothing to train.
    """

    def __init__(self, model: nn.Module, settings: LoopSettings) -> None:
        named = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        if not named:
            raise TrainingError("no weight of the model requires a gradient; none can be trained")
        self.settings = settings
        self.weights = {name: weight.detach().float().clone() for name, weight in named.items()}
        self.mean = (
            {name: weight.clone() for name, weight in self.weights.items()} if settings.ema else {}
        )
        if settings.precision == "bfloat16":
            model.to(torch.bfloat16)
        self.live = {name: dict(model.named_parameters())[name] for name in named}
        matrices = [name for name, weight in self.weights.items() if self.is_matrix(name, weight)]
        if settings.optimizer == "adam":
            matrices = []
        rest = [name for name in self.weights if name not in matrices]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                [self.weights[name] for name in rest],
                betas=settings.betas,
                weight_decay=settings.weight_decay,
                fused=True,
            )
        ]
        if matrices:
            self.optimizers.append(
                torch.optim.Muon(
                    [self.weights[name] for name in matrices],
                    weight_decay=settings.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )

    @staticmethod
    def is_matrix(name: str, weight: Tensor) -> bool:
        """Whether Muon may train a weight: a matrix inside the network, neither table nor head."""
        return weight.ndim == 2 and not any(part in name for part in ("embedding", "head"))

    def collect(self) -> None:
        """Add the live weights' gradients to the master weights', and free them."""
        for name, master in self.weights.items():
            gradient, self.live[name].grad = self.live[name].grad, None
            if gradient is None:
                continue
            if master.grad is None:
                master.grad = gradient.float()
            else:
                master.grad += gradient

    def clip(self) -> Tensor:
        """Average what was collected over batches and processes and clip it.

        Returns:
            The norm of the gradient before clipping.
        """
        gradients = [master.grad for master in self.weights.values() if master.grad is not None]
        if self.settings.accumulate > 1:
            for gradient in gradients:
                gradient.div_(self.settings.accumulate)
        average(gradients)
        return nn.utils.clip_grad_norm_(self.weights.values(), self.settings.gradient_clip)

    def step(self, learning_rate: float) -> None:
        """Apply the clipped gradients and publish the new weights."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
        self.forget()
        for name, mean in self.mean.items():
            mean.lerp_(self.weights[name], 1 - self.settings.ema)
        self.publish()

    def forget(self) -> None:
        """Free the gradients."""
        for master in self.weights.values():
            master.grad = None

    @torch.no_grad()
    def publish(self, weights: dict[str, Tensor] | None = None) -> None:
        """Write the master weights, or other weights, into the live model, rounded to its type."""
        for name, master in (weights or self.weights).items():
            self.live[name].copy_(master)

    @property
    def finished(self) -> dict[str, Tensor]:
        """The weights to be used: their running mean, if there is one."""
        return self.mean or self.weights

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Let the model compute with the weights to be used, for an evaluation."""
        if self.mean:
            self.publish(self.mean)
        try:
            yield
        finally:
            if self.mean:
                self.publish()


def check_numbers(loss: Tensor, norm: Tensor, step: int, folder: str) -> float:
    """Read the gradient's norm, the one number that a step brings back from a GPU.

    Returns:
        The norm.

    Raises:
        TrainingError: it or the loss is not finite; no weight was changed by this step.
    """
    both = float(norm + 0 * loss.detach())
    if math.isfinite(both):
        return both
    value = float(loss.detach())
    reason = (
        f"the loss is {value}" if not math.isfinite(value) else f"the gradient is {float(norm)}"
    )
    raise TrainingError(
        f"{reason} at step {step}; the last checkpoint in {folder!r} is intact, "
        f"lower the learning rate and start again"
    )
