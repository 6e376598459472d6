"""What the student takes from its teacher."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from mamtra.backbone import BackboneConfig, MambaConfig, Stack
from mamtra.backbone.positions import positions_of
from mamtra.errors import CheckpointError, ConfigError, LayoutError
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.transfer import make_student
from mamtra.transfer.forms import FORMS, FROM_ATTENTION
from mamtra.transfer.projections import transfer

SIZES = {"dim": 24, "query_heads": 6, "kv_heads": 2, "head_dim": 4, "mlp_dim": 32}
LINEAR = MambaConfig(
    conv_width=0, activation="none", gate="none", norm=False, input_bias=True, decay_start="long"
)


@pytest.fixture
def teacher() -> Stack:
    torch.manual_seed(1)
    return Stack(BackboneConfig(layout="AAAA", **SIZES))


def test_each_projection_lands_on_its_rows(teacher):
    student, _ = make_student(teacher, "AMAM")
    attention, mamba = teacher.layers[1].mixer, student.layers[1].mixer
    _, x, B, C, _ = mamba.in_proj.weight.split([24, 8, 8, 24, 6])
    assert torch.equal(C, attention.q_proj.weight)
    assert torch.equal(B, attention.k_proj.weight)
    assert torch.equal(x, attention.v_proj.weight)
    assert torch.equal(mamba.out_proj.weight, attention.o_proj.weight)


def test_attention_layers_and_the_rest_are_copied(teacher):
    student, report = make_student(teacher, "AMAM")
    theirs, ours = teacher.state_dict(), student.state_dict()
    for name in report.named("copied"):
        assert torch.equal(ours[name], theirs[name])
    assert "layers.1.mlp.up_proj.weight" in report.named("copied")
    assert "layers.2.mixer.q_proj.bias" in report.named("copied")


def test_every_tensor_is_accounted_for_once(teacher):
    student, report = make_student(teacher, "AMMM")
    filled = [entry for entry in report.entries if entry.how != "unused"]
    assert len({entry.label for entry in filled}) == len(filled)
    sizes = {name: tensor.numel() for name, tensor in student.state_dict().items()}
    for entry in filled:
        sizes[entry.tensor] -= entry.parameters
    assert set(sizes.values()) == {0}
    sources = [source for entry in report.entries for source in entry.sources]
    assert sorted(sources + report.named("unused")) == sorted(teacher.state_dict())
    assert report.named("unused")[:3] == [f"layers.1.mixer.{x}_proj.bias" for x in "qkv"]
    assert "layers.1.mixer.conv1d.weight" in report.named("fresh")
    assert "layers.1.mixer.in_proj.weight[z]" in report.named("fresh")


def test_the_table_names_every_fate(teacher):
    _, report = make_student(teacher, "AMAM")
    table = report.table()
    for words in ("copied", "projected", "fresh", "unused", "layers.N.mixer.q_proj.weight"):
        assert words in table
    assert table.splitlines()[-1].startswith("parameters: copied")
    origins = {tuple(line.split()[:2]): line.split()[4:] for line in table.splitlines()[1:-1]}
    assert origins["copied", "layers.N.mixer.q_proj.weight"] == [], "its name says where it is from"
    name = "layers.N.mixer.in_proj.weight[C]"
    assert origins["projected", name] == ["layers.N.mixer.q_proj.weight"]


def test_carried_biases_use_every_tensor(teacher):
    _, report = make_student(teacher, "MMMM", variants=[MambaConfig(input_bias=True)])
    assert report.named("unused") == []


def test_a_start_from_attention_is_linear_attention(teacher):
    """Softmax gone, no decay, no gate: the student is queries, keys and values, unnormalised."""
    student, _ = make_student(teacher, "MAAA", variants=[LINEAR])
    mixer, attention = student.layers[0].mixer, teacher.layers[0].mixer
    hidden = torch.randn(2, 37, 24)
    with torch.no_grad():
        mixer.A_log.fill_(-60.0)
        mixer.D.zero_()
        mixer.in_proj.weight[-6:].zero_()
        q = attention.q_proj(hidden).unflatten(-1, (6, 4)).transpose(1, 2)
        k = attention.k_proj(hidden).unflatten(-1, (2, 4)).transpose(1, 2)
        v = attention.v_proj(hidden).unflatten(-1, (2, 4)).transpose(1, 2)
        scores = (q @ k.repeat_interleave(3, 1).mT).tril()
        expected = (scores @ v.repeat_interleave(3, 1)).transpose(1, 2).flatten(2)
        expected = attention.o_proj(expected)
        got = mixer(hidden, positions_of(hidden, 4, 1e6))
    assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_projections_land_on_the_rows_of_gated_deltanet(teacher):
    student, report = make_student(teacher, "AGAG", variants=[FORMS["G"]["open"]])
    attention, mixer = teacher.layers[1].mixer, student.layers[1].mixer
    for suffix in ("weight", "bias"):
        rows = getattr(mixer.in_proj, suffix)
        _, v, k, q, _, _ = rows.split([24, 8, 8, 24, 6, 6])
        for got, name in ((q, "q_proj"), (k, "k_proj"), (v, "v_proj")):
            assert torch.equal(got, getattr(getattr(attention, name), suffix))
    assert torch.equal(mixer.out_proj.weight, attention.o_proj.weight)
    assert report.named("unused") == []


def test_a_start_from_attention_is_the_delta_rule_on_its_projections(teacher):
    """Nothing fades and beta is one share: token by token, head by head, as the paper writes it."""
    open_form = replace(FORMS["G"]["open"], rotary=False, beta_start=0.25)
    student, _ = make_student(teacher, "GAAA", variants=[open_form])
    mixer, attention = student.layers[0].mixer, teacher.layers[0].mixer
    hidden = torch.randn(1, 9, 24)
    with torch.no_grad():
        mixer.A_log.fill_(-60.0)
        mixer.in_proj.weight[-12:].zero_()
        q, k, v = (
            getattr(attention, f"{name}_proj")(hidden)[0].unflatten(-1, (-1, 4)) for name in "qkv"
        )
        q, k = (torch.nn.functional.normalize(part, dim=-1) for part in (q, k))
        outputs = []
        for head in range(6):
            memory = torch.zeros(4, 4)
            for token in range(9):
                key, value = k[token, head // 3], v[token, head // 3]
                memory = memory + 0.25 * torch.outer(key, value - key @ memory)
                outputs.append(q[token, head] @ memory)
        y = torch.stack(outputs).view(6, 9, 4).transpose(0, 1)
        y = y * (y.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
        expected = attention.o_proj(y.flatten(1))
        got = mixer(hidden, positions_of(hidden, 4, 1e6))[0]
    assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_attention_cannot_become_what_no_table_knows(teacher, monkeypatch):
    monkeypatch.delitem(FROM_ATTENTION, "G")
    with pytest.raises(ConfigError, match=r"cannot become G .Gated DeltaNet.; possible are M"):
        make_student(teacher, "AGAG")


def test_unshared_groups_repeat_keys_and_values(teacher):
    student, _ = make_student(teacher, "MAAA", variants=[MambaConfig(kv_heads=6)])
    _, x, B, _, _ = student.layers[0].mixer.in_proj.weight.split([24, 24, 24, 24, 6])
    values = teacher.layers[0].mixer.v_proj.weight
    assert torch.equal(x[0:4], values[0:4])
    assert torch.equal(x[8:12], values[0:4])
    assert torch.equal(x[12:16], values[4:8])
    assert B.shape == (24, 24)


def test_a_speech_lm_keeps_its_embeddings_and_head():
    config = SpeechLMConfig(
        backbone=BackboneConfig(layout="AA", **SIZES), text_vocabulary=20, speech_vocabulary=9
    )
    teacher = SpeechLM(config)
    student, report = make_student(teacher, "AM")
    assert isinstance(student, SpeechLM)
    assert student.config.backbone.layout == "AM"
    assert torch.equal(student.head.bias, teacher.head.bias)
    assert torch.equal(student.text_embedding.weight, teacher.text_embedding.weight)
    assert "backbone.layers.1.mixer.in_proj.weight[C]" in report.named("projected")


@pytest.mark.parametrize("start", ["xavier", "kaiming"])
def test_random_mixers_leave_the_rest_copied(teacher, start):
    student, report = make_student(teacher, "AMAM", start=start)
    assert report.named("projected") == []
    assert "layers.1.mixer.out_proj.weight" in report.named("fresh")
    assert torch.equal(student.layers[1].mlp.up_proj.weight, teacher.layers[1].mlp.up_proj.weight)


@pytest.mark.parametrize(("start", "bound"), [("xavier", 3**0.5), ("kaiming", 6**0.5)])
def test_projections_that_are_drawn_anew_are_drawn_as_asked(teacher, start, bound):
    student, _ = make_student(teacher, "AMAM", start=start)
    weight = student.layers[1].mixer.out_proj.weight
    assert weight.shape[0] == weight.shape[1]
    largest = float(weight.detach().abs().max()) * weight.shape[1] ** 0.5
    assert 0.9 * bound < largest <= bound * (1 + 1e-6)  # PyTorch's own layers end at 1


def test_a_random_student_copies_nothing_and_follows_its_seed(teacher):
    first, report = make_student(teacher, "AMAM", start="random", seed=3)
    again, _ = make_student(teacher, "AMAM", start="random", seed=3)
    other, _ = make_student(teacher, "AMAM", start="random", seed=4)
    assert report.named("copied") == []
    assert torch.equal(first.norm.weight, again.norm.weight)
    rows = [model.layers[1].mixer.in_proj.weight for model in (first, again, other)]
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


def test_making_a_student_leaves_the_random_state_alone(teacher):
    before = torch.get_rng_state()
    make_student(teacher, "AMAM")
    assert torch.equal(before, torch.get_rng_state())


def test_wrong_requests_say_what_is_possible(teacher):
    with pytest.raises(LayoutError, match="has 2 layers and the teacher 4"):
        make_student(teacher, "AM")
    with pytest.raises(ConfigError, match="possible are attention, xavier, kaiming, random"):
        make_student(teacher, "AMAM", start="qkv")
    with pytest.raises(ConfigError, match="needs state_dim=4"):
        make_student(teacher, "AMAM", variants=[MambaConfig(state_dim=8)])
    with pytest.raises(ConfigError, match="not a multiple of the teacher's 2"):
        make_student(teacher, "AMAM", variants=[MambaConfig(kv_heads=3)])
    hybrid, _ = make_student(teacher, "AMAM")
    with pytest.raises(LayoutError, match="wants attention at layer 1"):
        make_student(hybrid, "AAAM")


def test_another_shape_is_an_error(teacher):
    tensors = teacher.state_dict()
    with pytest.raises(CheckpointError, match=r"norm\.weight has shape \(24,\)"):
        transfer(tensors, {"norm.weight": torch.ones(5)}, teacher.config)
