"""What ``mamtra doctor`` finds: what is here, what is in use, and how to get the rest."""

import importlib.util
import platform
from dataclasses import dataclass

import torch

import mamtra
from mamtra.backbone.mixers.fused_scan import chosen_scan
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import BUILT_IN, DEFAULT, built_in
from mamtra.extras import install_command
from mamtra.runtime.torch.engine import LARGE, Engine, EngineConfig, available_cores, resolve
from mamtra.runtime.torch.int8 import chosen_kernel

# extra: the modules it brings
EXTRAS = {
    "eval": ("pocketsphinx", "jiwer", "matplotlib", "faster_whisper"),
    "judges": ("distillmos", "speechmos", "resemblyzer", "whisper_normalizer"),
    "onnx": ("onnx", "onnxruntime"),
    "cosyvoice": ("tokenizers", "wetext", "onnxruntime"),
    "hub": ("huggingface_hub",),
    "train": ("accelerate", "tensorboard"),
    "ray": ("ray",),
    "bench": ("transformers", "matplotlib"),
    "gpu": ("fla",),
    "cpu": ("numba",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report.

    Attributes:
        about: what was looked at.
        found: what is there.
        good: False where this installation cannot speak because of it.
        optional: it is missing, and only some need it.
        advice: why, or what to do.
    """

    about: str
    found: str
    good: bool = True
    optional: bool = False
    advice: str = ""


def machine() -> list[Finding]:
    """Python, torch and what they compute on."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return [
        Finding(about="mamtra", found=mamtra.__version__),
        Finding(about="python", found=f"{platform.python_version()} on {platform.platform()}"),
        Finding(about="torch", found=torch.__version__),
        Finding(about="threads", found=f"{torch.get_num_threads()} for {available_cores()} cores"),
        Finding(about="cpu", found=torch.backends.cpu.get_cpu_capability()),
        Finding(about="cuda", found=cuda),
    ]


def scans() -> list[Finding]:
    """Which form of the recurrences (Mamba, Gated DeltaNet) runs on each device, and why."""
    devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    choices = {device: chosen_scan(device) for device in devices}
    return [
        Finding(about=f"scan on {device}", found=name, advice=reason, good=name != "missing")
        for device, (name, reason) in choices.items()
    ]


def told(engine: Engine) -> str:
    """An engine in a few words."""
    threads = f"{engine.threads} thread{'s' * (engine.threads != 1)}"
    kernel = f" ({chosen_kernel()})" if engine.dtype == "int8" else ""
    graphs = " by CUDA graphs" if engine.kind == "graph" else ""
    return f"run in {engine.dtype}{kernel} on {threads}{graphs}"


def engines() -> list[Finding]:
    """What would run a model whose engine nobody chose, and why not something faster."""
    findings = []
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        for size, parameters in (("built-in models", 0), ("large models", LARGE)):
            engine = resolve(EngineConfig(device=device), parameters)
            findings.append(
                Finding(
                    about=size if device == "cpu" else f"{size} on {device}",
                    found=told(engine),
                    advice="; ".join(why for name, why in engine.reasons.items() if name != "kind"),
                )
            )
    return findings


def extras() -> list[Finding]:
    """Optional packages: there, or the command that installs them."""
    findings = []
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        found = f"not installed (optional): {', '.join(missing)}" if missing else "installed"
        advice = install_command(extra) if missing else ""
        about = f"extra {extra}"
        findings.append(Finding(about=about, found=found, optional=bool(missing), advice=advice))
    return findings


def models() -> list[Finding]:
    """The models inside this installation."""
    shipped, findings = built_in(), []
    for name in BUILT_IN:
        if name not in shipped:
            advice = "reinstall mamtra, or give say the folder of another model with --model"
            about, good = f"model {name}", name != DEFAULT
            findings.append(Finding(about=about, found="not there", good=good, advice=advice))
            continue
        folder = ModelFolder(shipped[name])
        voices = ", ".join(folder.voice_files())
        found = f"{folder.nbytes / 1e6:.1f} MB, voices {voices}, in {folder.folder}"
        findings.append(Finding(about=f"model {name}", found=found))
    return findings


def findings() -> list[Finding]:
    """The whole report."""
    return [*machine(), *engines(), *scans(), *extras(), *models()]
