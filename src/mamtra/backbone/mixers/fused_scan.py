"""The scan on a CUDA device through fla-core's kernels, and the choice between the forms.

fla-core's ``simple_gla`` is this recurrence (q reads, k writes, v values, g log decay). It is
imported when a CUDA tensor first asks for it, never earlier. Its first pass tries kernels out for
half a minute and longer: a training has that time, somebody who waits for a sentence has not. So on
a CUDA device ``auto`` learns by it and reads in chunks. With some releases of Triton its gradients
are wrong on Hopper, as it says itself once it has tried its kernels out; there ``auto`` learns in
chunks, too. Without the package, chunks learn only where the caller asked for them.

Axes: b batch, t time, h states, g readers of one state, s state width, w value width.
"""

import re
from functools import cache
from importlib import metadata
from typing import Literal

import torch
from einops import rearrange, repeat
from torch import Tensor

from mamtra.backbone.mixers.scan import (
    LogDecay,
    Memory,
    Output,
    Reads,
    Real,
    Values,
    Writes,
    chunked_scan,
    hold_padding,
    loop_scan,
)
from mamtra.errors import MissingExtraError, require

WRONG_GRADIENTS = ((3, 4, 0), (3, 7, 1))  # releases of Triton: the first, and the first without
HOPPER = 9  # compute capability
ScanForm = Literal["auto", "loop", "chunked", "fused"]


def fused_scan(
    values: Values,
    writes: Writes,
    reads: Reads,
    log_decay: LogDecay,
    initial: Memory | None = None,
    real: Real | None = None,
) -> tuple[Output, Memory]:
    """Compute the same as ``loop_scan`` with fla-core's kernels.

    Raises:
        MissingExtraError: fla-core is not installed.
    """
    kernels = require("fla.ops.simple_gla", "gpu")
    readers = reads.shape[3]
    values, log_decay = hold_padding(values, log_decay.float(), real)
    spread = "b t h ... -> b t (h g) ..."
    output, memory = kernels.chunk_simple_gla(
        q=rearrange(reads, "b t h g s -> b t (h g) s").to(values.dtype).contiguous(),
        k=repeat(writes, spread, g=readers).to(values.dtype).contiguous(),
        v=repeat(values, spread, g=readers).contiguous(),
        g=repeat(log_decay, spread, g=readers).contiguous(),
        scale=1.0,
        initial_state=None
        if initial is None
        else repeat(initial, "b h ... -> b (h g) ...", g=readers),
        output_final_state=True,
    )
    output = rearrange(output, "b t (h g) w -> b t h g w", g=readers)
    return output.float(), rearrange(memory, "b (h g) s w -> b h g s w", g=readers)[:, :, 0].float()


def needs_gradient(*tensors: Tensor | None) -> bool:
    """Whether a gradient will be asked for, as in training; nobody asks while a prompt is read."""
    given = (tensor for tensor in tensors if tensor is not None)
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)


@cache
def wrong_release() -> str | None:
    """The release of Triton that is installed, if some gradients are wrong with it."""
    try:
        version = metadata.version("triton")
    except metadata.PackageNotFoundError:
        return None
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    first, mended = WRONG_GRADIENTS
    return version if first <= numbers < mended else None


def wrong_gradients(device: torch.device | str) -> str | None:
    """Why the fused kernels cannot be learned by on a CUDA device, if so (fla-core's issue 640)."""
    version = wrong_release()
    if version is None or torch.cuda.get_device_capability(device)[0] != HOPPER:
        return None
    return f"fla-core's gradients are wrong with triton {version} on this GPU; 3.7.1 mends it"


def chosen_scan(
    device: torch.device | str, form: ScanForm = "auto", *, learning: bool = False
) -> tuple[str, str]:
    """Name the form that runs on a device, and the reason; ``doctor`` prints both.

    Args:
        device: where the tensors are.
        form: that was asked for.
        learning: whether gradients are needed.
    """
    if form != "auto":
        return form, "asked for"
    if torch.device(device).type != "cuda":
        return (
            "chunked",
            f"the fused kernels need a CUDA device, this is {torch.device(device).type}",
        )
    if not learning:
        return "chunked", "the fused kernels are chosen for half a minute at the first prompt"
    if (reason := wrong_gradients(device)) is not None:
        return "chunked", reason
    try:
        require("fla.ops.simple_gla", "gpu")
    except MissingExtraError as missing:
        return "missing", str(missing)
    return "fused", "fla-core is installed"


def form_on(
    device: torch.device, form: ScanForm, tokens: int, *, learning: bool
) -> Literal["loop", "chunked", "fused"]:
    """The form of a recurrence that runs so many tokens on a device; one token needs no chunks."""
    if form == "loop" or (tokens == 1 and form != "fused"):
        return "loop"
    learns_fused = form == "auto" and device.type == "cuda" and learning
    if form == "fused" or (learns_fused and wrong_gradients(device) is None):
        return "fused"
    return "chunked"


def run_scan(
    values: Values,
    writes: Writes,
    reads: Reads,
    log_decay: LogDecay,
    initial: Memory | None = None,
    real: Real | None = None,
    form: ScanForm = "auto",
) -> tuple[Output, Memory]:
    """Run the scan in the form that fits the tensors' device, or in the one asked for.

    Raises:
        MissingExtraError: the tensors are on a CUDA device and need gradients, fla-core is not
            installed, and no other form was asked for.
    """
    forms = {"loop": loop_scan, "chunked": chunked_scan, "fused": fused_scan}
    learning = needs_gradient(values, writes, reads, log_decay, initial)
    run = forms[form_on(values.device, form, values.shape[1], learning=learning)]
    return run(values, writes, reads, log_decay, initial, real)
