"""The part of ``mamtra doctor`` that asks torch: devices, engines on them, and recurrences."""

from typing import Any

import torch

from mamtra.backbone.mixers.fused_scan import chosen_scan
from mamtra.runtime.torch.engine import LARGE, Engine, EngineConfig, resolve
from mamtra.runtime.torch.fused.support import FUSED_ROWS, unfit_machine


def names() -> list[str]:
    """Where torch can compute here."""
    return ["cpu"] + ["cuda"] * torch.cuda.is_available()


def devices() -> list[dict[str, Any]]:
    """What torch knows of the processor and of a GPU."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    capability = torch.backends.cpu.get_cpu_capability()
    return [
        {"about": "torch on cpu", "found": f"{capability}, {torch.get_num_threads()} threads"},
        {"about": "torch on cuda", "found": cuda},
    ]


def told(engine: Engine) -> str:
    """An engine in a few words."""
    threads = f"{engine.threads} thread{'s' * (engine.threads != 1)}"
    kernel = " (compiled)" if engine.dtype == "int8" else ""
    graphs = " by CUDA graphs" if engine.kind == "graph" else ""
    return f"run in {engine.dtype}{kernel} on {threads}{graphs}"


def engines() -> list[dict[str, Any]]:
    """What torch would run where nobody chose, and why not something faster."""
    found = []
    for device in names():
        for size, parameters in (("small models", 0), ("large models", LARGE)):
            engine = resolve(EngineConfig(device=device), parameters)
            reasons = [why for name, why in engine.reasons.items() if name != "kind"]
            about = f"torch, {size}" if device == "cpu" else f"torch, {size} on {device}"
            found.append({"about": about, "found": told(engine), "advice": "; ".join(reasons)})
    return found


def scans() -> list[dict[str, Any]]:
    """Which form of the recurrences (Mamba, Gated DeltaNet) torch runs on each device, and why."""
    found = []
    for device in names():
        name, why = chosen_scan(device)
        found.append({"about": f"scan on {device}", "found": name, "advice": why})
        learns, why = chosen_scan(device, learning=True)
        if learns != name:
            about, missing = f"scan on {device}, training", learns == "missing"
            found.append({"about": about, "found": learns, "advice": why, "optional": missing})
    return found


def steps() -> list[dict[str, Any]]:
    """What a recorded step is made of on a GPU, and why."""
    if not torch.cuda.is_available():
        return []
    reason = unfit_machine(torch.device("cuda"))
    found = "fused kernels" if reason is None else "PyTorch's operations"
    advice = reason or f"in bfloat16, for up to {FUSED_ROWS} streams of attention and Mamba layers"
    return [{"about": "steps on cuda", "found": found, "advice": advice}]
