"""Steps on a GPU as recorded CUDA graphs: one call starts everything a token needs.

Starting an operation from Python takes longer than the GPU takes to run it. So the whole step,
embedding to logits, is recorded once for a number of rows and replayed for every token. What is
recorded are the kernels of ``fused/``, a few for each layer, where they know the model and the
number of rows; else PyTorch's operations, some five hundred.

A graph reads and writes fixed addresses, so the memory of a running batch has to lie at fixed
addresses too:

- ``StaticBuffers`` holds, for one number of rows, the tensors that a graph works on. The first
  state that is stepped brings its own;
- a later one is copied in: its content is copied, and from then on its tensors are the static
  ones. The state that had them before gets copies if it is still in use;
- attention looks at a fixed number of positions, the next power of two above the longest row, and
  hides what is not written yet. A row that outgrows it has the next graph recorded.

A graph ends with the logits, or draws from them and begins with the id that the one before drew
(``graph_draws.py``).

Everything but the recording itself runs on a CPU as well, which is how it is tested.

Axes: b rows.
"""

import copy
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mamtra.backbone.stack import Stack
from mamtra.backbone.state import StackState
from mamtra.runtime.draws import DrawRule
from mamtra.runtime.torch.draw_kernel import DrawingRows, DrawKernel, DrawTensors
from mamtra.runtime.torch.fused.support import FUSED_ROWS, can_begin_early, why_not_fused
from mamtra.runtime.torch.positions import as_positions
from mamtra.runtime.torch.step import StackStep

if TYPE_CHECKING:
    from mamtra.speech_lm.model import SpeechLM

LEAST_LENGTH = 256  # of attention; below, a graph more would cost more than it saves
WARM_UPS = 2  # runs before a recording, in which libraries choose kernels and take memory
KEPT = 4  # numbers of rows whose graphs are kept

Replay = Callable[[], None]


# records a body, which may run a few times before that, and hands back what replays it
Recorder = Callable[[Callable[[], None]], Replay]


def record_graph(body: Callable[[], None]) -> Replay:
    """Record a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            body()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # other threads may wait for ids or sound meanwhile
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        body()
    return graph.replay


def sent(values: Tensor, target: Tensor) -> None:
    """Copy values to where a device has them, without waiting for the device."""
    if target.is_cuda:
        values = values.pin_memory()
    target.copy_(values, non_blocking=True)


def length_for(tokens: int) -> int:
    """How many stored positions a graph looks at, so that so many tokens fit."""
    return max(LEAST_LENGTH, 1 << (tokens - 1).bit_length())


@runtime_checkable
class Plan(Protocol):
    """A step of a fixed number of rows with nothing in it that depends on a number in Python.

    Attributes:
        hidden: where the embeddings of the new tokens go; a step overwrites it.
        positions: of the new tokens, on the device.
        logits: of the next ids.
    """

    hidden: Float[Tensor, "rows dim"]
    positions: Int[Tensor, " rows"]
    logits: Float[Tensor, "rows ids"]

    def run(self, state: StackState, cache_len: int) -> None:
        """Go from ``hidden`` to ``logits``, for positions below ``cache_len``.

        The caller moves positions on, in the tensor and in the state, and sees to it that the
        memories have room.
        """
        ...


class PlainPlan:
    """PyTorch's operations one by one."""

    def __init__(self, stack: Stack, head: nn.Module, rows: int) -> None:
        self.step, self.head = StackStep(stack, rows), head
        self.hidden, self.positions = self.step.hidden, self.step.step_positions.positions
        self.logits = head(self.step.normal)

    def run(self, state: StackState, cache_len: int) -> None:
        """Go from ``hidden`` to ``logits``, for positions below ``cache_len``."""
        self.logits.copy_(self.head(self.step.replay_form(state, cache_len)))


