"""The named forms of Mamba layers."""

from dataclasses import replace

import pytest

from mamtra.backbone import BackboneConfig, MambaConfig
from mamtra.errors import ConfigError
from mamtra.interop.export import obstacles
from mamtra.transfer.forms import FORMS, form_named

SIZES = BackboneConfig(dim=32, layout="AM", query_heads=4, kv_heads=2, head_dim=8, mlp_dim=48)


def test_parity_is_the_default_form():
    assert form_named("parity") == MambaConfig()


def test_the_portable_form_can_be_exported_and_the_open_one_says_why_not():
    assert obstacles(replace(SIZES, mamba=FORMS["portable"])) == []
    assert len(obstacles(replace(SIZES, mamba=FORMS["open"]))) == 2


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match="parity, open, portable"):
        form_named("closed")
