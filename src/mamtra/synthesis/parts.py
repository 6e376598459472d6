"""The modules of a model, built from its folder and filled with its weights.

Modules are laid out without memory first and get it in their final type, so loading needs no
second copy and no random start.

Dtype rule: a part is float32 in memory, whatever it is on disk, unless its type is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.mel import MelConfig
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ConfigError, ModelError
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.synthesis.reading import Reader, TextConfig, Tokenizer, reader_for

__all__ = ["Dtypes", "SpeakingParts", "TextConfig", "check_agreement", "speaking_parts"]

SPEAKING = ("speech_lm", "decoder", "vocoder")

# one type for all parts, or one for each that shall not be float32
Dtypes = torch.dtype | Mapping[str, torch.dtype] | None
Module = TypeVar("Module", bound=nn.Module)


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
        return self.speech_lm.head.weight.device


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


def speaking_parts(
    folder: ModelFolder, device: str | torch.device = "cpu", dtypes: Dtypes = None
) -> SpeakingParts:
    """Load what speaking needs.

    Args:
        folder: the model's folder.
        device: where to compute.
        dtypes: in memory: one type for all parts, or one for each named part; float32 otherwise.

    Raises:
        ModelError: a part is missing or damaged, or parts do not fit together.
        ConfigError: a type was given for a part that there is not.
    """
    check_dtypes(dtypes)
    with torch.device("meta"):
        speech_lm = SpeechLM(folder.section("speech_lm", SpeechLMConfig))
        decoder = Decoder(folder.section("decoder", DecoderConfig))
        vocoder = Vocoder(folder.section("vocoder", VocoderConfig))

    def filled(module: Module, part: str) -> Module:
        module.to(dtype_of(part, dtypes)).to_empty(device=device)
        return folder.fill(module, part)

    text = folder.section("text", TextConfig)
    parts = SpeakingParts(
        reader=reader_for(text, folder.holder("text").folder),
        mel=folder.section("mel", MelConfig),
        speech_lm=filled(speech_lm, "speech_lm"),
        decoder=filled(decoder, "decoder"),
        vocoder=filled(vocoder, "vocoder"),
    )
    check_agreement(folder, parts)
    return parts
