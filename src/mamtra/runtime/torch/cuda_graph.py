"""Steps on a GPU as recorded CUDA graphs: one call starts everything a token needs.

A small model's step is some five hundred operations, and starting one from Python takes longer than
the GPU takes to run it. So the whole step, embedding to logits, is recorded once for a number of
rows and replayed for every token. A graph reads and writes fixed addresses, so the memory of a
running batch has to lie at fixed addresses too:

- ``Resident`` holds, for one number of rows, the tensors that a graph works on. The first state
  that is stepped brings its own;
- a later one is moved in: its content is copied, and from then on its tensors are the resident
  ones. Whoever lived there before and is still in use gets copies;
- attention looks at a fixed number of places, the next power of two above the longest row, and
  hides what is not written yet. A row that outgrows it has the next graph recorded.

Everything but the recording itself runs on a CPU as well, which is how it is tested.

Axes: b rows.
"""

import copy
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.backbone.state import StackState
from mamtra.runtime.torch.positions import as_positions
from mamtra.runtime.torch.step import StackStep

if TYPE_CHECKING:
    from mamtra.speech_lm.model import SpeechLM

LEAST_PLACES = 256  # of attention; below, a graph more would cost more than it saves
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
    with torch.cuda.graph(graph):
        body()
    return graph.replay


def places_for(tokens: int) -> int:
    """How many stored places a graph looks at, so that so many tokens fit."""
    return max(LEAST_PLACES, 1 << (tokens - 1).bit_length())


@dataclass(slots=True)
class Resident:
    """What the graphs of one number of rows work on."""

    plan: StackStep
    ids: Int[Tensor, " rows"]
    logits: Float[Tensor, "rows ids"]
    state: StackState
    places: int
    owner: "weakref.ref[StackState] | None" = None
    positions: list[int] = field(default_factory=list)  # those on the device, as Python knows them
    replays: dict[int, Replay] = field(default_factory=dict)

    def houses(self, state: StackState) -> bool:
        """Whether a state's tensors are the resident ones; growth and prompts replace them."""
        return all(
            mine is theirs
            for layer, own in zip(self.state.layers, state.layers, strict=True)
            for mine, theirs in zip(layer.tensors, own.tensors, strict=True)
        )

    def move_out(self) -> None:
        """Give whoever lives here copies of its own."""
        owner = self.owner() if self.owner is not None else None
        if owner is not None and self.houses(owner):
            for layer in owner.layers:
                layer.set_tensors([tensor.clone() for tensor in layer.tensors])
        self.owner = None

    def move_in(self, state: StackState) -> None:
        """Copy a state into the resident tensors, which then are its own."""
        for layer, own in zip(self.state.layers, state.layers, strict=True):
            layer.copy_from(own)
            own.set_tensors(layer.tensors)
        self.owner = weakref.ref(state)


class GraphStepper:
    """Steps of a model that was made ready, replayed.

    Args:
        model: on a GPU.
        record: how a step is recorded; tests on a CPU give one that only repeats it.
    """

    def __init__(self, model: "SpeechLM", record: Recorder = record_graph) -> None:
        self.table, self.head = model.speech_embedding.weight, model.head
        self.stack, self.record = model.backbone, record
        self.residents: dict[int, Resident] = {}

    def settle(self, rows: int, tokens: int, state: StackState) -> Resident:
        """The tensors for so many rows and tokens, with the state living there."""
        held = self.residents.get(rows)
        if held is not None and held.places >= tokens:
            if held.owner is None or held.owner() is not state or not held.houses(state):
                held.move_out()
                held.move_in(state)
            return held
        if held is not None:
            self.residents.pop(rows).move_out()
        while len(self.residents) >= KEPT:
            self.residents.pop(next(iter(self.residents))).move_out()
        held = self.residents[rows] = self.around(state, places_for(tokens))
        return held

    def around(self, state: StackState, places: int) -> Resident:
        """New residence made of a state's own tensors."""
        rows = len(state.positions)
        state.reserve(places)
        plan = StackStep(self.stack, rows)
        own = StackState([copy.copy(layer) for layer in state.layers], [])
        ids = torch.zeros(rows, dtype=torch.long, device=self.table.device)
        return Resident(plan, ids, self.head(plan.normal), own, places, weakref.ref(state))

    def body(self, held: Resident, places: int) -> None:
        """What is recorded: from the ids to the logits."""
        held.plan.hidden.copy_(F.embedding(held.ids, self.table))
        held.logits.copy_(self.head(held.plan.replay_form(held.state, places)))

    def replay_for(self, held: Resident, places: int) -> Replay:
        """The recorded step that looks at so many places; recorded now if it was not before."""
        if places not in held.replays:
            # runs before the recording write keys that the replay writes again, and turn the
            # recurrence, which has to be turned back
            kept = [
                (tensor, tensor.clone())
                for layer in held.state.layers
                if layer.capacity is None
                for tensor in layer.tensors
            ]
            held.replays[places] = self.record(lambda: self.body(held, places))
            for tensor, before in kept:
                tensor.copy_(before)
        return held.replays[places]

    @torch.inference_mode()
    def step(self, ids: Int[Tensor, " batch"], state: StackState) -> Float[Tensor, "batch ids"]:
        """Continue each row by one speech id; logits of the next."""
        tokens = max(state.positions) + 1
        room = max((layer.capacity or 0 for layer in state.layers), default=0)
        held = self.settle(len(ids), max(tokens, room), state)
        places = held.plan.place.positions
        if held.positions != state.positions:
            places.copy_(as_positions(state.positions, torch.device("cpu")))
        held.ids.copy_(ids)
        self.replay_for(held, min(held.places, places_for(tokens)))()
        places.add_(1)
        state.positions = [position + 1 for position in state.positions]
        held.positions = list(state.positions)
        return held.logits.clone()
