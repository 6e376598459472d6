"""Named forms of the Mamba layers that replace attention, so that a command line can ask for one.

    parity     the paper's: SiLU after a random convolution, a random gate, no biases, no positions
    open       ours: what can begin as "do nothing" does (convolution, gate), biases are carried, B
               and C turn with their position as keys and queries did
    portable   as open, but only with what stock Granite can express, so that it can be exported

What each piece is worth is measured in docs/reproduce.md (``mamtra lab starts``).
"""

from mamtra.backbone.mixers.mamba import MambaConfig
from mamtra.errors import ConfigError

FORMS = {
    "parity": MambaConfig(),
    "open": MambaConfig(
        conv_start="identity", activation="none", input_bias=True, rotary=True, gate="open"
    ),
    "portable": MambaConfig(conv_start="identity", input_bias=True, gate="open"),
}


def form_named(name: str) -> MambaConfig:
    """The form of a name.

    Raises:
        ConfigError: there is no such form.
    """
    if name not in FORMS:
        raise ConfigError(f"form {name!r} is unknown; possible are {', '.join(FORMS)}")
    return FORMS[name]
