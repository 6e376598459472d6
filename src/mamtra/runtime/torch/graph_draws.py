"""Draws beside recorded steps on a GPU: the id is drawn in the graph, which the next graph reads.

What a draw needs lies on the GPU: the id drawn last, those drawn lately, how many there are, and
random numbers for the next draws, which the processor brings in blocks ahead of their use. The ids
come back in page-locked memory, and whoever reads them waits for their own step alone.

Everything but the kernel runs on a CPU as well, and the kernel in Triton's interpreter, which is
how it is tested.

Axes: b rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.backbone.state import StackState
from mamtra.runtime.draws import DrawRule
from mamtra.runtime.torch.cuda_graph import GraphStepper, sent
from mamtra.runtime.torch.draw_kernel import RING, DrawingRows, DrawKernel, DrawTensors, can_draw

BLOCK = RING // 2  # random numbers that are brought at once

Uniforms = Callable[[int], Float[np.ndarray, " count"]]


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


class GraphDraws(DrawingRows):
    """The rows of a running batch.

    Args:
        stepper: records and replays steps.
        kernel: draws.
        rows: of the batch.

    Attributes:
        feeds: of the text in each row.
    """

    def __init__(self, stepper: GraphStepper, kernel: DrawKernel, rows: int) -> None:
        super().__init__(kernel, rows)
        self.stepper = stepper
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


def draws_in_graphs(stepper: GraphStepper, rows: int, rule: DrawRule) -> GraphDraws | None:
    """Draw in recorded graphs, for a batch of so many rows; None where no kernel can."""
    if not can_draw(rule, stepper.vocabulary.size, stepper.table.device):
        return None
    return GraphDraws(stepper, stepper.kernel_for(rule), rows)