def plan_of(stack: Stack, head: nn.Module, rows: int) -> Plan:
    """The quickest step of a stack and its head for so many rows."""
    if rows > FUSED_ROWS or why_not_fused(stack, head) is not None:
        return PlainPlan(stack, head, rows)
    from mamtra.runtime.torch.fused.step import FusedStep

    assert isinstance(head, nn.Linear), "others are refused"
    return FusedStep(stack, head, rows, early=can_begin_early(head.weight.device))


@dataclass(slots=True)
class StaticBuffers:
    """What the graphs of one number of rows work on.

    Attributes:
        positions: those on the device, as Python knows them.
        replays: by the positions that they look at, and by how they draw.
        draws, drawing: what the graphs that draw work on, and whose it is.
    """

    plan: Plan
    inputs: Float[Tensor, "rows dim"]
    state: StackState
    cache_len: int
    owner: "weakref.ref[StackState] | None" = None
    positions: list[int] = field(default_factory=list)
    replays: dict[tuple[int, DrawRule | None], Replay] = field(default_factory=dict)
    draws: DrawTensors | None = None
    drawing: "weakref.ref[DrawingRows] | None" = None

    def owns(self, state: StackState) -> bool:
        """Whether a state's tensors are the static ones; growth and prompts replace them."""
        return all(
            mine is theirs
            for layer, own in zip(self.state.layers, state.layers, strict=True)
            for mine, theirs in zip(layer.tensors, own.tensors, strict=True)
        )

    def copy_out(self) -> None:
        """Give the state that owns the buffers copies of its own."""
        owner = self.owner() if self.owner is not None else None
        if owner is not None and self.owns(owner):
            for layer in owner.layers:
                layer.set_tensors([tensor.clone() for tensor in layer.tensors])
        self.owner = None

    def let_draw(self, draws: DrawingRows) -> None:
        """Let the graphs that draw work on these draws; those before them get copies."""
        if self.draws is None:
            self.draws = draws.tensors
        elif draws.tensors is not self.draws:
            before = self.drawing() if self.drawing is not None else None
            if before is not None and before.tensors is self.draws:
                before.tensors = self.draws.copied()
            self.draws.copy_from(draws.tensors)
            draws.tensors = self.draws
        self.drawing = weakref.ref(draws)

    def copy_in(self, state: StackState) -> None:
        """Copy a state into the static tensors, which then are its own."""
        for layer, own in zip(self.state.layers, state.layers, strict=True):
            layer.copy_from(own)
            own.set_tensors(layer.tensors)
        self.owner = weakref.ref(state)


