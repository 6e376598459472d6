"""Recognisers by onnx-asr: Parakeet, Canary, GigaAM, Whisper and others as ONNX graphs on a CPU.

Two packages and no torch: the lightest judge that is any good. A folder says by its config.json
which kind of model it holds, as the published ones do.
"""

import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.errors import ModelError, require
from mamtra.evaluation.judges.judge import Identity, sound_at
from mamtra.evaluation.judges.weights import files_sha256, folder_of

EXTRA = "judges"
PACKAGE = "onnx-asr"
RATE_HZ = 16_000
LEAST_SAMPLES = 1600  # a shorter clip makes no frame of some models
TAKES_LANGUAGE = ("whisper", "whisper-ort", "nemo-conformer-aed")
CONFIG = "config.json"


def kind_of(folder: Path) -> str:
    """The kind of model in a folder.

    Raises:
        ModelError: it does not say.
    """
    try:
        return str(json.loads((folder / CONFIG).read_text())["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ModelError(
            f"{str(folder)!r} does not say what it holds; its {CONFIG} needs model_type, such as "
            f"nemo-conformer-tdt or whisper"
        ) from problem


class OnnxAsr:
    """A recogniser of onnx-asr.

    Args:
        name: a folder, or a name of onnx-asr or the hub that was fetched before.
        language: of the speech, for models that ask for it.
        threads: of the processor.

    Raises:
        ModelError: there are no such weights, or they are damaged.
        MissingExtraError: onnx-asr is not installed.
    """

    def __init__(self, name: str, language: str = "en", threads: int = 1) -> None:
        package = require("onnx_asr", EXTRA)
        runtime = require("onnxruntime", EXTRA)
        repositories: dict[str, str] = require("onnx_asr.resolver", EXTRA).model_repos
        folder = folder_of(name, repositories.get(name, name), "model of onnx-asr")
        kind = kind_of(folder)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.model: Any = package.load_model(
                kind, os.fspath(folder), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as problem:  # its own errors and the runtime's share no parent
            raise ModelError(f"cannot open the recogniser in {name!r}: {problem}") from problem
        self.asked = {"language": language} if kind in TAKES_LANGUAGE else {}
        self.identity = Identity(
            name=f"onnx-asr {Path(name).name}",
            package=PACKAGE,
            version=metadata.version(PACKAGE),
            weights="*.onnx*",
            sha256=files_sha256(folder, "*.onnx*"),
            settings={"kind": kind, "device": "cpu", **self.asked},
        )

    def hear(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> str:
        """The words of one clip; an empty string if it hears none."""
        padded = sound_at(samples, rate_hz, RATE_HZ, LEAST_SAMPLES)
        return str(self.model.recognize(padded, sample_rate=RATE_HZ, **self.asked)).strip()
