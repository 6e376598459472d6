"""mamtra convert: the student's folder, its report, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mamtra.backbone import BackboneConfig, GatedDeltaNetConfig, Layout, MambaConfig
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import open_language_model, save_part
from mamtra.cli.convert import convert as command
from mamtra.cli.convert import requested_layout, requested_variants
from mamtra.errors import ConfigError, LayoutError, ModelError
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.synthesis.load import load
from mamtra.transfer import convert as module
from mamtra.transfer.convert import REPORT, Sample, convert, mixer_distances
from mamtra.transfer.forms import FORMS

SIZES = {"dim": 16, "query_heads": 2, "kv_heads": 1, "head_dim": 8, "mlp_dim": 24}


@pytest.fixture(scope="module")
def teacher(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with four attention layers, written in bfloat16 as CosyVoice 2 may be."""
    folder = tmp_path_factory.mktemp("teachers") / "teacher"
    shutil.copytree(tiny_model_folder, folder)
    values = json.loads((folder / "config.json").read_text())
    values["name"] = "toy-teacher"
    values["speech_lm"]["backbone"]["layout"] = "AAAA"
    (folder / "config.json").write_text(json.dumps(values))
    torch.manual_seed(5)
    model = SpeechLM(ModelFolder(folder).section("speech_lm", SpeechLMConfig))
    save_part(model, folder / "speech_lm.safetensors", torch.bfloat16)
    (folder / "README.md").write_text("# The teacher's card\n")
    (folder / "speaker.onnx").write_bytes(b"not really")
    return folder


def run(teacher: Path, output: Path, layout: str = "AMAM", **more: object):
    """Convert with a layout."""
    return convert(ModelFolder(teacher), output, Layout.parse(layout), **more)


def test_the_student_is_a_whole_model_that_speaks(teacher: Path, tmp_path: Path) -> None:
    run(teacher, tmp_path / "student")
    synthesizer = load(tmp_path / "student")
    assert synthesizer.say("Hello.").audio.samples.size
    folder = ModelFolder(tmp_path / "student")
    assert folder.config.name == "student"
    assert folder.config.voice == "low"
    assert set(folder.voice_files()) == {"high", "low"}
    assert (tmp_path / "student" / "speaker.onnx").exists()
    assert "# The teacher's card" in (tmp_path / "student" / "TEACHER.md").read_text()


def test_weights_are_the_teachers_in_the_teachers_type(teacher: Path, tmp_path: Path) -> None:
    run(teacher, tmp_path / "student")
    theirs = load_file(teacher / "speech_lm.safetensors")
    ours = load_file(tmp_path / "student" / "speech_lm.safetensors")
    assert {tensor.dtype for tensor in ours.values()} == {torch.bfloat16}
    assert torch.equal(ours["head.bias"], theirs["head.bias"])
    name = "backbone.layers.0.mixer.q_proj.weight"
    assert torch.equal(ours[name], theirs[name])
    _, x, B, C, _ = ours["backbone.layers.1.mixer.in_proj.weight"].split([16, 8, 8, 16, 2])
    sources = [theirs[f"backbone.layers.1.mixer.{part}_proj.weight"] for part in "vkq"]
    assert all(torch.equal(*pair) for pair in zip((x, B, C), sources, strict=True))


def test_the_report_tells_each_layer_and_is_written_beside(teacher: Path, tmp_path: Path) -> None:
    report = run(teacher, tmp_path / "student")
    kept, new = report.layers[0], report.layers[1]
    assert (kept.kind, kept.new, kept.error) == ("attention", False, None)
    assert not kept.tensors["fresh"]
    assert (new.kind, new.new) == ("Mamba", True)
    assert "mixer.in_proj.weight[C]" in new.tensors["projected"]
    assert "mixer.A_log" in new.tensors["fresh"]
    assert "mlp.up_proj.weight" in new.tensors["copied"]
    assert "mixer.q_proj.bias" in new.tensors["unused"]
    assert new.error is not None
    assert 0 < new.error < 10
    assert new.error != new.cosine
    assert -1 <= new.cosine <= 1
    written = json.loads((tmp_path / "student" / REPORT).read_text())
    assert written["layers"][1]["error"] == new.error
    assert written["teacher"] == "toy-teacher"
    card = (tmp_path / "student" / "README.md").read_text()
    assert report.table() in card
    assert "not trained" in card


def test_layers_may_be_compared_on_a_single_id_each() -> None:
    assert Sample(rows=1, text_ids=1, speech_ids=1).rows == 1
    with pytest.raises(ConfigError, match="rows=0 must be at least 1"):
        Sample(rows=0)


