"""Which engine runs a model: chosen with a reason, or refused in a sentence."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
from tiny_model import recording

from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ConfigError, MissingExtraError
from mamtra.interop.onnx.export import OnnxExport, export_onnx
from mamtra.runtime import choose as choosing
from mamtra.runtime.choose import EngineRequest, choose, open_model, open_voice_encoder
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel
from mamtra.runtime.onnx.voice_encoder import GraphVoiceEncoder
from mamtra.runtime.protocols import VoiceEncoder
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.runtime.torch.voice_encoder import TorchVoiceEncoder
from mamtra.synthesis.load import open_folder
from mamtra.voice.load import open_voice_encoder as encoder_of_model


@pytest.fixture(scope="module")
def graphs(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """The tiny model with its graphs."""
    folder = tmp_path_factory.mktemp("graphs") / "tiny"
    shutil.copytree(tiny_model_folder, folder)
    export_onnx(ModelFolder(folder), OnnxExport())
    return ModelFolder(folder)


def test_graphs_speak_on_a_cpu_and_torch_on_cuda(graphs, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    choice = choose(graphs, EngineRequest())
    assert (choice.engine, choice.bits, choice.threads) == ("onnx", 32, 1)
    assert choice.why == "the quickest on a CPU"
    assert choose(graphs, EngineRequest(device="cuda")).engine == "torch"
    assert choose(graphs, EngineRequest(engine="eager")).engine == "torch"
    assert choose(graphs, EngineRequest(dtype="bfloat16")).engine == "torch"


def test_without_graphs_torch_speaks_and_the_way_to_graphs_is_told(tiny_model_folder):
    choice = choose(ModelFolder(tiny_model_folder), EngineRequest())
    assert choice.engine == "torch"
    assert "has no speech_lm.onnx, decoder.onnx, vocoder.onnx" in choice.why
    assert "--to onnx makes" in choice.why


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"device": "cuda", "engine": "onnx"}, "graphs run on a CPU only"),
        ({"dtype": "bfloat16", "engine": "onnx"}, "is PyTorch's"),
        ({"dtype": "int4", "engine": "onnx"}, r"has no speech_lm\.4bit\.onnx"),
    ],
)
def test_onnx_is_refused_with_its_reason(graphs, request_, reason):
    with pytest.raises(ConfigError, match=f"'onnx' is not possible: .*{reason}"):
        choose(graphs, EngineRequest(**request_))


def test_nonsense_is_refused():
    with pytest.raises(ConfigError, match="possible are auto, onnx, torch, eager, graph"):
        EngineRequest(engine="numpy")
    with pytest.raises(ConfigError, match="possible are cpu and cuda"):
        EngineRequest(device="tpu")
    with pytest.raises(ConfigError, match="must not be negative"):
        EngineRequest(threads=-1)


def test_without_torch_its_install_command_is_told(tiny_model_folder, monkeypatch):
    def missing(module: str, extra: str) -> None:
        raise MissingExtraError(f"run: pip install 'mamtra[{extra}]'")

    monkeypatch.setattr(choosing, "has_torch", lambda: False)
    monkeypatch.setattr(choosing, "require", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'mamtra\[torch\]'"):
        choose(ModelFolder(tiny_model_folder), EngineRequest())


def test_threads_are_those_asked_for_ordered_or_of_the_models_size(graphs, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose(graphs, EngineRequest()).threads == 3
    assert choose(graphs, EngineRequest(threads=2)).threads == 2
    assert choose(graphs, EngineRequest(threads=100_000)).threads < 100_000
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(choosing, "LARGE_BYTES", 0)
    choice = choose(graphs, EngineRequest())
    assert choice.threads == min(choosing.available_cores(), choosing.MOST_THREADS)


def test_engines_agree_on_what_they_say(graphs):
    said = {}
    for engine in ("onnx", "torch"):
        model = open_model(graphs, EngineRequest(engine=engine, dtype="float32", threads=1))
        kind = OnnxSpeechModel if engine == "onnx" else TorchSpeechModel
        assert isinstance(model.speech_model, kind)
        synthesizer = open_folder(graphs, engine=engine, dtype="float32", threads=1)
        said[engine] = synthesizer.say("Hello there.", seed=3)
    assert said["onnx"].speech_tokens == said["torch"].speech_tokens
    np.testing.assert_allclose(said["onnx"].samples, said["torch"].samples, atol=2e-3)


def test_fewer_bits_are_taken_where_they_were_exported(graphs, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(graphs.folder, folder)
    export_onnx(ModelFolder(folder), OnnxExport(bits=8))
    assert choose(ModelFolder(folder), EngineRequest()).bits == 8
    assert choose(ModelFolder(folder), EngineRequest(dtype="float32")).bits == 32
    assert open_folder(ModelFolder(folder)).say("Hello.").samples.any()


def test_graphs_make_the_same_voice_as_modules(graphs, tiny_model_folder):
    ours, theirs = open_voice_encoder(graphs), encoder_of_model(ModelFolder(tiny_model_folder))
    assert isinstance(ours, GraphVoiceEncoder)
    assert isinstance(ours, VoiceEncoder)
    assert isinstance(theirs, TorchVoiceEncoder)
    audio = recording(120.0)
    got, expected = ours.encode(audio), theirs.encode(audio)
    assert ours.rate_hz == theirs.rate_hz
    assert np.array_equal(ours.tokens(audio), got.tokens)
    assert np.array_equal(got.tokens, expected.tokens)
    np.testing.assert_allclose(got.mel, expected.mel, atol=1e-2)  # logarithms of next to nothing
    np.testing.assert_allclose(got.speaker, expected.speaker, atol=1e-4)