class GraphStepper:
    """Steps of a model that was made ready, replayed.

    Args:
        model: on a GPU.
        record: how a step is recorded; tests on a CPU give one that only repeats it.
        plan: makes what is recorded, for a number of rows.
    """

    def __init__(
        self,
        model: "SpeechLM",
        record: Recorder = record_graph,
        plan: Callable[[Stack, nn.Module, int], Plan] = plan_of,
    ) -> None:
        self.stack, self.head, self.record, self.plan = model.backbone, model.head, record, plan
        self.vocabulary, self.table = model.vocabulary, model.speech_embedding.weight
        self.buffers: dict[int, StaticBuffers] = {}
        self.kernels: dict[DrawRule, DrawKernel] = {}  # graphs read what they hold

    def acquire(self, rows: int, tokens: int, state: StackState) -> StaticBuffers:
        """The tensors for so many rows and tokens, with the state in them."""
        buffers = self.buffers.get(rows)
        if buffers is not None and buffers.cache_len >= tokens:
            if buffers.owner is None or buffers.owner() is not state or not buffers.owns(state):
                buffers.copy_out()
                buffers.copy_in(state)
            return buffers
        if buffers is not None:
            self.buffers.pop(rows).copy_out()
        while len(self.buffers) >= KEPT:
            self.buffers.pop(next(iter(self.buffers))).copy_out()
        buffers = self.buffers[rows] = self.around(state, length_for(tokens))
        return buffers

    def around(self, state: StackState, cache_len: int) -> StaticBuffers:
        """New buffers made of a state's own tensors."""
        state.reserve(cache_len)
        for layer in state.layers:  # kernels count on it; a scan may have left a part of a tensor
            layer.set_tensors([tensor.contiguous() for tensor in layer.tensors])
        plan = self.plan(self.stack, self.head, len(state.positions))
        own = StackState([copy.copy(layer) for layer in state.layers], [])
        inputs = torch.empty_like(plan.hidden)
        return StaticBuffers(plan, inputs, own, cache_len, weakref.ref(state))

    def body(self, buffers: StaticBuffers, cache_len: int, draw: DrawKernel | None) -> None:
        """What is recorded: from the embeddings to the logits, or from an id to the next."""
        plan, draws = buffers.plan, buffers.draws
        if draw is None or draws is None:
            plan.hidden.copy_(buffers.inputs)
        else:
            plan.hidden.copy_(F.embedding(draws.ids, self.table))
        plan.run(buffers.state, cache_len)
        if draw is not None and draws is not None:
            draw(plan.logits, draws)

    def replay_for(
        self, buffers: StaticBuffers, cache_len: int, draw: DrawKernel | None = None
    ) -> Replay:
        """The recorded step that looks at so many positions; recorded now if it was not before."""
        key = cache_len, None if draw is None else draw.rule
        if key not in buffers.replays:
            # runs before the recording write keys that the replay writes again, and turn the
            # recurrence and draw ids, which has to be turned back
            changed = [] if buffers.draws is None else buffers.draws.all
            for layer in buffers.state.layers:
                changed += layer.tensors if layer.capacity is None else []
            kept = [(tensor, tensor.clone()) for tensor in changed]
            buffers.replays[key] = self.record(lambda: self.body(buffers, cache_len, draw))
            for tensor, before in kept:
                tensor.copy_(before)
        return buffers.replays[key]

    def ready(self, rows: int, state: StackState) -> tuple[StaticBuffers, int]:
        """Buffers that hold the state, its positions on the device; positions to look at."""
        tokens = max(state.positions) + 1
        room = max((layer.capacity or 0 for layer in state.layers), default=0)
        buffers = self.acquire(rows, max(tokens, room), state)
        if buffers.positions != state.positions:  # where rows are free, at every step
            sent(as_positions(state.positions, torch.device("cpu")), buffers.plan.positions)
            buffers.positions = list(state.positions)
        return buffers, min(buffers.cache_len, length_for(tokens))

    def moved_on(self, buffers: StaticBuffers, state: StackState) -> None:
        """Count what was stepped."""
        buffers.plan.positions.add_(1)
        state.positions = [position + 1 for position in state.positions]
        buffers.positions = list(state.positions)

    @torch.inference_mode()
    def step_embedded(
        self, inputs: Float[Tensor, "batch dim"], state: StackState
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row by one embedding; logits of the next id."""
        buffers, cache_len = self.ready(len(inputs), state)
        buffers.inputs.copy_(inputs)
        self.replay_for(buffers, cache_len)()
        self.moved_on(buffers, state)
        return buffers.plan.logits.clone()

    def kernel_for(self, rule: DrawRule) -> DrawKernel:
        """The kernel that draws by a rule; it is kept as long as the graphs that hold it."""
        if rule not in self.kernels:
            device = self.table.device
            early = device.type == "cuda" and can_begin_early(device)
            self.kernels[rule] = DrawKernel(rule, self.vocabulary, device, early)
        return self.kernels[rule]

    @torch.inference_mode()
    def step_drawn(self, state: StackState, draws: DrawingRows) -> None:
        """Continue each row by the id that was drawn last, and draw the next."""
        buffers, cache_len = self.ready(len(state.positions), state)
        buffers.let_draw(draws)
        self.replay_for(buffers, cache_len, draws.kernel)()
        self.moved_on(buffers, state)
