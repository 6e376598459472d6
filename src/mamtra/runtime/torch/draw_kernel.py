"""What drawing ids on a GPU works on: the tensors of each row, and the kernel that draws.

Lies below the recorded graphs (``cuda_graph.py``), which end with it; ``graph_draws.py``, above
them, is what a running batch calls.

Axes: b rows.
"""

from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.runtime.draws import DrawRule
from mamtra.runtime.torch.fused.shapes import power_of_two
from mamtra.runtime.torch.fused.support import triton_missing, unfit_machine
from mamtra.speech_lm.vocabulary import SpeechVocabulary

RING = 256  # random numbers of a row that lie on the GPU
MOST_KEPT = 64  # of a rule's ``top_k``
MOST_RECENT = 64  # of a rule's window
MOST_OUTS = 16_384  # ids that one program looks at
WARPS = 8


def can_draw(rule: DrawRule, outs: int, device: torch.device) -> bool:
    """Whether the kernel runs on a device, and has room for a rule and so many ids."""
    missing = unfit_machine(device) if device.type == "cuda" else triton_missing()
    if missing is not None:
        return False
    return rule.top_k <= MOST_KEPT and rule.window <= MOST_RECENT and outs <= MOST_OUTS


@dataclass(slots=True, eq=False)
class DrawTensors:
    """What draws read and write, for each row.

    Attributes:
        ids: drawn last; what the next step reads.
        least: ids before which a row may not end.
        spoken: ids drawn so far.
        used: random numbers used so far.
        recent: the last ids, the place of each by its number.
        uniforms: random numbers, the place of each by its number.
        drawn: what the processor reads: the id, and ``used``.
    """

    ids: Int[Tensor, " b"]
    least: Int[Tensor, " b"]
    spoken: Int[Tensor, " b"]
    used: Int[Tensor, " b"]
    recent: Int[Tensor, "b recent"]
    uniforms: Float[Tensor, "b ring"]
    drawn: Int[Tensor, "b 2"]

    @classmethod
    def of(cls, rows: int, device: torch.device) -> "DrawTensors":
        """Those of rows that have said nothing."""

        def zeros(*shape: int, dtype: torch.dtype = torch.int32) -> Tensor:
            return torch.zeros(rows, *shape, dtype=dtype, device=device)

        return cls(
            ids=zeros(dtype=torch.int64),
            least=zeros(),
            spoken=zeros(),
            used=zeros(),
            recent=zeros(MOST_RECENT) - 1,
            uniforms=zeros(RING, dtype=torch.float64),
            drawn=zeros(2, dtype=torch.int64),
        )

    @property
    def all(self) -> list[Tensor]:
        """All of them."""
        return [getattr(self, field.name) for field in fields(self)]

    def rows(self, first: int, count: int) -> "DrawTensors":
        """The same memory, seen as so many rows."""
        return DrawTensors(*(tensor[first : first + count] for tensor in self.all))

    def copied(self) -> "DrawTensors":
        """Copies."""
        return DrawTensors(*(tensor.clone() for tensor in self.all))

    def copy_from(self, other: "DrawTensors") -> None:
        """Overwrite them with those of as many rows."""
        for own, theirs in zip(self.all, other.all, strict=True):
            own.copy_(theirs)


class DrawKernel:
    """Draws by a rule.

    Args:
        rule: how.
        vocabulary: the ids.
        device: where the logits are.
        early: whether it may begin before the kernel ahead of it ends.
    """

    def __init__(
        self, rule: DrawRule, vocabulary: SpeechVocabulary, device: torch.device, early: bool
    ) -> None:
        self.rule, self.outs, self.early = rule, vocabulary.size, early
        never = torch.zeros(2, vocabulary.size, dtype=torch.int8)
        for half, may_end in enumerate((True, False)):
            never[half, list(vocabulary.forbidden(may_end=may_end))] = 1
        self.never = never.to(device)
        limits = torch.tensor([rule.temperature, rule.top_p], dtype=torch.float64)
        self.limits = limits.to(device)

    def __call__(
        self, logits: Float[Tensor, "drawn ids"], tensors: DrawTensors, first: int = 0
    ) -> None:
        """Draw an id for each row of logits; ``first`` is the row of the first ones."""
        from mamtra.runtime.torch.fused.draw import draw

        kernel: Any = draw  # a type checker without triton sees a plain function
        rule, kept = self.rule, min(self.rule.top_k, self.outs)
        early = {"launch_pdl": True} if self.early else {}
        options: dict[str, Any] = {"num_warps": WARPS, **early}
        given = tensors.least, tensors.uniforms, tensors.recent, tensors.spoken, tensors.used
        kernel[(len(logits),)](
            *(logits, self.never, self.limits, *given, tensors.ids, tensors.drawn, first),
            OUTS=self.outs,
            BLOCK=power_of_two(self.outs),
            TOP_K=kept,
            KEPT=max(2, power_of_two(kept)),
            WINDOW=rule.window,
            WINDOW_BLOCK=MOST_RECENT,
            NEEDED=rule.repeats,
            RING=RING,
            EARLY=self.early,
            **options,
        )


class DrawingRows:
    """The rows of a batch that draws in graphs.

    Attributes:
        kernel: draws for them.
        tensors: of the rows; those of the recorded graphs while this batch is the last to step.
    """

    def __init__(self, kernel: DrawKernel, rows: int) -> None:
        self.kernel, self.device = kernel, kernel.never.device
        self.tensors = DrawTensors.of(rows, self.device)