def test_the_same_seed_gives_the_same_student(teacher: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(teacher, tmp_path / name, seed=7)
    files = [(tmp_path / name / "speech_lm.safetensors").read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]


def test_distances_are_zero_for_the_very_same_function(teacher: Path) -> None:
    """The measure itself: a mixer against a wrapped copy of itself, and against its double."""
    folder = ModelFolder(teacher)
    model, other = (open_language_model(folder) for _ in range(2))

    class Scaled(torch.nn.Module):
        def __init__(self, mixer: torch.nn.Module, scale: float) -> None:
            super().__init__()
            self.mixer, self.scale = mixer, scale

        def forward(self, hidden, positions, state=None):
            return self.scale * self.mixer(hidden, positions, state)

    for layer, scale in ((1, 1.0), (3, 2.0)):
        other.backbone.layers[layer].mixer = Scaled(other.backbone.layers[layer].mixer, scale)
    found = mixer_distances(model, other, Sample())
    assert found[1] == pytest.approx((0.0, 1.0), abs=1e-5)
    assert found[3] == pytest.approx((1.0, 1.0), abs=1e-5)
    assert set(found) == {1, 3}


def test_shared_parts_are_referred_to(teacher: Path, tmp_path: Path) -> None:
    run(teacher, tmp_path / "student", share_parts=True)
    student = tmp_path / "student"
    assert not (student / "vocoder.safetensors").exists()
    assert not (student / "voices").exists()
    folder = ModelFolder(student)
    assert folder.donor is not None
    assert folder.donor.folder == teacher.resolve()
    assert load(student).say("Hello.").audio.samples.size


def test_a_teacher_whose_parts_lie_elsewhere_is_copied_whole(teacher: Path, tmp_path: Path) -> None:
    light = tmp_path / "light"
    values = json.loads((teacher / "config.json").read_text())
    own = ModelConfig(name="light", parts_from=str(teacher), speech_lm=values["speech_lm"])
    write_config(light, own)
    shutil.copy2(teacher / "speech_lm.safetensors", light)
    for name, share in (("whole", False), ("shared", True)):
        run(light, tmp_path / name, share_parts=share)
        assert load(tmp_path / name).say("Hello.").audio.samples.size
    assert (tmp_path / "whole" / "vocoder.safetensors").exists()
    assert ModelFolder(tmp_path / "shared").donor.folder == teacher.resolve()


def test_an_interrupted_conversion_leaves_nothing(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_config", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(teacher, tmp_path / "student")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_is_refused_in_a_sentence(teacher: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("")
    with pytest.raises(ModelError, match="exists and is not empty"):
        run(teacher, tmp_path / "taken")
    with pytest.raises(LayoutError, match="teacher's own"):
        run(teacher, tmp_path / "student", "AAAA")
    run(teacher, tmp_path / "student", "AMAM")
    with pytest.raises(LayoutError, match="wants attention at layer 1"):
        run(tmp_path / "student", tmp_path / "again", "AAMM")
    deeper = run(tmp_path / "student", tmp_path / "again", "AMMM")
    assert [change.new for change in deeper.layers] == [False, False, True, False]


def test_a_student_may_mix_three_kinds_and_speaks(teacher: Path, tmp_path: Path) -> None:
    variants = [FORMS["G"]["open"], FORMS["M"]["open"]]
    report = run(teacher, tmp_path / "student", "AGMG", variants=variants)
    assert [change.kind for change in report.layers[1:3]] == ["Gated DeltaNet", "Mamba"]
    assert "mixer.in_proj.weight[q]" in report.layers[1].tensors["projected"]
    assert "mixer.beta_bias" in report.layers[1].tensors["fresh"]
    assert load(tmp_path / "student").say("Hello.").audio.samples.size
    card = (tmp_path / "student" / "README.md").read_text()
    assert "1 attention and 1 Mamba and 2 Gated DeltaNet layers" in card
    with pytest.raises(LayoutError, match=r"at layer 1, where the teacher .AGMG. has Gated"):
        run(tmp_path / "student", tmp_path / "again", "AMMG")
    with pytest.raises(ConfigError, match=r"has Gated DeltaNet layers already.*rotary=False, not"):
        run(tmp_path / "student", tmp_path / "b", "GGMG", variants=[GatedDeltaNetConfig()])
    run(tmp_path / "student", tmp_path / "b", "GGMG")


def test_mamba_layers_of_two_forms_are_refused(teacher: Path, tmp_path: Path) -> None:
    run(teacher, tmp_path / "student", "AMAM")
    with pytest.raises(ConfigError, match=r"has Mamba layers already.*activation=none, not silu"):
        run(tmp_path / "student", tmp_path / "a", "AMMM", variants=[MambaConfig(activation="none")])
    run(tmp_path / "student", tmp_path / "b", "AMMM", variants=[MambaConfig(decay_start="long")])
    assert ModelFolder(tmp_path / "b").config.name == "b"


@pytest.mark.parametrize(
    ("options", "layout"),
    [
        (("1:1", None, None), "AMAM"),
        (("1:3", "back", None), "MMMA"),
        ((None, None, "0, 3"), "AMMA"),
        (("1:1", None, "1,2"), "MAAM"),
        (("0:1", None, None), "MMMM"),
        ((None, None, None, "AMGM"), "AMGM"),
        (("1:1", None, None, None, "deltanet"), "AGAG"),
        ((None, None, "3", None, "g"), "GGGA"),
    ],
)
def test_options_give_a_layout(options: tuple[str | None, ...], layout: str) -> None:
    assert str(requested_layout(4, *options)) == layout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("1:2", None, None), "does not divide 4 layers"),
        (("1-1", None, None), "write attention:other"),
        (("1:1", "top", None), "placement 'top' is unknown"),
        ((None, "front", "0"), "give one of them"),
        (("1:1", None, "0"), "keeps 1 of 4 layers"),
        ((None, None, "0,x"), "are not numbers"),
        ((None, None, "9"), "attention layer 9 does not exist"),
        ((None, None, None), "no layout was given; say --ratio 1:1, --layers 0,2,5 or --layout"),
        ((None, None, None, "AXAM"), "'X' at layer 1; allowed are A .attention., M .Mamba., G"),
        (("1:1", None, None, "AMAM"), "--layout names every layer"),
    ],
)
def test_wrong_options_are_explained(options: tuple[str | None, ...], told: str) -> None:
    with pytest.raises(LayoutError, match=told):
        requested_layout(4, *options)


