"""Draws beside recorded steps on a GPU: the id is drawn in the graph, which the next graph reads.

What a draw needs lies on the GPU: the id drawn last, those drawn lately, how many there are, and
random numbers for the next draws, which the processor brings in blocks ahead of their use. The ids
come back in page-locked memory, and whoever reads them waits for their own step alone.

Everything but the kernel runs on a CPU as well, and the kernel in Triton's interpreter, which is
how it is tested.

Axes: b rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.backbone.state import StackState
from mamtra.runtime.draws import DrawRule
from mamtra.runtime.torch.cuda_graph import GraphStepper, sent
from mamtra.runtime.torch.fused.shapes import power_of_two
from mamtra.runtime.torch.fused.support import triton_missing, unfit_machine
from mamtra.speech_lm.vocabulary import SpeechVocabulary

RING = 256  # random numbers of a row that lie on the GPU
BLOCK = RING // 2  # that are brought at once
MOST_KEPT = 64  # of a rule's ``top_k``
MOST_RECENT = 64  # of a rule's window
MOST_OUTS = 16_384  # ids that one program looks at
WARPS = 8

Uniforms = Callable[[int], Float[np.ndarray, " count"]]


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

        rule, kept = self.rule, min(self.rule.top_k, self.outs)
        early = {"launch_pdl": True} if self.early else {}
        options: dict[str, Any] = {"num_warps": WARPS, **early}
        given = tensors.least, tensors.uniforms, tensors.recent, tensors.spoken, tensors.used
        draw[(len(logits),)](
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


@dataclass(slots=True, eq=False)
class Feed:
    """The random numbers of the text in a row.

    Attributes:
        row: of the text now.
        uniforms: the next so many.
        brought: how many were.
        used: how many of them were, as far as ids were read.
    """

    row: int
    uniforms: Uniforms
    brought: int = 0
    used: int = 0


class GraphDrawn:
    """Ids on their way to the processor.

    Args:
        drawn: on the GPU.
        feeds: of the text in each row when they were drawn.
    """

    def __init__(self, drawn: Int[Tensor, "b 2"], feeds: Sequence[Feed | None]) -> None:
        self.feeds = list(feeds)
        self.host = torch.empty(drawn.shape, dtype=drawn.dtype, pin_memory=drawn.is_cuda)
        self.host.copy_(drawn, non_blocking=True)
        self.event = torch.cuda.Event() if drawn.is_cuda else None
        if self.event is not None:
            self.event.record()
        self.ids: list[int] = []

    def read(self) -> Sequence[int]:
        """An id for each row; waits for them."""
        if not self.ids:
            if self.event is not None:
                self.event.synchronize()
            pairs = self.host.tolist()
            self.ids = [token for token, _ in pairs]
            for feed, (_, used) in zip(self.feeds, pairs, strict=True):
                if feed is not None:
                    feed.used = used
        return self.ids


class GraphDraws:
    """The rows of a running batch.

    Args:
        stepper: records and replays steps.
        kernel: draws.
        rows: of the batch.

    Attributes:
        tensors: of the rows; those of the recorded graphs while this batch is the last to step.
        feeds: of the text in each row.
    """

    def __init__(self, stepper: GraphStepper, kernel: DrawKernel, rows: int) -> None:
        self.stepper, self.kernel = stepper, kernel
        self.device = kernel.never.device
        self.tensors = DrawTensors.of(rows, self.device)
        self.feeds: list[Feed | None] = [None] * rows

    def bring(self, feed: Feed) -> None:
        """Bring a text its next random numbers where those of before are used."""
        while feed.brought - feed.used <= BLOCK:
            first, block = feed.brought % RING, torch.from_numpy(feed.uniforms(BLOCK))
            sent(block, self.tensors.uniforms[feed.row, first : first + BLOCK])
            feed.brought += BLOCK

    @torch.inference_mode()
    def begin(
        self, row: int, logits: Float[np.ndarray, " ids"], least: int, uniforms: Uniforms
    ) -> GraphDrawn:
        """Draw a row's first id."""
        own = DrawTensors.of(1, self.device)
        own.least.fill_(min(least, torch.iinfo(own.least.dtype).max))
        self.tensors.rows(row, 1).copy_from(own)
        feed = self.feeds[row] = Feed(row, uniforms)
        self.bring(feed)
        given = torch.from_numpy(np.ascontiguousarray(logits[None])).to(self.device)
        self.kernel(given, self.tensors, row)
        return GraphDrawn(self.tensors.rows(row, 1).drawn, [feed])

    @torch.inference_mode()
    def step(self, state: StackState) -> GraphDrawn:
        """Let each row read the id that was drawn last, and draw the next."""
        for feed in self.feeds:
            if feed is not None:
                self.bring(feed)
        self.stepper.step_drawn(state, self)
        return GraphDrawn(self.tensors.drawn, self.feeds)

    @torch.inference_mode()
    def move(self, row: int, other: int) -> None:
        """Let a row take the place of another one."""
        self.tensors.rows(other, 1).copy_from(self.tensors.rows(row, 1))
        feed = self.feeds[other] = self.feeds[row]
        self.feeds[row] = None
        if feed is not None:
            feed.row = other

    @torch.inference_mode()
    def keep_rows(self, rows: Sequence[int], width: int) -> None:
        """Keep only these rows, in this order, in a batch of so many."""
        kept = DrawTensors.of(width, self.device)
        for place, row in enumerate(rows):
            kept.rows(place, 1).copy_from(self.tensors.rows(row, 1))
        self.tensors = kept
        self.feeds = [self.feeds[row] for row in rows] + [None] * (width - len(rows))
        for place, feed in enumerate(self.feeds):
            if feed is not None:
                feed.row = place
