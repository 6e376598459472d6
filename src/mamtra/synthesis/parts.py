"""The modules of a model, built from its folder and filled with its weights.

Dtype rule: every part is float32 in memory, whatever it is on disk.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.mel import LogMel, MelConfig
from mamtra.acoustic.speaker import SpeakerConfig, SpeakerEncoder
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer, SpeechTokenizerConfig
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ConfigError, ModelError
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.text.tokenizer import NanoTokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """How a model reads text.

    Attributes:
        tokenizer: ``letters`` is one id for each letter, mark or phone.
        piece_characters: longest text that is spoken at once; what the model was trained on.
    """

    tokenizer: Literal["letters"] = "letters"
    piece_characters: int = 100

    def __post_init__(self) -> None:
        if self.tokenizer != "letters":
            raise ConfigError(f"unknown text tokenizer {self.tokenizer!r}; known: letters")
        if self.piece_characters < 1:
            raise ConfigError(f"piece_characters={self.piece_characters} must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeakingParts:
    """What turns text into sound."""

    tokenizer: NanoTokenizer
    mel: MelConfig
    speech_lm: SpeechLM
    decoder: Decoder
    vocoder: Vocoder

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.speech_lm.head.weight.device


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListeningParts:
    """What turns a recording into a voice."""

    mel: LogMel
    speech_tokenizer: SpeechTokenizer
    speaker: SpeakerEncoder


def check_agreement(folder: ModelFolder, parts: SpeakingParts) -> None:
    """Parts of one model must mean the same by a text id, a speech token and a frame.

    Raises:
        ModelError: they do not.
    """
    vocoder, decoder = parts.vocoder.config, parts.decoder.config
    speech_lm, tokenizer = parts.speech_lm.config, parts.tokenizer
    pairs = {
        "text ids of the tokenizer and the speech_lm": (tokenizer.size, speech_lm.text_vocabulary),
        "speech tokens of the speech_lm and the decoder": (
            speech_lm.speech_vocabulary,
            decoder.sizes_of_encoder.vocabulary,
        ),
        "mel bins of the decoder and the vocoder": (decoder.bins, vocoder.bins),
        "hops of mel and vocoder": (parts.mel.hop, vocoder.mel_hop),
        "rates of mel and vocoder": (parts.mel.rate_hz, vocoder.rate_hz),
    }
    wrong = [f"{what} are {a} and {b}" for what, (a, b) in pairs.items() if a != b]
    if wrong:
        raise ModelError(f"the parts of {str(folder.folder)!r} do not fit: {'; '.join(wrong)}")


def speaking_parts(folder: ModelFolder, device: str | torch.device = "cpu") -> SpeakingParts:
    """Load what speaking needs.

    Raises:
        ModelError: a part is missing or damaged, or parts do not fit together.
    """
    folder.section("text", TextConfig)
    speech_lm = SpeechLM(folder.section("speech_lm", SpeechLMConfig))
    decoder = Decoder(folder.section("decoder", DecoderConfig))
    vocoder = Vocoder(folder.section("vocoder", VocoderConfig))
    parts = SpeakingParts(
        tokenizer=NanoTokenizer(),
        mel=folder.section("mel", MelConfig),
        speech_lm=folder.fill(speech_lm, "speech_lm").to(device),
        decoder=folder.fill(decoder, "decoder").to(device),
        vocoder=folder.fill(vocoder, "vocoder").to(device),
    )
    check_agreement(folder, parts)
    return parts


def listening_parts(folder: ModelFolder) -> ListeningParts:
    """Load what making a voice needs."""
    tokenizer = SpeechTokenizer(folder.section("speech_tokenizer", SpeechTokenizerConfig))
    speaker = SpeakerEncoder(folder.section("speaker", SpeakerConfig))
    return ListeningParts(
        mel=LogMel(folder.section("mel", MelConfig)),
        speech_tokenizer=folder.fill(tokenizer, "speech_tokenizer"),
        speaker=folder.fill(speaker, "speaker"),
    )
