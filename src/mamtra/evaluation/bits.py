"""What a speech language model loses with fewer bits: words that a judge hears, and its ids.

The model is exported with its matrices in 32, 8 and 4 bit. Each form speaks the same lines from the
same seeds, and each reads the ids that the exact form drew: how probable it finds them, how far its
probabilities are from the exact ones, and how often its most probable id is the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float

from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import require
from mamtra.evaluation.systems import SpeakingModel, short_hash
from mamtra.generation.generate import generate
from mamtra.generation.request import Request
from mamtra.runtime.protocols import SpeechModel
from mamtra.synthesis.load import load
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speaker import Speaker

FORMS = {32: "float32", 8: "int8", 4: "int4"}  # bits, and the name of the type
Logits = Float[np.ndarray, "ids codes"]


def export_forms(model: ModelFolder, folder: Path) -> Path:
    """A copy of a model in a new folder with a graph for each number of bits.

    Raises:
        MissingExtraError: the package onnx is not installed.
        ModelError: a part is missing or damaged.
    """
    require("onnx", "onnx")
    from mamtra.interop.onnx.export import OnnxExport, export_onnx

    export_onnx(model, OnnxExport(bits=8), folder)
    export_onnx(ModelFolder(folder), OnnxExport(bits=4))
    return folder


class FewBits(SpeakingModel):
    """A model that speaks with its language model's matrices in so many bits.

    Args:
        folder: from ``export_forms``.
        bits: 32, 8 or 4.
        voice: one of its voices.
        seed: of what it says.
    """

    def __init__(self, folder: Path, bits: int, voice: str | None, seed: int) -> None:
        synthesizer = load(folder, engine="onnx", dtype=FORMS[bits])
        super().__init__(synthesizer, voice, seed, name=f"{bits} bit")
        self.bits = bits

    @property
    def fingerprint(self) -> str:
        """Weights, bits, voice and seed."""
        return short_hash(super().fingerprint, str(self.bits))

    @property
    def speech_model(self) -> SpeechModel:
        """The language model."""
        return cast(SpeechModel, self.synthesizer.model.speech_model)

    def speaker(self) -> Speaker:
        """Who speaks: every form the first attempt, so that the same seed means the same draws."""
        options = SpeakOptions(voice=self.voice, seed=self.seed, proofread=False)
        return self.synthesizer.speaker(options)

    def requests(self, text: str) -> list[Request]:
        """What it is asked to say for a line: one for each piece."""
        speaker = self.speaker()
        return [speaker.request(piece, n) for n, piece in enumerate(speaker.pieces(text))]

    def ids(self, request: Request) -> list[int]:
        """The ids that it draws."""
        speaker = self.speaker()
        return list(generate(self.speech_model, request, speaker.sampling, speaker.guard).ids)


def follow(model: SpeechModel, request: Request, ids: Sequence[int]) -> Logits:
    """Logits of each of these ids, as the model would go on after those before."""
    state = model.new_state(1, request.length + len(ids))
    rows = [model.read([request.segments], state)[0]]
    rows += [model.step([token], state)[0] for token in ids[:-1]]
    return np.stack(rows)


def log_probabilities(logits: Logits) -> Logits:
    """In float64, so that small differences are those of the models."""
    exact = logits.astype(np.float64)
    exact -= exact.max(1, keepdims=True)
    return exact - np.log(np.exp(exact).sum(1, keepdims=True))


def compare(forms: Sequence[FewBits], texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each form: its cross entropy on the exact form's ids, and how far it is from that form.

    Args:
        forms: the exact one first.
        texts: what is said.

    Returns:
        By name: nats an id of ``cross_entropy`` and of ``divergence``, the share of ids where the
        most probable one is the ``same_best``, and the share of ``same_ids`` when each form draws
        its own from the same seed.
    """
    sums: dict[str, list[float]] = {form.name: [0.0, 0.0, 0.0, 0.0] for form in forms}
    count = 0
    for text in texts:
        for request in forms[0].requests(text):
            ids = forms[0].ids(request)
            exact = log_probabilities(follow(forms[0].speech_model, request, ids))
            count += len(ids)
            for form in forms:
                own = log_probabilities(follow(form.speech_model, request, ids))
                drawn = form.ids(request)
                found = sums[form.name]
                found[0] -= float(own[np.arange(len(ids)), ids].sum())
                found[1] += float((np.exp(exact) * (exact - own)).sum())
                found[2] += float((own.argmax(1) == exact.argmax(1)).sum())
                found[3] += sum(a == b for a, b in zip(ids, drawn, strict=False))
    names = "cross_entropy", "divergence", "same_best", "same_ids"
    return {
        form: {"ids": count}
        | {name: float(f"{total / count:.4g}") for name, total in zip(names, found, strict=True)}
        for form, found in sums.items()
    }
