"""Judges whose weights are somebody else's: proved by toy weights of the published names."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mamtra.errors import AudioError, ConfigError, MissingExtraError, ModelError
from mamtra.evaluation.gate import compare
from mamtra.evaluation.judges import utmos22, wavlm_ecapa
from mamtra.evaluation.judges.judge import Hearing, Quality, Similarity
from mamtra.evaluation.judges.registry import BUILT_IN, open_judge
from mamtra.evaluation.judges.torch_weights import transformers_name

NOISE = np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
OTHER = np.random.default_rng(1).normal(0, 0.2, 24_000).astype(np.float32)
SILENCE = np.zeros(16_000, np.float32)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("onnx-asr:x", "onnx_asr"),
        ("transformers-whisper:x", "transformers"),
        ("wavlm-ecapa:x", "transformers"),
        ("utmos22:x", "transformers"),
        ("distillmos", "distillmos"),
        ("dnsmos", "speechmos.dnsmos"),
        ("resemblyzer", "resemblyzer"),
    ],
)
def test_a_judge_without_its_package_names_the_command(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[judges\]'"):
        open_judge(name)


@pytest.mark.parametrize(
    "name", ["onnx-asr", "transformers-whisper", "campplus", "wavlm-ecapa", "utmos22"]
)
def test_a_judge_without_its_weights_says_what_to_write(name: str) -> None:
    assert name in BUILT_IN
    with pytest.raises(ConfigError, match=f"the judge {name} needs .*; write {name}:PATH"):
        open_judge(name)


def test_utmos22_rates_with_weights_of_the_published_names(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from toy_judges import UTMOS_RNN, WAV2VEC2, write_utmos22

    path = tmp_path / "utmos22.pt"
    write_utmos22(path)
    judge = utmos22.Utmos22(path, None, WAV2VEC2, UTMOS_RNN)
    assert isinstance(judge, Quality)
    assert judge.quality(NOISE, 16_000) == judge.quality(NOISE, 16_000) != 3
    assert np.isfinite(judge.quality(NOISE[:5], 16_000))
    assert len(judge.identity.sha256) == 64
    with pytest.raises(ModelError, match=r"not 38aa51ab79e2\.\.\. of UTMOS22 strong"):
        open_judge(f"utmos22:{path}")
    weights = torch.load(path, weights_only=True)
    del weights["blstm.bias_hh_l0"]
    torch.save(weights | {"more": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"missing: blstm.bias_hh_l0, unknown: more"):
        utmos22.Utmos22(path, None, WAV2VEC2, UTMOS_RNN)


def test_wavlm_ecapa_compares_with_weights_of_the_published_names(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from toy_judges import ECAPA, write_wavlm_ecapa

    path = tmp_path / "wavlm_large_finetune.pth"
    write_wavlm_ecapa(path)
    judge = wavlm_ecapa.WavlmEcapa(path, None, ECAPA)
    assert isinstance(judge, Similarity)
    assert judge.likeness(NOISE, 16_000, NOISE, 16_000) == pytest.approx(1)
    apart = judge.likeness(NOISE, 16_000, OTHER, 24_000)
    assert apart == pytest.approx(judge.likeness(OTHER, 24_000, NOISE, 16_000))
    assert apart < 0.99999
    with pytest.raises(AudioError, match="nobody speaks"):
        judge.likeness(SILENCE, 16_000, NOISE, 16_000)
    with pytest.raises(ModelError, match=r"not 51f07e3b94d9\.\.\. of the protocol's WavLM-ECAPA"):
        open_judge(f"wavlm-ecapa:{path}")
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="it is empty; fetch it again"):
        open_judge(f"wavlm-ecapa:{path}")


def test_the_default_sizes_are_those_of_the_published_weights() -> None:
    transformers = pytest.importorskip("transformers")
    from mamtra.evaluation.judges.ecapa import Ecapa, EcapaConfig

    config = EcapaConfig()
    with torch.device("meta"):
        modules = {
            "WavLM-large": transformers.WavLMModel(transformers.WavLMConfig(**config.wavlm)),
            "wav2vec 2.0 base": transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()),
            "ECAPA-TDNN": Ecapa(config),
            "UTMOS22 strong": utmos22.Strong(768),
        }
    # the first two as their publishers count them; BLSTM and projection of UTMOS22, ECAPA by hand
    blstm = 2 * (4 * 512 * (768 + 2 * 128 + 512) + 2 * 4 * 512)
    projection = (1024 + 1) * 2048 + 2048 + 1
    counts = {
        "WavLM-large": 315_453_120,
        "wav2vec 2.0 base": 94_371_712,
        "UTMOS22 strong": 2 * 128 + blstm + projection,
    }
    for name, count in counts.items():
        assert sum(weight.numel() for weight in modules[name].parameters()) == count, name
    shapes = {
        name: tuple(weight.shape) for name, weight in modules["ECAPA-TDNN"].named_parameters()
    }
    assert shapes["feature_weight"] == (25,)
    assert shapes["layer1.conv.weight"] == (512, 1024, 5)
    assert shapes["linear.weight"] == (256, 3072)


def test_fairseq_names_become_those_of_transformers() -> None:
    known = {
        "post_extract_proj.bias": "feature_projection.projection.bias",
        "layer_norm.weight": "feature_projection.layer_norm.weight",
        "encoder.layer_norm.weight": "encoder.layer_norm.weight",
        "encoder.layers.3.self_attn_layer_norm.bias": "encoder.layers.3.layer_norm.bias",
        "encoder.layers.3.final_layer_norm.bias": "encoder.layers.3.final_layer_norm.bias",
        "encoder.layers.0.self_attn.grep_a": "encoder.layers.0.attention.gru_rel_pos_const",
        "feature_extractor.conv_layers.0.0.weight": "feature_extractor.conv_layers.0.conv.weight",
        "feature_extractor.conv_layers.4.2.1.bias": (
            "feature_extractor.conv_layers.4.layer_norm.bias"
        ),
    }
    assert {name: transformers_name(name) for name in known} == known


def test_campplus_is_the_graph_of_a_cosyvoice_folder(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from cosyvoice2_graphs import write_speaker_model

    write_speaker_model(tmp_path / "campplus.onnx")
    judge = open_judge(f"campplus:{tmp_path}")
    assert isinstance(judge, Similarity)
    assert judge.identity.name == "campplus"
    assert judge.likeness(NOISE, 16_000, NOISE, 16_000) == pytest.approx(1, abs=1e-6)
    with pytest.raises(AudioError, match="nobody speaks"):
        judge.likeness(NOISE, 16_000, SILENCE, 16_000)
    with pytest.raises(ModelError, match=r"no campplus\.onnx in"):
        open_judge(f"campplus:{tmp_path / 'nothing'}")


def write_recogniser(folder: Path) -> None:
    """A CTC graph in NeMo's form that always says "hi you"."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    words = ["▁hi", "▁you", "<blk>"]
    (folder / "vocab.txt").write_text("".join(f"{word} {n}\n" for n, word in enumerate(words)))
    (folder / "config.json").write_text(json.dumps({"model_type": "nemo-conformer-ctc"}))
    said = np.log(np.full((1, 13, 3), 0.05, np.float32))  # frames of a clip of one second
    said[0, np.arange(13), [0, 1, *[2] * 11]] = np.log(0.9)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["said"], ["logprobs"])],
        "toy",
        [
            helper.make_tensor_value_info("audio_signal", TensorProto.FLOAT, [1, 80, "time"]),
            helper.make_tensor_value_info("length", TensorProto.INT64, [1]),
        ],
        [helper.make_tensor_value_info("logprobs", TensorProto.FLOAT, [1, 13, 3])],
        [numpy_helper.from_array(said, "said")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")


def test_onnx_asr_hears_with_graphs_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx_asr")
    pytest.importorskip("onnx")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"does not say what it holds; its config\.json"):
        open_judge(f"onnx-asr:{tmp_path}")
    with pytest.raises(ModelError, match="mamtra fetch istupakov/parakeet-tdt"):
        open_judge("onnx-asr:nemo-parakeet-tdt-0.6b-v2")
    write_recogniser(tmp_path)
    judge = open_judge(f"onnx-asr:{tmp_path}")
    assert isinstance(judge, Hearing)
    assert judge.hear(NOISE, 16_000) == "hi you"
    assert judge.identity.settings["kind"] == "nemo-conformer-ctc"
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="cannot open the recogniser"):
        open_judge(f"onnx-asr:{tmp_path}")


def test_transformers_whisper_hears_with_weights_of_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("scipy")
    from toy_judges import write_whisper

    write_whisper(tmp_path / "whisper-toy")
    judge = open_judge(f"transformers-whisper:{tmp_path / 'whisper-toy'}")
    assert isinstance(judge, Hearing)
    assert judge.hear(OTHER, 24_000) == judge.hear(OTHER, 24_000)
    assert judge.identity.name == "whisper-toy (transformers)"
    (tmp_path / "whisper-toy" / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot open the Whisper"):
        open_judge(f"transformers-whisper:{tmp_path / 'whisper-toy'}")


def test_figures_of_two_likenesses_are_never_compared() -> None:
    from mamtra.errors import CorpusError

    def row(judge: str) -> dict:
        figures = {"words_by_line": [5], "wrong_by_line": {"ear": [0]}}
        return {"judges": [{"name": "ear", "sha256": judge}], "systems": {"m": figures}}

    with pytest.raises(CorpusError, match="no judge is the same in both rows"):
        compare(row("campplus"), row("wavlm"))
