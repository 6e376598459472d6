"""New mixers against the attention they replace: alignment, calibration, what learns."""

import pytest
import torch
from torch.testing import assert_close

from mamtra.backbone import BackboneConfig, MambaConfig, Stack
from mamtra.errors import ConfigError, LayoutError
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.transfer import freeze, make_student
from mamtra.transfer.align import alignment, layer_traces
from mamtra.transfer.calibrate import calibrate
from mamtra.transfer.forms import FORMS

SIZES = {"dim": 24, "query_heads": 6, "kv_heads": 2, "head_dim": 4, "mlp_dim": 32}
OPEN = MambaConfig(conv_start="identity", activation="none", input_bias=True, gate="open")


@pytest.fixture
def teacher() -> Stack:
    torch.manual_seed(1)
    return Stack(BackboneConfig(layout="AAAA", **SIZES)).requires_grad_(False)


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(3, 40, 24, generator=torch.Generator().manual_seed(2))


def whole(inputs: torch.Tensor) -> torch.Tensor:
    return torch.ones(inputs.shape[:2], dtype=torch.bool)


def test_traces_are_the_teachers_own_pass(teacher, inputs):
    *_, last = layer_traces(teacher, inputs, [0, 3])
    assert_close(teacher.norm(last.output), teacher(inputs))


@pytest.mark.parametrize("target", ["mixer", "hidden"])
@pytest.mark.parametrize("layout", ["AMAM", "AGAM"])
def test_only_replaced_layers_are_aligned_and_only_they_learn(teacher, inputs, target, layout):
    student, _ = make_student(teacher, layout)
    errors = alignment(teacher, student, inputs, whole(inputs), target)
    assert list(errors) == [1, 3]
    torch.stack([*errors.values()]).mean().backward()
    learned = {name for name, weight in student.named_parameters() if weight.grad is not None}
    assert {name.split(".")[1] for name in learned} == {"1", "3"}
    assert any(".mlp." in name for name in learned) == (target == "hidden")


def test_the_error_is_measured_on_the_teachers_inputs(teacher, inputs):
    student, _ = make_student(teacher, "AMAM")
    before = float(alignment(teacher, student, inputs, whole(inputs))[3].detach())
    with torch.no_grad():
        student.layers[1].mixer.out_proj.weight.mul_(7)
    assert float(alignment(teacher, student, inputs, whole(inputs))[3].detach()) == before


def test_padding_does_not_count(teacher, inputs):
    student, _ = make_student(teacher, "AMAM")
    real = whole(inputs)
    real[1, 30:] = False
    spoiled = inputs.clone()
    spoiled[1, 30:] = 5.0
    first = alignment(teacher, student, inputs, real)
    assert_close(alignment(teacher, student, spoiled, real), first)


def test_equal_mixers_have_no_error(teacher, inputs):
    student, _ = make_student(teacher, "MAAA")
    student.layers[0].mixer = teacher.layers[0].mixer
    assert float(alignment(teacher, student, inputs, whole(inputs))[0]) == 0.0


def test_aligning_the_same_layouts_or_other_lengths_is_refused(teacher, inputs):
    with pytest.raises(LayoutError, match="nothing to align"):
        alignment(teacher, teacher, inputs, whole(inputs))
    short = Stack(BackboneConfig(layout="AM", **SIZES))
    with pytest.raises(LayoutError, match="4 layers and the student 2"):
        alignment(teacher, short, inputs, whole(inputs))
    student, _ = make_student(teacher, "AMAM")
    with pytest.raises(ConfigError, match="mixer, hidden"):
        alignment(teacher, student, inputs, whole(inputs), "logits")


@pytest.mark.parametrize(
    ("kind", "variant"),
    [
        ("M", MambaConfig()),
        ("M", OPEN),
        ("M", MambaConfig(decay="group")),
        ("G", FORMS["G"]["parity"]),
        ("G", FORMS["G"]["open"]),
    ],
)
def test_calibration_solves_the_least_squares_problem(teacher, inputs, kind, variant):
    student, _ = make_student(teacher, f"{kind}AAA", variants=[variant])
    before = alignment(teacher, student, inputs, whole(inputs))[0]
    told = calibrate(teacher, student, [(inputs, whole(inputs))], ridge=0.0)
    after = alignment(teacher, student, inputs, whole(inputs))[0]
    assert after.item() == pytest.approx(told[0], rel=1e-3)
    assert after < min(before, 1.0)
    after.backward()
    assert student.layers[0].mixer.out_proj.weight.grad.abs().max() < 1e-3


