"""The teacher with layers taken out."""

import pytest
import torch
from torch.testing import assert_close

from mamtra.backbone import BackboneConfig, Stack
from mamtra.errors import LayoutError
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.transfer.removal import keep_layers

SIZES = {"dim": 24, "query_heads": 6, "kv_heads": 2, "head_dim": 4, "mlp_dim": 32}


def test_a_shorter_model_is_the_kept_layers_in_their_order():
    torch.manual_seed(1)
    teacher = Stack(BackboneConfig(layout="AAMA", **SIZES))
    shorter, report = keep_layers(teacher, [3, 0, 2])
    assert shorter.config.layout == "AMA"
    hidden = torch.randn(2, 9, 24)
    expected, positions = hidden, teacher.positions_for(hidden)
    for layer in (0, 2, 3):
        expected = teacher.blocks[layer](expected, positions)
    assert_close(shorter(hidden), teacher.norm(expected))
    assert all(name.startswith("layers.1.") for name in report.named("unused"))
    assert len(report.named("copied")) == len(shorter.state_dict())


def test_a_speech_lm_keeps_its_tables():
    backbone = BackboneConfig(layout="AAA", **SIZES)
    config = SpeechLMConfig(backbone=backbone, text_vocabulary=20, speech_vocabulary=9)
    teacher = SpeechLM(config)
    shorter, _ = keep_layers(teacher, [1])
    assert shorter.config.backbone.layers == 1
    assert torch.equal(shorter.head.weight, teacher.head.weight)
    assert torch.equal(
        shorter.backbone.layers[0].mlp.up_proj.weight, teacher.backbone.layers[1].mlp.up_proj.weight
    )


@pytest.mark.parametrize(
    ("kept", "named"),
    [([], "no layer"), ([3], "layer 3"), ([-1, 0], "layer -1"), ([9, 7, 0], "layer 7")],
)
def test_layers_that_do_not_exist_are_refused_by_the_first_of_them(kept, named):
    teacher = Stack(BackboneConfig(layout="AAA", **SIZES))
    with pytest.raises(LayoutError, match=f"^{named} .*0 to 2"):
        keep_layers(teacher, kept)
