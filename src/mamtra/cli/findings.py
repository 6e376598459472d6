"""What ``mamtra doctor`` finds: what is here, what is in use, and how to get the rest."""

import importlib.metadata
import importlib.util
import platform
from dataclasses import dataclass

import mamtra
from mamtra.checkpoints.checksums import damaged_files
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import BUILT_IN, DEFAULT, built_in
from mamtra.cores import available_cores
from mamtra.errors import MamtraError, listed
from mamtra.extras import install_command
from mamtra.runtime.choose import choose, has_torch
from mamtra.runtime.many_streams import MANY_STREAMS, steps_to_take
from mamtra.runtime.request import EngineRequest

# extra: the modules it brings
EXTRAS = {
    "eval": ("pocketsphinx", "jiwer", "matplotlib", "faster_whisper"),
    "judges": (
        "distillmos",
        "speechmos",
        "resemblyzer",
        "whisper_normalizer",
        "onnx_asr",
        "transformers",
        "scipy",
    ),
    "torch": ("torch", "einops"),
    "onnx": ("onnx",),
    "cosyvoice": ("tokenizers", "wetext"),
    "hub": ("huggingface_hub",),
    "train": ("accelerate", "tensorboard"),
    "ray": ("ray",),
    "serve": ("starlette", "uvicorn", "websockets", "python_multipart", "prometheus_client"),
    "serve-aac": ("av",),
    "wyoming": ("wyoming",),
    "words": ("pocketsphinx",),
    "bench": ("transformers", "matplotlib"),
    "openvino": ("openvino",),
    "gpu": ("fla", "triton"),
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


def version_of(package: str) -> str | None:
    """The version of an installed package, without importing it; None where it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine() -> list[Finding]:
    """Python, the runtimes, and what they compute on."""
    runtime, torch = version_of("onnxruntime"), version_of("torch")
    return [
        Finding(about="mamtra", found=mamtra.__version__),
        Finding(about="python", found=f"{platform.python_version()} on {platform.platform()}"),
        Finding(about="cores", found=str(available_cores())),
        Finding(about="onnxruntime", found=runtime or "not installed", good=runtime is not None),
        Finding(
            about="torch",
            found=torch or "not installed (optional)",
            optional=torch is None,
            advice=""
            if torch
            else f"for training, converting and CUDA: {install_command('torch')}",
        ),
    ]


def engine_of(name: str, folder: ModelFolder) -> Finding:
    """What runs a model that ships where nobody chose, and why."""
    about = f"{name} runs by"
    try:
        choice = choose(folder, EngineRequest())
    except MamtraError as problem:
        return Finding(about=about, found="nothing", good=False, advice=str(problem))
    if choice.engine == "torch":
        return Finding(about=about, found="torch", advice=choice.why)
    threads = f"{choice.threads} thread{'s' * (choice.threads != 1)}"
    found = f"onnxruntime, weights of {choice.bits} bit, {threads}"
    flow = f"; flow in {choice.flow_dtype}: {choice.why_flow}" if choice.why_flow else ""
    advice = f"{choice.why}; threads: {choice.why_threads}{flow}"
    return Finding(about=about, found=found, advice=advice)


def many_streams() -> Finding:
    """What runs a large language model that speaks many texts at once, and why."""
    compiled, why = steps_to_take(MANY_STREAMS)
    found = "steps compiled for this processor" if compiled else "onnxruntime"
    about = "large, many streams"
    return Finding(about=about, found=found, optional=not compiled, advice=why)


def torch_findings() -> list[Finding]:
    """What torch would run, where it is installed."""
    if not has_torch():
        return []
    # torch takes a second to load
    from mamtra.cli.torch_findings import devices, engines, scans, steps

    return [Finding(**line) for line in (*devices(), *engines(), *steps(), *scans())]


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
        checked = "proofread, " if folder.holds("proofreader") else ""
        found = f"{folder.nbytes / 1e6:.1f} MB, {checked}voices {voices}, in {folder.folder}"
        findings += [Finding(about=f"model {name}", found=found), engine_of(name, folder)]
        findings += verified(name, folder)
    return findings


def verified(name: str, folder: ModelFolder) -> list[Finding]:
    """Whether the files of a model are as they were written, where their checksums are known."""
    damaged = damaged_files(folder.folder)
    if damaged is None:
        return []
    about = f"files of {name}"
    if not damaged:
        return [Finding(about=about, found="as they were written (SHA-256)")]
    found, advice = f"damaged: {listed(damaged)}", "reinstall mamtra"
    return [Finding(about=about, found=found, good=False, advice=advice)]


def findings() -> list[Finding]:
    """The whole report."""
    return [*machine(), *models(), many_streams(), *torch_findings(), *extras()]
