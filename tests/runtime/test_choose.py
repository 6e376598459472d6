"""Which engine runs a model: chosen with a reason, or refused in a sentence."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
from cosyvoice_folder import write_toy_model
from tiny_model import recording

from mamtra import cores
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ConfigError, MissingExtraError, ModelError
from mamtra.interop.onnx.export import OnnxExport, export_onnx
from mamtra.runtime import choose as choosing
from mamtra.runtime import many_streams
from mamtra.runtime.choose import choose, open_model, open_voice_encoder
from mamtra.runtime.onnx import bfloat16
from mamtra.runtime.onnx.decoder import OnnxDecoder
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel
from mamtra.runtime.onnx.voice_encoder import GraphVoiceEncoder
from mamtra.runtime.protocols import EncodedPrompt, VoiceEncoder
from mamtra.runtime.request import EngineRequest
from mamtra.runtime.torch.engine import EngineConfig, resolve
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
    for device in ("tpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1", ""):
        with pytest.raises(ConfigError, match="possible are cpu and cuda"):
            EngineRequest(device=device)
    with pytest.raises(ConfigError, match="must not be negative"):
        EngineRequest(threads=-1)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"dtype": "foo"}, "'foo' is unknown; possible are auto, float32, bfloat16, int8, int4"),
        ({"dtype": "int4"}, r"no speech_lm\.4bit\.onnx, .* --to onnx --bits 4 makes"),
        ({"dtype": "int4", "engine": "torch"}, "graphs only: engine 'torch' was asked for"),
    ],
)
def test_a_type_that_nothing_has_is_refused_before_torch_is_asked_for(
    graphs, request_, reason, monkeypatch
):
    monkeypatch.setattr(choosing, "has_torch", lambda: False)
    with pytest.raises(ConfigError, match=reason):
        open_folder(graphs, **request_)


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
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")  # those of loops inside of loops come behind
    assert choose(graphs, EngineRequest()).threads == 2
    assert choose(graphs, EngineRequest(threads=2)).threads == 2
    many = choose(graphs, EngineRequest(threads=100_000))
    assert many.threads == cores.THREADS_A_CORE * cores.available_cores()
    assert many.why_threads == "asked for, but 100000 are more than 4 for each core"
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(choosing, "LARGE_BYTES", 0)
    choice = choose(graphs, EngineRequest())
    assert choice.threads == min(cores.available_cores(), cores.MOST_THREADS)


@pytest.mark.parametrize("ordered", ["", "3", "100000", "2,1", "many"])
@pytest.mark.parametrize("asked", [0, 2, 200])
def test_engines_agree_on_threads(graphs, monkeypatch, ordered, asked):
    monkeypatch.setenv("OMP_NUM_THREADS", ordered)
    choice = choose(graphs, EngineRequest(threads=asked))
    resolved = resolve(EngineConfig(threads=asked), 1_000)
    assert (resolved.threads, resolved.reasons["threads"]) == (choice.threads, choice.why_threads)


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


@pytest.mark.parametrize(("exported", "taken"), [(8, 8), (4, 32)])
def test_eight_bits_are_taken_where_they_were_exported_and_four_when_asked_for(
    graphs, tmp_path, exported, taken
):
    shutil.copytree(graphs.folder, tmp_path / "tiny")
    folder = ModelFolder(tmp_path / "tiny")
    export_onnx(folder, OnnxExport(bits=exported))
    assert choose(folder, EngineRequest()).bits == taken
    assert choose(folder, EngineRequest(dtype=f"int{exported}")).bits == exported
    assert choose(folder, EngineRequest(dtype="float32")).bits == 32
    assert open_folder(folder).say("Hello.").samples.any()


def test_many_streams_of_a_large_model_take_compiled_steps_where_they_can(
    graphs, tmp_path, monkeypatch
):
    shutil.copytree(graphs.folder, tmp_path / "tiny")
    export_onnx(ModelFolder(tmp_path / "tiny"), OnnxExport(bits=8))
    folder = ModelFolder(tmp_path / "tiny")
    monkeypatch.setattr(many_streams, "missing_for_many_streams", lambda: None)
    many = EngineRequest(streams=many_streams.MANY_STREAMS)
    assert not choose(folder, many).compiled  # it is small
    monkeypatch.setattr(choosing, "LARGE_BYTES", 0)
    choice = choose(folder, many)
    assert (choice.engine, choice.compiled, choice.bits) == ("onnx", True, 0)
    assert choice.why == "compiled steps are the quickest for 8 streams of a large model"
    assert not choose(folder, EngineRequest(streams=many_streams.MANY_STREAMS - 1)).compiled
    assert not choose(folder, EngineRequest(streams=32, engine="onnx")).compiled
    assert not choose(folder, EngineRequest(streams=32, dtype="float32")).compiled
    assert not choose(graphs, many).compiled  # it has no weights of 8 bit to be compared with
    monkeypatch.setattr(many_streams, "missing_for_many_streams", lambda: "numba is missing (get)")
    choice = choose(folder, many)
    assert (choice.compiled, choice.bits) == (False, 8)
    assert choice.why == "compiled steps would be faster for 8 streams, but numba is missing (get)"
    with pytest.raises(ConfigError, match=r"streams=0 must be a whole number of at least 1"):
        EngineRequest(streams=0)


def test_each_graph_of_a_stream_that_an_older_export_lacks_is_named(graphs, tmp_path):
    shutil.copytree(graphs.folder, tmp_path / "tiny")
    for name in (choosing.ENCODER_GRAPH, choosing.CHUNK_GRAPH):
        (tmp_path / "tiny" / name).touch()
    folder = ModelFolder(tmp_path / "tiny")
    told = choosing.obstacle(folder, EngineRequest(flow_context=2), None)
    assert told is not None
    assert told.startswith(f"the model has no {choosing.CHUNKS_GRAPH}, which mamtra export")
    (tmp_path / "tiny" / choosing.CHUNKS_GRAPH).touch()
    assert choosing.obstacle(folder, EngineRequest(flow_context=2), None) is None


@pytest.mark.skipif(bool(many_streams.missing_for_many_streams()), reason="nothing compiles here")
def test_compiled_steps_speak_beside_graphs(graphs, tmp_path, monkeypatch):
    shutil.copytree(graphs.folder, tmp_path / "tiny")
    export_onnx(ModelFolder(tmp_path / "tiny"), OnnxExport(bits=8))
    monkeypatch.setattr(choosing, "LARGE_BYTES", 0)
    model = open_model(ModelFolder(tmp_path / "tiny"), EngineRequest(streams=8, threads=1))
    assert isinstance(model.speech_model, TorchSpeechModel)
    assert isinstance(model.decoder, OnnxDecoder)
    synthesizer = open_folder(ModelFolder(tmp_path / "tiny"), streams=8, threads=1)
    spoken = list(synthesizer.say_batch(["Hello.", "Good morning."], rows=8))
    assert len(spoken) == 2


def test_without_torch_compiled_steps_are_told_to_be_missing(monkeypatch):
    monkeypatch.setattr(many_streams.importlib.util, "find_spec", lambda name: None)
    assert "torch is not installed (pip install" in str(many_streams.missing_for_many_streams())


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


@pytest.mark.parametrize("engine", ["onnx", "torch", "auto"])
@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"flow_steps": 4}, "flow_steps"),
        ({"flow_dtype": "bfloat16"}, "flow_dtype"),
        ({"flow_context": 2}, "flow_context"),
        ({"flow_steps": 4, "flow_context": 2}, "flow_steps and no flow_context"),
    ],
)
def test_what_is_asked_of_a_flow_is_refused_alike_where_there_is_none(
    tiny_model_folder, engine, asked, named
):
    folder, request = ModelFolder(tiny_model_folder), EngineRequest(engine=engine, **asked)
    with pytest.raises(ConfigError) as refused:
        choose(folder, request)
    assert str(refused.value).endswith(f"has no flow, so no {named}; leave it out")


def test_flow_options_out_of_their_range_are_refused():
    with pytest.raises(ConfigError, match="between 0"):
        EngineRequest(flow_steps=101)
    with pytest.raises(ConfigError, match=r"between 0 .* and 300"):
        EngineRequest(flow_context=301)
    with pytest.raises(ConfigError, match="is unknown; possible are auto"):
        EngineRequest(flow_dtype="half")


def test_a_flow_takes_bfloat16_where_that_is_faster_and_says_why_not(tmp_path, monkeypatch):
    folder = ModelFolder(write_toy_model(tmp_path))
    monkeypatch.setattr(choosing, "missing_for_bfloat16", lambda: "no such instructions")
    assert choosing.chosen_flow_dtype(folder, "auto") == ("float32", "no such instructions")
    with pytest.raises(ConfigError, match="cannot run in bfloat16: no such instructions"):
        choosing.chosen_flow_dtype(folder, "bfloat16")
    monkeypatch.setattr(choosing, "missing_for_bfloat16", lambda: None)
    assert choosing.chosen_flow_dtype(folder, "auto")[0] == "bfloat16"
    assert choosing.chosen_flow_dtype(folder, "float32") == ("float32", "asked for")


def test_what_bfloat16_needs_is_told(monkeypatch, tmp_path):
    cpu = tmp_path / "cpuinfo"
    monkeypatch.setattr(bfloat16, "CPU_FILE", cpu)
    monkeypatch.setattr(bfloat16.importlib.util, "find_spec", lambda name: object())
    for flags, told in (("avx2", "no instructions"), ("avx512_bf16", None)):
        cpu.write_text(f"flags: {flags}")
        bfloat16.has_instructions.cache_clear()
        missing = bfloat16.missing_for_bfloat16()
        assert (missing is None) if told is None else (told in missing)
    bfloat16.has_instructions.cache_clear()
    monkeypatch.setattr(bfloat16.importlib.util, "find_spec", lambda name: None)
    assert "pip install" in bfloat16.missing_for_bfloat16()


def test_a_flow_in_bfloat16_with_fewer_steps_stays_near(tmp_path):
    pytest.importorskip("openvino")
    folder = write_toy_model(tmp_path)
    export_onnx(ModelFolder(folder), OnnxExport())
    path = folder / "decoder.onnx"
    exact, half, few = (
        OnnxDecoder(path),
        OnnxDecoder(path, flow_dtype="bfloat16"),
        OnnxDecoder(path, flow_steps=4),
    )
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((80, 100), dtype=np.float32)
    voice = EncodedPrompt(
        tokens=np.arange(8),
        mel=rng.standard_normal((80, 16), dtype=np.float32),
        speaker=rng.standard_normal(192, dtype=np.float32),
    )
    mels = [decoder.decode(list(range(20)), voice, noise) for decoder in (exact, half, few)]
    size = np.linalg.norm(mels[0])
    # random weights 16 wide, guided and followed for ten steps, are far more sensitive than trained
    assert np.linalg.norm(mels[1] - mels[0]) < 0.3 * size
    assert 0 < np.linalg.norm(mels[2] - mels[0]) < 0.5 * size
    with pytest.raises(ModelError, match="cannot open"):
        bfloat16.Bfloat16Session(path.with_name("nothing.onnx"), 1)
