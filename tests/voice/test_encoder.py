"""CosyVoice 2's ONNX graphs, by tiny graphs with their inputs and outputs."""

import sys
from pathlib import Path

import numpy as np
import pytest
from cosyvoice2_graphs import write_graphs
from cosyvoice2_shapes import TOY
from cosyvoice_folder import write_prompt
from tiny_model import recording

from mamtra.acoustic.mel import LogMel, MelConfig
from mamtra.audio.clip import Audio, read
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import MissingExtraError, ModelError, VoiceError
from mamtra.voice.encoder import Listener, ListeningParts, listening_parts
from mamtra.voice.onnx_encoder import OnnxListener

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
TOKENIZER, SPEAKER = "speech_tokenizer_v2.onnx", "campplus.onnx"


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    write_graphs(folder, TOY.codes)
    return folder


@pytest.fixture(scope="module")
def listener(graphs: Path) -> OnnxListener:
    return OnnxListener(LogMel(MelConfig()), graphs / TOKENIZER, graphs / SPEAKER)


def test_a_recording_becomes_tokens_frames_and_a_vector(
    listener: OnnxListener, tmp_path: Path
) -> None:
    heard = listener.hear(read(write_prompt(tmp_path / "a.wav")))
    assert isinstance(listener, Listener)
    assert len(heard.tokens) == 40
    assert heard.mel.shape == (80, 80)
    assert heard.speaker.shape == (192,)
    assert 0 <= int(heard.tokens.min()) <= int(heard.tokens.max()) < 27
    assert len(heard.tokens.unique()) > 3
    assert listener.tokens(read(tmp_path / "a.wav")).tolist() == heard.tokens.tolist()


@pytest.mark.parametrize("samples", [9_601, 9_999, 10_239, 10_241])
def test_there_are_two_frames_for_each_token_at_every_length(
    listener: OnnxListener, samples: int
) -> None:
    heard = listener.hear(Audio(recording(110.0).samples[:samples], 16_000))
    assert heard.mel.shape[1] == 2 * len(heard.tokens)
    assert len(heard.tokens) in (samples // 640, samples // 640 - 1)


def test_another_recording_gives_another_vector(listener: OnnxListener) -> None:
    low, high = (listener.hear(recording(pitch)).speaker for pitch in (110.0, 220.0))
    assert not np.allclose(low, high)


def test_a_recording_over_thirty_seconds_is_refused(listener: OnnxListener) -> None:
    with pytest.raises(VoiceError, match=r"31\.0 seconds; the speech tokenizer hears at most 30"):
        listener.tokens(recording(110.0, seconds=31))


def test_missing_and_broken_graphs_say_what_to_fetch(graphs: Path, tmp_path: Path) -> None:
    mel = LogMel(MelConfig())
    with pytest.raises(ModelError, match=r"no campplus\.onnx in .*fetch it from https://"):
        OnnxListener(mel, graphs / TOKENIZER, tmp_path / SPEAKER)
    (tmp_path / SPEAKER).write_bytes(b"stand-in")
    with pytest.raises(ModelError, match="as an ONNX graph"):
        OnnxListener(mel, graphs / TOKENIZER, tmp_path / SPEAKER)
    with pytest.raises(ModelError, match="takes 1 inputs instead of 2"):
        OnnxListener(mel, graphs / SPEAKER, graphs / SPEAKER)


def test_a_missing_runtime_names_the_extra(graphs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mamtra\[cosyvoice\]'"):
        OnnxListener(LogMel(MelConfig()), graphs / TOKENIZER, graphs / SPEAKER)


def test_a_model_with_networks_of_its_own_needs_no_runtime(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    listener = listening_parts(ModelFolder(tiny_model_folder))
    assert isinstance(listener, ListeningParts)
    heard = listener.hear(recording(110.0))
    assert listener.tokens(recording(110.0)).tolist() == heard.tokens.tolist()
