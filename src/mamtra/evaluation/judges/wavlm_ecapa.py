"""Likeness of voices as Seed-TTS-eval reports it: WavLM-large and ECAPA-TDNN, its own weights.

``wavlm_large_finetune.pth`` of microsoft/UniSpeech; its checksum is the protocol's, another file is
refused. A clip is brought to mean 0 and deviation 1, as WavLM-large was trained on.
"""

from pathlib import Path

import numpy as np
import torch

from mamtra.errors import require
from mamtra.evaluation.judges.ecapa import Ecapa, EcapaConfig
from mamtra.evaluation.judges.judge import Comparing, identity_of, voice_at
from mamtra.evaluation.judges.torch_weights import (
    checked_file,
    fill,
    tensors_of,
    transformers_names,
)

EXTRA = "judges"
PACKAGE = "transformers"
RATE_HZ = 16_000
# of wavlm_large_finetune.pth, as mirrored by bezzam/wavlm_large_finetune_seed_tts_eval
PROTOCOL_SHA256 = "51f07e3b94d9e0262a6a675ef5a087be3dd09e8c62e9d886827f44f82fe7f94b"
INSIDE = "feature_extract.model."  # where the file keeps WavLM
# of its training: neither is used to compare
SPARE_INSIDE = ("label_embs_concat", "final_proj", "quantizer", "project_q")
SPARE = ("loss_calculator.", INSIDE)
LEAST_SAMPLES = 3200  # 0.2 s; ten frames


class WavlmEcapa(Comparing):
    """The voice encoder of the protocol.

    Args:
        path: of the weights.
        sha256: that they must have; None takes any, for weights that are no protocol's.
        config: sizes.

    Raises:
        ModelError: the file is not there, another one, or does not fit.
        MissingExtraError: transformers is not installed.
    """

    def __init__(
        self,
        path: Path,
        sha256: str | None = PROTOCOL_SHA256,
        config: EcapaConfig | None = None,
    ) -> None:
        package, config = require(PACKAGE, EXTRA), config or EcapaConfig()
        if sha256 is not None:
            checked_file(path, sha256, "the protocol's WavLM-ECAPA")
        tensors = tensors_of(path, "model")
        inside = {n.removeprefix(INSIDE): t for n, t in tensors.items() if n.startswith(INSIDE)}
        wavlm = package.WavLMModel(package.WavLMConfig(**config.wavlm))
        self.wavlm = fill(
            wavlm,
            transformers_names({n: t for n, t in inside.items() if not n.startswith(SPARE_INSIDE)}),
            (),
        )
        self.ecapa = fill(Ecapa(config), tensors, SPARE)
        settings = {"rate_hz": RATE_HZ, "torch": torch.__version__}
        self.identity = identity_of("wavlm-ecapa", PACKAGE, path, settings)

    @torch.inference_mode()
    def embed(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """The voice as 256 numbers.

        Raises:
            AudioError: the clip is too short, or silent.
        """
        sound = voice_at(samples, rate_hz, RATE_HZ, LEAST_SAMPLES)
        wave = torch.from_numpy(sound)[None]
        wave = torch.nn.functional.layer_norm(wave, wave.shape[1:])
        heard = self.wavlm(wave, output_hidden_states=True)
        # some releases of transformers hand out the last state without its norm
        states = torch.stack([*heard.hidden_states[:-1], heard.last_hidden_state])
        return self.ecapa(states)[0].numpy()
