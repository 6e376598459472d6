"""Which layers should stay attention: ranked by what their loss costs, or chosen greedily.

The named placements (block-begin and so on) need no model and live with the layouts. These do: a
layer matters if the model gets worse without its mixer. "Worse" is a measure that the caller gives:
cross entropy on held-out sequences, the word error rate of generated speech. The cosine needs no
measure: a mixer that hardly turns its input is not missed.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.backbone import Layout, Stack
from mamtra.errors import LayoutError

Measure = Callable[[], float]
Fit = Callable[[Collection[int]], None]


def leave(layers: Collection[int]) -> None:
    """Leave the replacements of these layers as they are."""
    del layers


class Silence(nn.Module):
    """A mixer that adds nothing."""

    def forward(
        self, hidden: Float[Tensor, "batch time dim"], positions: Any, state: Any = None
    ) -> Float[Tensor, "batch time dim"]:
        """Return zeros."""
        del positions, state
        return torch.zeros_like(hidden)

    def new_state(self, *sizes: Any) -> None:
        """Nothing to remember; the sizes are ignored."""
        del sizes


@contextmanager
def mixers_replaced(stack: Stack, mixers: dict[int, nn.Module]) -> Iterator[None]:
    """Put other mixers into these layers of a stack for the time of a ``with`` block."""
    kept = {layer: stack.layers[layer].mixer for layer in mixers}
    try:
        for layer, mixer in mixers.items():
            stack.layers[layer].mixer = mixer
        yield
    finally:
        for layer, mixer in kept.items():
            stack.layers[layer].mixer = mixer


@torch.no_grad()
def importance_by_cosine(
    stack: Stack, hidden: Float[Tensor, "batch time dim"]
) -> Float[Tensor, " layers"]:
    """How far each layer's mixer turns the hidden states: 1 minus their mean cosine, in float32."""
    positions, turned = stack.positions_for(hidden), []
    for block in stack.blocks:
        mixed = hidden + block.mixer(block.input_layernorm(hidden), positions, None)
        turned.append(1 - F.cosine_similarity(hidden.float(), mixed.float(), dim=-1).mean())
        hidden = block(hidden, positions, None)
    return torch.stack(turned)


@torch.no_grad()
def importance_by_measure(
    stack: Stack,
    measure: Measure,
    replacements: Sequence[nn.Module] | None = None,
    known: dict[int, float] | None = None,
    whole: float | None = None,
    report: Callable[[], None] = lambda: None,
    fit: Fit = leave,
) -> Float[Tensor, " layers"]:
    """How much worse a measure gets when one layer's mixer is replaced, one layer at a time.

    Args:
        stack: the backbone inside the model that ``measure`` runs.
        measure: smaller is better: cross entropy, word error rate.
        replacements: a mixer for each layer; where None, the mixer is bypassed.
        known: results of earlier layers, as a killed run left them; new ones are added to it.
        whole: the measure of the stack as it is; measured where it is None.
        report: called after every result.
        fit: called before each measurement with the layers that are replaced in it, while the stack
            is as it was; may change their replacements in place.
    """
    known = {} if known is None else known
    for layer in range(len(stack.layers)):
        if layer not in known:
            mixer = Silence() if replacements is None else replacements[layer]
            fit([layer])
            with mixers_replaced(stack, {layer: mixer}):
                known[layer] = measure()
            report()
    whole = measure() if whole is None else whole
    return torch.tensor([known[layer] - whole for layer in range(len(stack.layers))])


def missed_least(results: Mapping[int, float]) -> int:
    """The layer without whose attention the measure is smallest; of equals, the later one."""
    return min(results, key=lambda layer: (results[layer], -layer))


@torch.no_grad()
def greedy(
    stack: Stack,
    measure: Measure,
    attention: int,
    replacements: Sequence[nn.Module] | None = None,
    rounds: list[dict[int, float]] | None = None,
    report: Callable[[], None] = lambda: None,
    fit: Fit = leave,
) -> Layout:
    """Replace one layer after another, each time the one that is missed least.

    Costs about ``layers ** 2 / 2`` measurements for few attention layers; one ranking costs
    ``layers``, and is the first round.

    Args:
        stack: the backbone inside the model that ``measure`` runs; all its layers are attention.
        measure: smaller is better.
        attention: how many layers stay attention.
        replacements: a mixer for each layer; where None, mixers are bypassed.
        rounds: results of each round by layer, as a killed search left them; added to.
        report: called after every result.
        fit: called before each measurement with the layers that are replaced in it, while the stack
            is as it was; may change their replacements in place.

    Raises:
        LayoutError: there are not that many layers.
    """
    layers = len(stack.layers)
    if not 0 <= attention <= layers:
        raise LayoutError(f"{attention} attention layers do not fit {layers} layers")
    mixers = [Silence() for _ in range(layers)] if replacements is None else replacements
    rounds, gone = [] if rounds is None else rounds, dict[int, nn.Module]()
    for number in range(layers - attention):
        if number == len(rounds):
            rounds.append({})
        results = rounds[number]
        for layer in range(layers):
            if layer not in gone and layer not in results:
                fit([*gone, layer])
                with mixers_replaced(stack, {**gone, layer: mixers[layer]}):
                    results[layer] = measure()
                report()
        least = missed_least(results)
        gone[least] = mixers[least]
    return Layout.of(sorted(set(range(layers)) - set(gone)), layers)