@pytest.mark.parametrize("layout", ["MMMA", "GMMA"])
def test_a_later_layer_is_solved_on_what_the_student_itself_made(teacher, inputs, layout):
    """From the student's own hidden state its weight has no gradient towards the teacher's."""
    student, _ = make_student(teacher, layout, variants=[OPEN])
    calibrate(teacher, student, [(inputs, whole(inputs))], ridge=0.0)
    positions = teacher.positions_for(inputs)
    with torch.no_grad():
        own = student.blocks[1](student.blocks[0](inputs, positions), positions)
        theirs = teacher.blocks[1](teacher.blocks[0](inputs, positions), positions)
        target = theirs + teacher.blocks[2].mixer(
            teacher.blocks[2].input_layernorm(theirs), positions
        )
    assert (own - theirs).norm() > 0.05 * theirs.norm()
    block = student.blocks[2]
    got = own + block.mixer(block.input_layernorm(own), positions)
    (got - target).square().sum().div(target.square().sum()).backward()
    assert block.mixer.out_proj.weight.grad.abs().max() < 1e-6


def test_calibrated_layers_mend_what_earlier_ones_got_wrong(teacher, inputs):
    """Later layers aim at the teacher's hidden states from where the student really is."""
    student, _ = make_student(teacher, "MAMM", variants=[OPEN])
    calibrate(teacher, student, [(inputs, whole(inputs))])
    alone, _ = make_student(teacher, "MAMM", variants=[OPEN])
    for layer in (0, 2, 3):
        single, _ = make_student(
            teacher, "".join("M" if n == layer else "A" for n in range(4)), variants=[OPEN]
        )
        calibrate(teacher, single, [(inputs, whole(inputs))])
        alone.layers[layer].load_state_dict(single.layers[layer].state_dict())
    with torch.no_grad():
        wanted = teacher(inputs)
        drift, before = ((stack(inputs) - wanted).norm() for stack in (student, alone))
    assert drift < before


def test_calibration_adds_sequences_up_and_leaves_the_teacher_alone(teacher, inputs):
    kept = {name: value.clone() for name, value in teacher.state_dict().items()}
    students = [make_student(teacher, "AMAM")[0] for _ in range(2)]
    calibrate(teacher, students[0], [(inputs, whole(inputs))])
    calibrate(teacher, students[1], [(row[None], whole(row[None])) for row in inputs])
    assert_close(students[0].state_dict(), students[1].state_dict())
    assert_close(teacher.state_dict(), kept, atol=0, rtol=0)


def speech_lm(layout: str) -> SpeechLM:
    backbone = BackboneConfig(layout=layout, **SIZES)
    return SpeechLM(SpeechLMConfig(backbone=backbone, text_vocabulary=20, speech_vocabulary=9))


@pytest.mark.parametrize("layout", ["AM", "AG"])
def test_the_papers_policy_trains_mixers_speech_embedding_and_head(layout):
    model = speech_lm(layout)
    names = freeze.apply(model, "mamba")
    assert {name.split(".")[0] for name in names} == {"backbone", "speech_embedding", "head"}
    inside = [name for name in names if name.startswith("backbone")]
    assert all(name.startswith("backbone.layers.1.mixer.") for name in inside)
    assert names == [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert set(freeze.apply(model, "mixers")) == set(inside)
    assert len(freeze.apply(model, "all")) == len(list(model.parameters()))


def test_a_policy_that_is_unknown_or_trains_nothing_is_refused():
    with pytest.raises(ConfigError, match="all, mamba, mixers"):
        freeze.apply(speech_lm("AM"), "head")
    with pytest.raises(ConfigError, match="has none"):
        freeze.apply(speech_lm("AA"), "mixers")
