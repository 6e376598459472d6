"""The quick way through ``SpeechLM.step``: embedding, stack and head with buffers made once."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.state import StackState
from mamtra.runtime.torch.compiled_step import CompiledStep, is_compiled
from mamtra.runtime.torch.step import StackStep

if TYPE_CHECKING:
    from mamtra.speech_lm.model import SpeechLM

KEPT = 4  # numbers of rows whose buffers are kept; speaking one text needs one


class Stepper:
    """Steps of a model that was made ready, operation by operation."""

    def __init__(self, model: "SpeechLM") -> None:
        self.stack, self.head = model.backbone, model.head
        self.plan_kind = CompiledStep if is_compiled(self.stack) else StackStep
        self.plans: dict[int, CompiledStep | StackStep] = {}

    def plan(self, rows: int) -> CompiledStep | StackStep:
        """The buffers for so many rows; the oldest make room."""
        if rows not in self.plans:
            while len(self.plans) >= KEPT:
                del self.plans[next(iter(self.plans))]
            self.plans[rows] = self.plan_kind(self.stack, rows)
        return self.plans[rows]

    @torch.inference_mode()
    def step_embedded(
        self, inputs: Float[Tensor, "batch dim"], state: StackState
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row by one embedding; logits of the next id."""
        plan = self.plan(len(inputs))
        plan.hidden.copy_(inputs)
        return self.head(plan.run(state))
