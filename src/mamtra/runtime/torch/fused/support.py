"""Whether a model's steps can run in fused kernels, and if not, why; asked before any is made."""

import os
import shutil
import sysconfig
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor, nn

from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.mixers.mamba import Mamba
from mamtra.backbone.mixers.mixer import Mixer
from mamtra.backbone.stack import Stack

FUSED_ROWS = 8  # above, a matrix product of PyTorch reads the weights once for all rows
LEAST_TRITON = (3, 3)  # the first that can start a kernel before the one ahead of it has ended
LEAST_CAPABILITY = (8, 0)  # Ampere; older GPUs have no instructions for bfloat16
EARLY_CAPABILITY = (9, 0)  # Hopper; older GPUs start each kernel when the one before has ended


def triton_missing() -> str | None:
    """Why Triton cannot be used here, if so; PyTorch for CUDA on Linux brings it along."""
    try:
        version = metadata.version("triton")
    except metadata.PackageNotFoundError:
        return "triton is not installed"
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_TRITON:
        return f"triton {version} is older than {'.'.join(map(str, LEAST_TRITON))}"
    return None


def compiler_missing() -> str | None:
    """What Triton lacks to compile the C code that starts its kernels, if so."""
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        return "triton finds no C compiler; install gcc"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        return "triton finds no Python.h; install the development files of Python"
    return None


def unfit_machine(device: torch.device) -> str | None:
    """Why a machine with a GPU cannot run fused kernels, if so."""
    if torch.version.hip is not None:
        return "fused kernels were written for NVIDIA's GPUs"
    if torch.cuda.get_device_capability(device) < LEAST_CAPABILITY:
        return "fused kernels need a GPU with instructions for bfloat16 (Ampere or later)"
    return triton_missing() or compiler_missing()


def unfit_mixer(mixer: Mixer) -> str | None:
    """What a mixer has that no fused kernel knows, if so."""
    if isinstance(mixer, Attention):
        return None
    if not isinstance(mixer, Mamba):
        return f"{type(mixer).__name__} layers have no fused kernels"
    return "rotary Mamba layers have no fused kernels" if mixer.config.rotary else None


def unfit_model(stack: Stack, head: nn.Module) -> str | None:
    """What a model that was made ready has that no fused kernel knows, if so."""
    weight: Tensor = stack.norm.weight
    if not isinstance(head, nn.Linear):
        return f"a head that is a {type(head).__name__} has no fused kernel"
    if weight.dtype is not torch.bfloat16:
        return f"fused kernels read bfloat16 weights, not {weight.dtype}"
    found = (unfit_mixer(block.mixer) for block in stack.blocks)
    return next((reason for reason in found if reason is not None), None)


def why_not_fused(stack: Stack, head: nn.Module) -> str | None:
    """Why a model's steps cannot run in fused kernels; None where they can."""
    device = stack.norm.weight.device
    if device.type != "cuda":
        return "fused kernels need a CUDA device"
    return unfit_machine(device) or unfit_model(stack, head)


def can_begin_early(device: torch.device) -> bool:
    """Whether kernels of a device may begin before the one ahead of them ends."""
    return torch.cuda.get_device_capability(device) >= EARLY_CAPABILITY
