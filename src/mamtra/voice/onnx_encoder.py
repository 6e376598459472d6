"""CosyVoice 2's voice encoder: its published ONNX graphs, run by onnxruntime on the CPU.

    speech_tokenizer_v2.onnx   Whisper's log-mel features (1, 128, frames) and their number, int32
                               -> speech tokens, 25 a second; at most 30 seconds
    campplus.onnx              Kaldi's filter-bank features (1, frames, 80), mean over time removed
                               -> the speaker's vector, 192 numbers

The names of the graphs' inputs are read from the graphs. Every number of tokens is brought to half
the number of mel frames, as in CosyVoice 2: the decoder needs two frames for each token.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from mamtra.acoustic.config import FRAMES_PER_TOKEN
from mamtra.audio.clip import Audio
from mamtra.audio.kaldi_features import kaldi_fbank
from mamtra.audio.log_mel import MelConfig, log_mel
from mamtra.audio.whisper_features import whisper_log_mel
from mamtra.cores import ordered_threads
from mamtra.errors import ModelError, VoiceError, require
from mamtra.runtime.protocols import EncodedPrompt
from mamtra.text.bpe import WHERE

RATE_HZ = 16_000  # both graphs were trained on it
LONGEST_SECONDS = 30.0  # the speech tokenizer's own limit
MOST_THREADS = 256  # far above, threads cannot be started
QUIET_LOG = 3  # onnxruntime's level "error": its warnings are about its own optimiser


def open_graph(path: Path, inputs: int) -> Any:
    """A session for one graph.

    Raises:
        ModelError: the file is missing, is no graph, or takes another number of inputs.
        MissingExtraError: onnxruntime is not installed.
    """
    runtime = require("onnxruntime", "cosyvoice")
    if not path.is_file():
        raise ModelError(f"no {path.name} in {str(path.parent)!r}; fetch it from {WHERE} into it")
    options = runtime.SessionOptions()
    options.log_severity_level = QUIET_LOG
    options.intra_op_num_threads = min(ordered_threads(), MOST_THREADS)  # 0: its own number
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as broken:  # the runtime raises its own exceptions, which share no parent
        raise ModelError(
            f"cannot read {str(path)!r} as an ONNX graph; fetch it again from {WHERE}"
        ) from broken
    if len(session.get_inputs()) != inputs:
        raise ModelError(
            f"{str(path)!r} takes {len(session.get_inputs())} inputs instead of {inputs}; "
            f"fetch {path.name} of version 2 from {WHERE}"
        )
    return session


def run_graph(session: Any, *arrays: np.ndarray) -> np.ndarray:
    """The first output for these inputs, flat.

    Raises:
        ModelError: the graph was made for inputs of another form.
    """
    named = {entry.name: array for entry, array in zip(session.get_inputs(), arrays, strict=True)}
    try:
        return np.asarray(session.run(None, named)[0]).reshape(-1)
    except Exception as refused:  # as above
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ModelError(
            f"the ONNX graph refuses features of shape {shapes}; fetch that of version 2 "
            f"from {WHERE}"
        ) from refused


class OnnxVoiceEncoder:
    """The two graphs as one voice encoder; opened here, run when a recording comes.

    Args:
        mel: form of the mel features of the model's decoder.
        speech_tokenizer: the path of its graph.
        speaker: the path of the graph of the speaker vector.

    Raises:
        ModelError: a file is missing, or no graph of this kind.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, mel: MelConfig, speech_tokenizer: Path, speaker: Path) -> None:
        self.mel = mel
        self._tokenizer = open_graph(speech_tokenizer, inputs=2)
        self._speaker = open_graph(speaker, inputs=1)

    @property
    def rate_hz(self) -> int:
        """Samples a second of the sound that its mel features describe."""
        return self.mel.rate_hz

    def every_token(self, audio: Audio) -> Int[np.ndarray, " tokens"]:
        """All tokens that the graph gives.

        Raises:
            VoiceError: the recording is too long for it.
        """
        if audio.seconds > LONGEST_SECONDS:
            raise VoiceError(
                f"the recording lasts {audio.seconds:.1f} seconds; the speech tokenizer takes at "
                f"most {LONGEST_SECONDS:.0f}"
            )
        mel = whisper_log_mel(audio.at(RATE_HZ).samples)[None]
        found = run_graph(self._tokenizer, mel, np.array([mel.shape[-1]], np.int32))
        return found.astype(np.int64)

    def tokens(self, audio: Audio) -> Int[np.ndarray, " tokens"]:
        """Speech tokens alone, no more than there are mel features for."""
        samples = len(audio.at(self.rate_hz).samples)
        return self.every_token(audio)[: samples // self.mel.hop // FRAMES_PER_TOKEN]

    def encode(self, audio: Audio) -> EncodedPrompt:
        """Speech tokens, mel features and speaker vector."""
        mel = log_mel(audio.at(self.rate_hz).samples, self.mel)
        tokens = self.every_token(audio)
        count = min(mel.shape[1] // FRAMES_PER_TOKEN, len(tokens))
        speaker = run_graph(self._speaker, kaldi_fbank(audio.at(RATE_HZ).samples)[None])
        return EncodedPrompt(
            tokens=tokens[:count],
            mel=mel[:, : FRAMES_PER_TOKEN * count].copy(),
            speaker=speaker.astype(np.float32),
        )
