"""The named forms of Mamba layers."""

from dataclasses import replace

import pytest

from mamtra.backbone import BackboneConfig, GatedDeltaNetConfig, MambaConfig
from mamtra.errors import ConfigError
from mamtra.interop.export import obstacles
from mamtra.transfer.forms import FORMS, form_named

SIZES = BackboneConfig(dim=32, layout="AM", query_heads=4, kv_heads=2, head_dim=8, mlp_dim=48)


def test_parity_is_the_default_form():
    assert form_named("parity") == MambaConfig()
    assert form_named("parity", "G") == GatedDeltaNetConfig()


def test_the_portable_form_can_be_exported_and_the_open_one_says_why_not():
    assert obstacles(replace(SIZES, mamba=FORMS["M"]["portable"])) == []
    assert len(obstacles(replace(SIZES, mamba=FORMS["M"]["open"]))) == 2


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match="parity, open, portable"):
        form_named("closed")
    with pytest.raises(ConfigError, match="'portable' of Gated DeltaNet is unknown"):
        form_named("portable", "G")


def test_gated_deltanet_cannot_be_exported_to_granite_and_says_so():
    (reason,) = obstacles(replace(SIZES, layout="AG"))
    assert reason == "G (Gated DeltaNet) layers (Granite has attention and Mamba)"
