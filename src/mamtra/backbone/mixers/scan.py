"""The selective scan: the recurrence as it is, and the same in chunks.

A state is a matrix per head. Each token fades it, adds one outer product, and every reader of that
state takes one product out of it:

    state = exp(log_decay) * state + write^T value
    output = read @ state

``loop_scan`` is that, token by token: slow, exact, and what every faster form is tested against.
``chunked_scan`` cuts time into chunks, handles each chunk by matrix products as attention does and
carries one state from chunk to chunk: the default on a CPU, and on a GPU for all that needs no
gradient. Both compute in float32.

A layer whose decay belongs to a head has as many states as heads and one reader each; one whose
decay is shared by a key/value group has one state per group with several readers.

Axes: b batch, t time, h states, g readers of one state, s state width, w value width, n chunks,
l tokens of a chunk.
"""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

CHUNK_TOKENS = 32  # 32-64 is best on a CPU; 256 costs 2-4 times more

Values = Float[Tensor, "batch time states width"]
Writes = Float[Tensor, "batch time states state_dim"]
Reads = Float[Tensor, "batch time states readers state_dim"]
LogDecay = Float[Tensor, "batch time states"]
Memory = Float[Tensor, "batch states state_dim width"]
Output = Float[Tensor, "batch time states readers width"]
Real = Bool[Tensor, "batch time"]


def hold_padding(values: Values, log_decay: LogDecay, real: Real | None) -> tuple[Values, LogDecay]:
    """Make padding leave the state as it is: it adds nothing and fades nothing."""
    if real is None:
        return values, log_decay
    values = values * rearrange(real, "b t -> b t 1 1")
    return values, log_decay * rearrange(real, "b t -> b t 1")


def empty_memory(values: Values, writes: Writes) -> Memory:
    """A state that has read nothing."""
    batch, _, states, width = values.shape
    return values.new_zeros(batch, states, writes.shape[-1], width, dtype=torch.float32)


def loop_scan(
    values: Values,
    writes: Writes,
    reads: Reads,
    log_decay: LogDecay,
    initial: Memory | None = None,
    real: Real | None = None,
) -> tuple[Output, Memory]:
    """Run the recurrence token by token.

    Args:
        values: what each token adds.
        writes: where it adds it.
        reads: where it looks.
        log_decay: logarithm of how much of the state is kept, at most 0.
        initial: the state to continue from; empty where it is None.
        real: which tokens are not padding; all are where it is None.

    Returns:
        Output at every token, and the state after each row's last real token.
    """
    values, log_decay = hold_padding(values.float(), log_decay.float(), real)
    memory = empty_memory(values, writes) if initial is None else initial.float()
    kept = rearrange(log_decay.exp(), "b t h -> b t h 1 1")
    added = rearrange(writes.float(), "b t h s -> b t h s 1") * rearrange(
        values, "b t h w -> b t h 1 w"
    )
    outputs: list[Tensor] = []
    for time in range(values.shape[1]):
        memory = kept[:, time] * memory + added[:, time]
        outputs.append(reads[:, time].float() @ memory)
    return torch.stack(outputs, dim=1), memory


def cut_time(
    tensor: Float[Tensor, "batch time states *rest"], chunk: int
) -> Float[Tensor, "batch states chunks chunk *rest"]:
    """Cut time into chunks, the last one padded with zeros, in float32 and contiguous."""
    batch, time, states, *rest = tensor.shape
    if short := -time % chunk:
        tensor = torch.cat([tensor, tensor.new_zeros(batch, short, states, *rest)], dim=1)
    cut = rearrange(tensor, "b (n l) h ... -> b h n l ...", l=chunk)
    return cut.contiguous().float()


def chunked_scan(
    values: Values,
    writes: Writes,
    reads: Reads,
    log_decay: LogDecay,
    initial: Memory | None = None,
    real: Real | None = None,
    chunk: int = CHUNK_TOKENS,
) -> tuple[Output, Memory]:
    """Compute the same as ``loop_scan`` by matrix products over chunks of time."""
    time = values.shape[1]
    chunk = -(-time // -(-time // chunk))  # equal chunks need the least padding
    values, log_decay = hold_padding(values, log_decay.float(), real)
    values, writes, reads, fade = (
        cut_time(tensor, chunk) for tensor in (values, writes, reads, log_decay)
    )
    reads = rearrange(reads, "b h n l g s -> b h n g l s").contiguous()
    fade = fade.cumsum(-1)

    # inside a chunk: attention whose softmax is replaced by the decay between two tokens
    future = torch.ones(chunk, chunk, dtype=torch.bool, device=fade.device).triu(1)
    between = rearrange(fade, "b h n l -> b h n 1 l 1") - rearrange(fade, "b h n l -> b h n 1 1 l")
    between = between.masked_fill(future, -torch.inf).exp()
    scores = rearrange(reads, "b h n g l s -> b h n (g l) s") @ writes.transpose(-1, -2)
    scores = rearrange(scores, "b h n (g l) m -> b h n g l m", l=chunk) * between
    inside = rearrange(scores, "b h n g l m -> b h n (g l) m") @ values

    # across chunks: what each adds to the state, and the state that each begins with
    until_end = (fade[..., -1:] - fade).exp()
    added = (writes * rearrange(until_end, "b h n l -> b h n l 1")).transpose(-1, -2) @ values
    through = rearrange(fade[..., -1].exp(), "b h n -> n b h 1 1")
    memory = (
        values.new_zeros(*added.shape[:2], *added.shape[3:]) if initial is None else initial.float()
    )
    before: list[Tensor] = []
    # unbound at once: the gradient of an index would be a whole tensor of zeros each time
    for kept, new in zip(through.unbind(0), added.unbind(2), strict=True):
        before.append(memory)
        memory = torch.addcmul(new, kept, memory)
    reads = reads * rearrange(fade.exp(), "b h n l -> b h n 1 l 1")
    outside = rearrange(reads, "b h n g l s -> b h n (g l) s") @ torch.stack(before, dim=2)

    output = rearrange(inside + outside, "b h n (g l) w -> b (n l) h g w", l=chunk)
    return output[:, :time], memory
