"""CosyVoice 2's ONNX graphs, by tiny graphs with their inputs and outputs."""

import sys
from pathlib import Path

import numpy as np
import pytest
from cosyvoice2_graphs import write_graphs
from cosyvoice2_shapes import TOY
from cosyvoice_folder import write_prompt
from tiny_model import recording

from mamtra.audio.clip import Audio, read
from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import MissingExtraError, ModelError, VoiceError
from mamtra.runtime.protocols import VoiceEncoder
from mamtra.voice.load import open_voice_encoder
from mamtra.voice.onnx_encoder import OnnxVoiceEncoder

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
TOKENIZER, SPEAKER = "speech_tokenizer_v2.onnx", "campplus.onnx"


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    write_graphs(folder, TOY.codes)
    return folder


@pytest.fixture(scope="module")
def encoder(graphs: Path) -> OnnxVoiceEncoder:
    return OnnxVoiceEncoder(MelConfig(), graphs / TOKENIZER, graphs / SPEAKER)


def test_a_recording_becomes_tokens_frames_and_a_vector(
    encoder: OnnxVoiceEncoder, tmp_path: Path
) -> None:
    encoded = encoder.encode(read(write_prompt(tmp_path / "a.wav")))
    assert isinstance(encoder, VoiceEncoder)
    assert len(encoded.tokens) == 40
    assert encoded.mel.shape == (80, 80)
    assert encoded.speaker.shape == (192,)
    assert 0 <= int(encoded.tokens.min()) <= int(encoded.tokens.max()) < 27
    assert len(set(encoded.tokens.tolist())) > 3
    assert encoder.tokens(read(tmp_path / "a.wav")).tolist() == encoded.tokens.tolist()


@pytest.mark.parametrize("samples", [9_601, 9_999, 10_239, 10_241])
def test_there_are_two_frames_for_each_token_at_every_length(
    encoder: OnnxVoiceEncoder, samples: int
) -> None:
    encoded = encoder.encode(Audio(recording(110.0).samples[:samples], 16_000))
    assert encoded.mel.shape[1] == 2 * len(encoded.tokens)
    assert len(encoded.tokens) in (samples // 640, samples // 640 - 1)


def test_another_recording_gives_another_vector(encoder: OnnxVoiceEncoder) -> None:
    low, high = (encoder.encode(recording(pitch)).speaker for pitch in (110.0, 220.0))
    assert not np.allclose(low, high)


def test_a_recording_over_thirty_seconds_is_refused(encoder: OnnxVoiceEncoder) -> None:
    with pytest.raises(VoiceError, match=r"31\.0 seconds; the speech tokenizer takes at most 30"):
        encoder.tokens(recording(110.0, seconds=31))


def test_missing_and_broken_graphs_say_what_to_fetch(graphs: Path, tmp_path: Path) -> None:
    mel = MelConfig()
    with pytest.raises(ModelError, match=r"no campplus\.onnx in .*fetch it from https://"):
        OnnxVoiceEncoder(mel, graphs / TOKENIZER, tmp_path / SPEAKER)
    (tmp_path / SPEAKER).write_bytes(b"stand-in")
    with pytest.raises(ModelError, match="as an ONNX graph"):
        OnnxVoiceEncoder(mel, graphs / TOKENIZER, tmp_path / SPEAKER)
    with pytest.raises(ModelError, match="takes 1 inputs instead of 2"):
        OnnxVoiceEncoder(mel, graphs / SPEAKER, graphs / SPEAKER)


def test_a_missing_runtime_names_the_extra(graphs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[cosyvoice\]'"):
        OnnxVoiceEncoder(MelConfig(), graphs / TOKENIZER, graphs / SPEAKER)


def test_a_model_with_networks_of_its_own_needs_no_runtime(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    encoder = open_voice_encoder(ModelFolder(tiny_model_folder))
    assert isinstance(encoder, VoiceEncoder)
    encoded = encoder.encode(recording(110.0))
    assert encoder.tokens(recording(110.0)).tolist() == encoded.tokens.tolist()
