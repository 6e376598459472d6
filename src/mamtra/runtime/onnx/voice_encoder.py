"""What makes voices, run by onnxruntime: a model's own speech tokenizer and speaker encoder."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mamtra.acoustic.config import FRAMES_PER_TOKEN
from mamtra.audio.clip import Audio
from mamtra.audio.log_mel import MelConfig, log_mel
from mamtra.runtime.onnx.session import open_session
from mamtra.runtime.protocols import EncodedPrompt


class GraphVoiceEncoder:
    """The graphs that make a voice of a recording's mel features.

    Args:
        mel: sizes of the mel features.
        speech_tokenizer: the path of its graph.
        speaker: the path of the speaker encoder's graph.
        threads: that compute.

    Raises:
        ModelError: a graph is missing or damaged.
    """

    def __init__(
        self, mel: MelConfig, speech_tokenizer: Path, speaker: Path, threads: int = 1
    ) -> None:
        self.mel = mel
        self._tokenizer = open_session(speech_tokenizer, threads)
        self._speaker = open_session(speaker, threads)

    @property
    def rate_hz(self) -> int:
        """Samples a second of the sound that its mel features describe."""
        return self.mel.rate_hz

    def _features(self, audio: Audio) -> Float[np.ndarray, "bins frames"]:
        """Mel features of a clip of any rate."""
        return log_mel(audio.at(self.rate_hz).samples, self.mel)

    def _tokens_of(self, mel: Float[np.ndarray, "bins frames"]) -> Int[np.ndarray, " tokens"]:
        """Speech tokens of mel features."""
        # onnxruntime hands out C's long long, which numpy keeps apart from int64
        return self._tokenizer.run(["tokens"], {"mel": mel})[0].astype(np.int64)

    def tokens(self, audio: Audio) -> Int[np.ndarray, " tokens"]:
        """Speech tokens alone."""
        return self._tokens_of(self._features(audio))

    def encode(self, audio: Audio) -> EncodedPrompt:
        """Speech tokens, mel features and speaker vector."""
        mel = self._features(audio)
        tokens = self._tokens_of(mel)
        mel = np.ascontiguousarray(mel[:, : FRAMES_PER_TOKEN * len(tokens)])
        speaker = self._speaker.run(["speaker"], {"mel": mel})[0]
        return EncodedPrompt(tokens=tokens, mel=mel, speaker=speaker)
