"""The hybrid backbone: attention and Mamba layers, their memories, the layout that orders them."""

from mamtra.backbone.layout import Layout
from mamtra.backbone.mixers.mamba import MambaConfig
from mamtra.backbone.stack import BackboneConfig, Stack, as_config
from mamtra.backbone.state import KeyValueState, ScanState, StackState

__all__ = [
    "BackboneConfig",
    "KeyValueState",
    "Layout",
    "MambaConfig",
    "ScanState",
    "Stack",
    "StackState",
    "as_config",
]
