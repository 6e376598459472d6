"""Which layers should stay attention: ranked by what their loss costs, or chosen greedily.

The named placements (block-begin and so on) need no model and live with the layouts. These do: a
layer matters if the model gets worse without its mixer. "Worse" is a measure that the caller gives:
cross entropy on held-out sequences, the word error rate of generated speech. The cosine needs no
measure: a mixer that hardly turns its input is not missed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.backbone import Layout, Stack
from mamtra.errors import LayoutError

Measure = Callable[[], float]


class Silence(nn.Module):
    """A mixer that adds nothing."""

    def forward(
        self, hidden: Float[Tensor, "batch time dim"], span: Any, state: Any = None
    ) -> Float[Tensor, "batch time dim"]:
        """Return zeros."""
        del span, state
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
    span, turned = stack.span(hidden), []
    for block in stack.blocks:
        mixed = hidden + block.mixer(block.input_layernorm(hidden), span, None)
        turned.append(1 - F.cosine_similarity(hidden.float(), mixed.float(), dim=-1).mean())
        hidden = block(hidden, span, None)
    return torch.stack(turned)


@torch.no_grad()
def importance_by_measure(
    stack: Stack,
    measure: Measure,
    replacements: Sequence[nn.Module] | None = None,
    known: dict[int, float] | None = None,
    whole: float | None = None,
) -> Float[Tensor, " layers"]:
    """How much worse a measure gets when one layer's mixer is replaced, one layer at a time.

    Args:
        stack: the backbone inside the model that ``measure`` runs.
        measure: smaller is better: cross entropy, word error rate.
        replacements: a mixer for each layer; where None, the mixer is bypassed.
        known: results of earlier layers, as a killed run left them; new ones are added to it.
        whole: the measure of the stack as it is; measured where it is None.
    """
    known = {} if known is None else known
    for layer in range(len(stack.layers)):
        if layer not in known:
            mixer = Silence() if replacements is None else replacements[layer]
            with mixers_replaced(stack, {layer: mixer}):
                known[layer] = measure()
    whole = measure() if whole is None else whole
    return torch.tensor([known[layer] - whole for layer in range(len(stack.layers))])


def most_important(importance: Float[Tensor, " layers"], attention: int) -> Layout:
    """Keep the ``attention`` most important layers; of equals, the earlier one.

    Raises:
        LayoutError: there are not that many layers.
    """
    layers = len(importance)
    if not 0 <= attention <= layers:
        raise LayoutError(f"{attention} attention layers do not fit {layers} layers")
    order = importance.argsort(descending=True, stable=True)
    return Layout.of(sorted(order[:attention].tolist()), layers)


@torch.no_grad()
def greedy(
    stack: Stack,
    measure: Measure,
    attention: int,
    replacements: Sequence[nn.Module],
    report: Callable[[int, float], None] | None = None,
) -> Layout:
    """Replace one layer after another, each time the one that is missed least.

    Costs about ``layers ** 2 / 2`` measurements for few attention layers; one ranking costs
    ``layers``.

    Args:
        stack: the backbone inside the model that ``measure`` runs; all its layers are attention.
        measure: smaller is better.
        attention: how many layers stay attention.
        replacements: the Mamba mixer of each layer.
        report: is told each chosen layer and the measure without it.

    Raises:
        LayoutError: there are not that many layers.
    """
    layers = len(stack.layers)
    if not 0 <= attention <= layers:
        raise LayoutError(f"{attention} attention layers do not fit {layers} layers")
    gone: dict[int, nn.Module] = {}
    while layers - len(gone) > attention:
        results = {}
        for layer in set(range(layers)) - set(gone):
            with mixers_replaced(stack, {**gone, layer: replacements[layer]}):
                results[layer] = measure()
        best = min(results, key=lambda layer: (results[layer], -layer))
        gone[best] = replacements[best]
        if report is not None:
            report(best, results[best])
    return Layout.of(sorted(set(range(layers)) - set(gone)), layers)
