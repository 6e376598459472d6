"""The gated delta rule: a recurrence that replaces what a key held before, instead of adding to it.

A state is a matrix per head (arXiv 2412.06464). Each token fades it, looks up what it holds under
the token's key, and moves that towards the token's value by the share beta:

    state = exp(log_decay) * state
    state = state + beta * key^T (value - key state)
    output = query state

Keys must have length 1; with beta = 1 the old value under a key is then gone, with beta = 0 nothing
is written.

``loop_delta_rule`` is that, token by token: slow, exact, and what the other forms are tested
against. ``chunked_delta_rule`` cuts time into chunks. Inside a chunk the written differences
``u = beta * (value - key state)`` depend on each other through a triangular system, the WY form of
a product of Householder-like matrices (arXiv 2406.06484), which one triangular solve settles; from
chunk to chunk one state is carried. Both compute in float32. ``fused_delta_rule`` calls fla-core's
kernels on a CUDA device, which multiply in 16 bit; vectors in float32 are therefore chunked.

Axes: b batch, t time, h states, s state width, w value width, n chunks, l and m tokens of a chunk.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.mixers.fused_scan import ScanForm, form_on, needs_gradient
from mamtra.backbone.mixers.scan import (
    CHUNK_TOKENS,
    LogDecay,
    Memory,
    Real,
    Values,
    cut_time,
    empty_memory,
)
from mamtra.errors import require

WIDTHS = 8  # multiples that fla-core is given; in 16 bit and odd widths it reads beyond its memory

# torch.linalg has no types, so pyright is told to ignore it here
solve_triangular: Callable[..., Tensor] = torch.linalg.solve_triangular  # pyright: ignore

Keys = Float[Tensor, "batch time states state_dim"]
Beta = Float[Tensor, "batch time states"]


def hold_padding(log_decay: LogDecay, beta: Beta, real: Real | None) -> tuple[LogDecay, Beta]:
    """Make padding leave the state as it is: it fades nothing and writes nothing."""
    if real is None:
        return log_decay.float(), beta.float()
    mask = rearrange(real, "b t -> b t 1")
    return log_decay.float() * mask, beta.float() * mask


def loop_delta_rule(
    queries: Keys,
    keys: Keys,
    values: Values,
    log_decay: LogDecay,
    beta: Beta,
    initial: Memory | None = None,
    real: Real | None = None,
) -> tuple[Values, Memory]:
    """Run the recurrence token by token.

    Args:
        queries: where each token reads.
        keys: where it writes; of length 1.
        values: what it writes.
        log_decay: logarithm of how much of the state is kept, at most 0.
        beta: how much of the old value under its key is replaced, 0 to 1.
        initial: the state to continue from; empty where it is None.
        real: which tokens are not padding; all are where it is None.

    Returns:
        Output at every token, and the state after each row's last real token.
    """
    log_decay, beta = hold_padding(log_decay, beta, real)
    memory = empty_memory(values, keys) if initial is None else initial.float()
    kept = rearrange(log_decay.exp(), "b t h -> b t h 1 1")
    share = rearrange(beta, "b t h -> b t h 1 1")
    reads = rearrange(queries.float(), "b t h s -> b t h 1 s")
    lookups = rearrange(keys.float(), "b t h s -> b t h 1 s")
    writes = rearrange(values.float(), "b t h w -> b t h 1 w")
    outputs: list[Tensor] = []
    for time in range(values.shape[1]):
        memory = kept[:, time] * memory
        found = lookups[:, time] @ memory
        difference = share[:, time] * (writes[:, time] - found)
        memory = memory + lookups[:, time].mT @ difference
        outputs.append(rearrange(reads[:, time] @ memory, "b h 1 w -> b h w"))
    return torch.stack(outputs, dim=1), memory


def chunked_delta_rule(
    queries: Keys,
    keys: Keys,
    values: Values,
    log_decay: LogDecay,
    beta: Beta,
    initial: Memory | None = None,
    real: Real | None = None,
    chunk: int = CHUNK_TOKENS,
) -> tuple[Values, Memory]:
    """Compute the same as ``loop_delta_rule`` by matrix products over chunks of time."""
    time = values.shape[1]
    chunk = -(-time // -(-time // chunk))  # equal chunks need the least padding
    log_decay, beta = hold_padding(log_decay, beta, real)
    queries, keys, values, fade, beta = (
        cut_time(tensor, chunk) for tensor in (queries, keys, values, log_decay, beta)
    )
    fade = fade.cumsum(-1)
    column = "b h n l -> b h n l 1"
    faded, share = rearrange(fade.exp(), column), rearrange(beta, column)

    # how much of what token m wrote token l still finds; its own it does not look up
    past = torch.ones(chunk, chunk, dtype=torch.bool, device=fade.device).tril()
    between = rearrange(fade, column) - rearrange(fade, "b h n m -> b h n 1 m")
    between = between.masked_fill(~past, -torch.inf).exp()
    overlap = share * (keys @ keys.mT) * between

    # differences = system^-1 (beta values) - system^-1 (beta faded keys) state
    system = overlap.tril(-1) + torch.eye(chunk, device=fade.device)
    both = torch.cat([share * values, share * faded * keys], dim=-1)
    solved = solve_triangular(system, both, upper=False, unitriangular=True)
    fresh, corrections = torch.split(solved, [values.shape[-1], keys.shape[-1]], dim=-1)

    inside = (queries @ keys.mT) * between
    reads = queries * faded
    writes = keys * rearrange((fade[..., -1:] - fade).exp(), column)
    through = rearrange(fade[..., -1].exp(), "b h n -> b h n 1 1")
    memory = (
        values.new_zeros(*values.shape[:2], keys.shape[-1], values.shape[-1])
        if initial is None
        else initial.float()
    )
    outputs: list[Tensor] = []
    parts = (fresh, corrections, inside, reads, writes, through)
    for new, correction, scores, read, write, kept in zip(
        *(torch.unbind(part, 2) for part in parts), strict=True
    ):
        differences = new - correction @ memory
        outputs.append(read @ memory + scores @ differences)
        memory = kept * memory + write.mT @ differences
    return rearrange(torch.stack(outputs, dim=2), "b h n l w -> b (n l) h w")[:, :time], memory


def fused_delta_rule(
    queries: Keys,
    keys: Keys,
    values: Values,
    log_decay: LogDecay,
    beta: Beta,
    initial: Memory | None = None,
    real: Real | None = None,
) -> tuple[Values, Memory]:
    """Compute the same as ``loop_delta_rule`` with fla-core's kernels, float32 as bfloat16.

    Raises:
        MissingExtraError: fla-core is not installed.
    """
    kernels = require("fla.ops.gated_delta_rule", "gpu")
    log_decay, beta = hold_padding(log_decay, beta, real)
    short = torch.bfloat16 if values.dtype is torch.float32 else values.dtype
    state_dim, width = keys.shape[-1], values.shape[-1]
    deeper, wider = -state_dim % WIDTHS, -width % WIDTHS
    output, memory = kernels.chunk_gated_delta_rule(
        q=F.pad(queries, (0, deeper)).to(short).contiguous(),
        k=F.pad(keys, (0, deeper)).to(short).contiguous(),
        v=F.pad(values, (0, wider)).to(short).contiguous(),
        g=log_decay,
        beta=beta,
        scale=1.0,
        initial_state=None if initial is None else F.pad(initial, (0, wider, 0, deeper)),
        output_final_state=True,
    )
    return output[..., :width].float(), memory[..., :state_dim, :width].float()


def run_delta_rule(
    queries: Keys,
    keys: Keys,
    values: Values,
    log_decay: LogDecay,
    beta: Beta,
    initial: Memory | None = None,
    real: Real | None = None,
    *,
    form: ScanForm = "auto",
) -> tuple[Values, Memory]:
    """Run the rule in the form that fits the tensors' device, or in the one asked for.

    Raises:
        MissingExtraError: the tensors are on a CUDA device and need gradients, fla-core is not
            installed, and no other form was asked for.
    """
    forms = {
        "loop": loop_delta_rule,
        "chunked": chunked_delta_rule,
        "fused": fused_delta_rule,
    }
    if form == "auto" and values.dtype is torch.float32:
        form = "chunked"
    learning = needs_gradient(queries, keys, values, log_decay, beta, initial)
    run = forms[form_on(values.device, form, values.shape[1], learning=learning)]
    return run(queries, keys, values, log_decay, beta, initial, real)
