"""The hybrid backbone: mixers over time, their memories, the layout that orders them."""

from mamtra.backbone.config import BackboneConfig
from mamtra.backbone.layout import Layout
from mamtra.backbone.mixers.gated_deltanet import GatedDeltaNetConfig
from mamtra.backbone.mixers.mamba import MambaConfig
from mamtra.backbone.mixers.mixer import Mixer, State
from mamtra.backbone.stack import Stack
from mamtra.backbone.state import KeyValueState, ScanState, StackState

__all__ = [
    "BackboneConfig",
    "GatedDeltaNetConfig",
    "KeyValueState",
    "Layout",
    "MambaConfig",
    "Mixer",
    "ScanState",
    "Stack",
    "StackState",
    "State",
]
