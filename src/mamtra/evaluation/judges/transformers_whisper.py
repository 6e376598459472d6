"""Whisper by transformers, as Seed-TTS-eval's own script runs it: float32, greedy, FFT resampling.

Its published figures are those of ``openai/whisper-large-v3`` (run_wer.py, 752f429). The language
is given, not guessed; a clip is one window of 30 seconds.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from mamtra.errors import ModelError, require
from mamtra.evaluation.judges.judge import Identity
from mamtra.evaluation.judges.weights import files_sha256, folder_of

EXTRA = "judges"
PACKAGE = "transformers"
RATE_HZ = 16_000
WEIGHTS = "*.safetensors"


class TransformersWhisper:
    """A Whisper in transformers' form.

    Args:
        name: a folder, or a repository that was fetched before.
        language: of the speech.

    Raises:
        ModelError: there are no such weights, or they are damaged.
        MissingExtraError: transformers is not installed.
    """

    def __init__(self, name: str, language: str = "en") -> None:
        package = require(PACKAGE, EXTRA)
        self.resample = require("scipy.signal", EXTRA).resample
        folder = folder_of(name, name, "Whisper of transformers")
        try:
            self.processor: Any = package.WhisperProcessor.from_pretrained(
                str(folder), local_files_only=True
            )
            self.model: Any = package.WhisperForConditionalGeneration.from_pretrained(
                str(folder), local_files_only=True, dtype=torch.float32
            ).eval()
        except Exception as problem:  # it has many errors for files that are missing or damaged
            raise ModelError(f"cannot open the Whisper in {name!r}: {problem}") from problem
        many = getattr(self.model.generation_config, "is_multilingual", False)
        self.asked = {"language": language, "task": "transcribe"} if many else {}
        short = Path(name).name
        self.identity = Identity(
            name=f"{short} (transformers)",
            package=PACKAGE,
            version=package.__version__,
            weights=WEIGHTS,
            sha256=files_sha256(folder, WEIGHTS),
            settings={
                "language": language,
                "decoding": "greedy",
                "dtype": "float32",
                "resampling": "fft",
                "torch": torch.__version__,
            },
        )

    @torch.inference_mode()
    def hear(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> str:
        """The words of one clip; an empty string if it hears none."""
        sound = np.nan_to_num(np.asarray(samples, np.float64))
        if rate_hz != RATE_HZ and len(sound):
            sound = self.resample(sound, max(1, int(len(sound) * RATE_HZ / rate_hz)))
        given = self.processor(
            sound, sampling_rate=RATE_HZ, return_tensors="pt", return_attention_mask=True
        )
        written = self.model.generate(
            given.input_features.float(),
            attention_mask=given.attention_mask,
            do_sample=False,
            num_beams=1,
            **self.asked,
        )
        return str(self.processor.batch_decode(written, skip_special_tokens=True)[0]).strip()
