"""The modules of a model, built from its folder and filled with its weights.

Modules are built hollow, in their final type and place, so loading needs no second copy and no
random start.

Dtype rule: a part is float32 in memory, whatever it is on disk, unless its type is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.mel import MelConfig
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import fill
from mamtra.checkpoints.skip_init import hollow
from mamtra.errors import ConfigError, ModelError
from mamtra.runtime.torch.engine import AUTO, EngineConfig, check_device, open_speech_lm
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.synthesis.text_reader import Reader, TextConfig, Tokenizer, reader_for

__all__ = [
    "Dtypes",
    "SpeakingParts",
    "TextConfig",
    "check_agreement",
    "model_reader",
    "speaking_part",
    "speaking_parts",
]

SPEAKING: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "speech_lm": (SpeechLM, SpeechLMConfig),
    "decoder": (Decoder, DecoderConfig),
    "vocoder": (Vocoder, VocoderConfig),
}

# one type for all parts, or one for each that shall not be float32
Dtypes = torch.dtype | Mapping[str, torch.dtype] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeakingParts:
    """What turns text into sound."""

    reader: Reader
    mel: MelConfig
    speech_lm: SpeechLM
    decoder: Decoder
    vocoder: Vocoder

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to ids, without cutting or normalising."""
        return self.reader.tokenizer

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.speech_lm.device


def check_agreement(folder: ModelFolder, parts: SpeakingParts) -> None:
    """Parts of one model must mean the same by a text id, a speech token and a frame.

    Raises:
        ModelError: they do not.
    """
    vocoder, decoder = parts.vocoder.config, parts.decoder.config
    speech_lm, tokenizer = parts.speech_lm.config, parts.tokenizer
    pairs = {
        "speech tokens of the speech_lm and the decoder": (
            speech_lm.speech_vocabulary,
            decoder.sizes_of_encoder.vocabulary,
        ),
        "mel bins of the decoder and the vocoder": (decoder.bins, vocoder.bins),
        "hops of mel and vocoder": (parts.mel.hop, vocoder.mel_hop),
        "rates of mel and vocoder": (parts.mel.rate_hz, vocoder.rate_hz),
    }
    wrong = [f"{what} are {a} and {b}" for what, (a, b) in pairs.items() if a != b]
    # tables of embeddings are padded to round sizes, so there may be more rows than ids
    if tokenizer.size > (rows := speech_lm.text_vocabulary):
        wrong.append(f"text ids are {tokenizer.size} and rows of the speech_lm for them {rows}")
    if wrong:
        raise ModelError(f"the parts of {str(folder.folder)!r} do not fit: {'; '.join(wrong)}")


def dtype_of(part: str, dtypes: Dtypes) -> torch.dtype:
    """The type that a part shall have in memory."""
    if isinstance(dtypes, torch.dtype):
        return dtypes
    return (dtypes or {}).get(part, torch.float32)


def check_dtypes(dtypes: Dtypes) -> None:
    """Refuse types for parts that there are not.

    Raises:
        ConfigError: a part is unknown.
    """
    if not isinstance(dtypes, Mapping):
        return
    if unknown := sorted(set(dtypes) - set(SPEAKING)):
        raise ConfigError(
            f"no part is called {', '.join(unknown)}; a type can be given for {', '.join(SPEAKING)}"
        )


def speaking_part(
    folder: ModelFolder,
    part: str,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """Load one of ``speech_lm``, ``decoder`` and ``vocoder``.

    Raises:
        ModelError: it is missing or damaged.
    """
    kind, config = SPEAKING[part]
    with hollow(device, dtype):
        module = kind(folder.section(part, config))
    return fill(folder, module.to(device, dtype), part)


def model_reader(folder: ModelFolder) -> Reader:
    """How a model reads text.

    Raises:
        ModelError: a file that it needs is missing or broken.
        MissingExtraError: a package that it needs is not installed.
    """
    return reader_for(folder.section("text", TextConfig), folder.holder("text").folder)


def speaking_parts(
    folder: ModelFolder,
    device: str | torch.device = "cpu",
    dtypes: Dtypes = None,
    engine: EngineConfig | None = None,
) -> SpeakingParts:
    """Load what speaking needs.

    Args:
        folder: the model's folder.
        device: where to compute.
        dtypes: in memory: one type for all parts, or one for each named part; float32 otherwise.
        engine: how the speech_lm is run; without one, or where ``dtypes`` gives the speech_lm a
            type, it is loaded in the form that can be trained.

    Raises:
        ModelError: a part is missing or damaged, or parts do not fit together.
        ConfigError: a type was given for a part that there is not, or twice, or device and engine
            are not possible here.
        MissingExtraError: the model's text needs a package that is not installed.
    """
    check_dtypes(dtypes)
    check_device(device)
    if isinstance(dtypes, torch.dtype) or "speech_lm" in (dtypes or {}):
        if engine is not None and engine.dtype != AUTO:
            raise ConfigError("the speech_lm's type was given as dtype and in dtypes; give it once")
        engine = None
    loaded: dict[str, Any] = {
        part: speaking_part(folder, part, device, dtype_of(part, dtypes))
        for part in SPEAKING
        if engine is None or part != "speech_lm"
    }
    if engine is not None:
        loaded["speech_lm"] = open_speech_lm(folder, engine)
    mel = folder.section("mel", MelConfig)
    parts = SpeakingParts(reader=model_reader(folder), mel=mel, **loaded)
    check_agreement(folder, parts)
    return parts
