"""The torch engine's voice encoder: a model's own speech tokenizer and speaker encoder."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.acoustic.config import FRAMES_PER_TOKEN, SpeakerConfig, SpeechTokenizerConfig
from mamtra.acoustic.mel import LogMel
from mamtra.acoustic.speaker import SpeakerEncoder
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer
from mamtra.audio.clip import Audio
from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import fill
from mamtra.runtime.protocols import EncodedPrompt
from mamtra.runtime.torch.speech_model import as_array


class TorchVoiceEncoder:
    """The modules that make a voice of a recording's mel features."""

    def __init__(
        self, mel: LogMel, speech_tokenizer: SpeechTokenizer, speaker: SpeakerEncoder
    ) -> None:
        self.mel, self.speech_tokenizer, self.speaker = mel, speech_tokenizer, speaker

    @property
    def rate_hz(self) -> int:
        """Samples a second of the sound that its mel features describe."""
        return self.mel.config.rate_hz

    def features(self, audio: Audio) -> Float[Tensor, "1 bins frames"]:
        """Mel features of a clip of any rate."""
        samples = torch.from_numpy(audio.at(self.rate_hz).samples)
        return self.mel(rearrange(samples, "s -> 1 s"))

    @torch.inference_mode()
    def tokens(self, audio: Audio) -> Int[np.ndarray, " tokens"]:
        """Speech tokens alone."""
        return self.speech_tokenizer.encode(self.features(audio))[0].numpy()

    @torch.inference_mode()
    def encode(self, audio: Audio) -> EncodedPrompt:
        """Speech tokens, mel features and speaker vector."""
        mel = self.features(audio)
        tokens = self.speech_tokenizer.encode(mel)
        mel = mel[..., : FRAMES_PER_TOKEN * tokens.shape[1]]
        return EncodedPrompt(
            tokens=tokens[0].numpy(), mel=as_array(mel[0]), speaker=as_array(self.speaker(mel)[0])
        )


def open_voice_encoder(folder: ModelFolder) -> TorchVoiceEncoder:
    """Load what makes voices.

    Raises:
        ModelError: a part is missing or damaged.
    """
    tokenizer = SpeechTokenizer(folder.section("speech_tokenizer", SpeechTokenizerConfig))
    speaker = SpeakerEncoder(folder.section("speaker", SpeakerConfig))
    return TorchVoiceEncoder(
        LogMel(folder.section("mel", MelConfig)),
        fill(folder, tokenizer, "speech_tokenizer"),
        fill(folder, speaker, "speaker"),
    )