def test_an_unknown_mixer_is_refused() -> None:
    with pytest.raises(ConfigError, match="'rnn' is unknown; possible are M or mamba, G or delta"):
        requested_layout(4, "1:1", mixer="rnn")


def test_the_command_prints_the_table_or_one_line(
    teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(str(teacher), tmp_path / "a", "1:1")
    captured = capsys.readouterr()
    assert "Mamba, new" in captured.out
    assert "not trained yet" in captured.err
    command(str(teacher), tmp_path / "b", layers="0", as_json=True)
    assert json.loads(capsys.readouterr().out)["layout"] == "AMMM"


def test_every_value_of_a_mixer_can_be_chosen() -> None:
    backbone = BackboneConfig(layout="AA", mamba=MambaConfig(decay="group"))
    pairs = ["gate=open", "norm=false", "conv_width = 2", "norm_eps=1e-6", "rotary=yes"]
    assert requested_variants(backbone, Layout("AM"), None, pairs) == [
        MambaConfig(
            gate="open", norm=False, conv_width=2, norm_eps=1e-6, rotary=True, decay="group"
        )
    ]
    (deltanet,) = requested_variants(backbone, Layout("GA"), "open", ["beta_start=0.5"])
    assert deltanet == replace(FORMS["G"]["open"], beta_start=0.5)
    both = requested_variants(backbone, Layout("GM"), "parity", ["gate=none"])
    assert both == [GatedDeltaNetConfig(gate="none"), MambaConfig(gate="none")]


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ("gate=shut", "gate in the options is 'shut'; expected one of silu, open, none"),
        ("convwidth=2", "names no key; keys are heads, kv_heads, "),
        ("conv_width", "is not KEY=VALUE"),
        ("conv_width=two", "'two'; expected a whole number"),
        ("norm=perhaps", "expected true or false"),
        ("heads=-1", "must not be negative"),
    ],
)
def test_values_that_cannot_be_are_explained(pair: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        requested_variants(BackboneConfig(), Layout("AM"), None, [pair])


def test_the_command_takes_mamba_values_and_a_seed(teacher: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        command(
            str(teacher),
            tmp_path / name,
            "1:1",
            form="portable",
            values=["conv_width=2", "conv_start=random"],
            seed=seed,
        )
    weights = [load_file(tmp_path / name / "speech_lm.safetensors") for name in ("a", "b")]
    conv = "backbone.layers.1.mixer.conv1d.weight"
    assert weights[0][conv].shape[-1] == 2
    assert not torch.equal(weights[0][conv], weights[1][conv])
    config = ModelFolder(tmp_path / "a").section("speech_lm", SpeechLMConfig)
    assert (config.backbone.mamba.conv_width, config.backbone.mamba.gate) == (2, "open")
    with pytest.raises(ConfigError, match="'shut' of Mamba is unknown; possible are parity, open"):
        command(str(teacher), tmp_path / "c", "1:1", form="shut")
