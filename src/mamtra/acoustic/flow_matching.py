"""Conditional flow matching: mel features as the end of a path that starts in noise.

The velocity network is followed from time 0 to 1 in a few Euler steps, small at first (cosine
schedule). Guidance pushes away from what the network would draw without knowing tokens or speaker.
The noise is an argument: the same noise gives the same mel features, and pieces of one utterance
use pieces of one noise.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.acoustic.causal_memory import CausalMemory
from mamtra.acoustic.diffusion_transformer import DiffusionTransformer
from mamtra.acoustic.flow_times import cosine_times, even_times
from mamtra.acoustic.velocity import Condition, Velocity

SIGMA_MIN = 1e-6  # cosyvoice2.yaml: sigma_min
UNCONDITIONAL_SHARE = 0.2  # cosyvoice2.yaml: training_cfg_rate


def flow(
    velocity: Callable[..., Tensor],
    noise: Float[Tensor, "batch bins time"],
    known: Condition,
    *,
    steps: int = 10,
    guidance: float = 0.7,
    chunked: bool = False,
    memories: Sequence[CausalMemory] | None = None,
    mean_flow: bool = False,
) -> Float[Tensor, "batch bins time"]:
    """Follow the velocity from noise to mel features.

    Args:
        velocity: the network, or any function like it.
        noise: where to start.
        known: tokens, speaker and prompt.
        steps: Euler steps.
        guidance: how far to push away from the unconditional velocity; at 0 it is not computed.
        chunked: as in streaming.
        memories: of each step; the frames go on from those that they hold, and are left there.
        mean_flow: the steps are equal, and the network is told where each ends.
    """
    rows = noise.shape[0]
    if guidance:
        known = known.twice()
    point = noise
    times = even_times(steps) if mean_flow else cosine_times(steps)
    for step, (now, after) in enumerate(pairwise(times)):
        moment = noise.new_full((known.mean.shape[0],), now)
        doubled = torch.cat([point, point]) if guidance else point
        end = {"end": torch.full_like(moment, after)} if mean_flow else {}
        if memories is None:
            found = velocity(doubled, moment, known, chunked=chunked, **end)
        else:
            memories[step].begin()
            found = velocity(doubled, moment, known, memory=memories[step], **end)
            memories[step].end(noise.shape[-1])
        if guidance:
            found = (1 + guidance) * found[:rows] - guidance * found[rows:]
        point = point + (after - now) * found
    return point


def flow_loss(
    velocity: Velocity | DiffusionTransformer,
    mel: Float[Tensor, "batch bins time"],
    known: Condition,
    *,
    chunked: bool = False,
) -> Float[Tensor, ""]:
    """Squared error of the velocity at a random time on the straight path from noise to the mel.

    Draws from torch's global generator; a share of the rows is told nothing, for guidance.
    """
    time = torch.rand(mel.shape[0], device=mel.device)
    noise = torch.randn_like(mel)
    told = torch.rand(mel.shape[0], device=mel.device) > UNCONDITIONAL_SHARE
    share = time[:, None, None]
    point = (1 - (1 - SIGMA_MIN) * share) * noise + share * mel
    target = mel - (1 - SIGMA_MIN) * noise
    found = velocity(point, time, known.told(told), chunked=chunked)
    mask = known.content[:, None]
    return ((found - target).square() * mask).sum() / (mask.sum() * mel.shape[1])
