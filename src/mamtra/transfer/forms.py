"""How each kind of mixer starts from the attention it replaces: projections, and named forms.

Without its softmax, attention is a linear recurrence: the key writes the value into a state and the
query reads it. Recurrent mixers do the same under other names, so ``FROM_ATTENTION`` says which
section of their input projection starts as which of attention's projections.

A form is a variant of a mixer under a name that a command line can ask for:

    parity     as published: SiLU after a random convolution, a random gate, no biases, no positions
    open       ours: what can begin as "do nothing" does (convolution, gate), biases are carried,
               reads and writes rotate with their position as queries and keys did
    portable   as open, but only with what stock Granite can express, so that it can become one

What each piece is worth is measured in docs/reproduce.md (``mamtra lab starts``).
"""

from mamtra.backbone import GatedDeltaNetConfig, MambaConfig
from mamtra.backbone.config import KINDS
from mamtra.backbone.mixers.variant import Variant
from mamtra.errors import ConfigError

# by kind, our section of in_proj (or out_proj) and the projection of attention that it starts as
FROM_ATTENTION: dict[str, dict[str, str]] = {
    "M": {"C": "q_proj", "B": "k_proj", "x": "v_proj", "out_proj": "o_proj"},
    "G": {"q": "q_proj", "k": "k_proj", "v": "v_proj", "out_proj": "o_proj"},
}

OPEN_MAMBA = MambaConfig(
    conv_start="identity", activation="none", input_bias=True, rotary=True, gate="open"
)
PORTABLE_MAMBA = MambaConfig(conv_start="identity", input_bias=True, gate="open")

FORMS: dict[str, dict[str, Variant]] = {
    "M": {
        "parity": MambaConfig(),
        "open": OPEN_MAMBA,
        "portable": PORTABLE_MAMBA,
    },
    "G": {
        "parity": GatedDeltaNetConfig(),
        "open": GatedDeltaNetConfig(
            conv_start="identity", activation="none", input_bias=True, rotary=True, gate="open"
        ),
    },
}


def form_named(name: str, kind: str = "M") -> Variant:
    """The form of a name for a kind of mixer.

    Raises:
        ConfigError: there is no such form.
    """
    if name not in FORMS[kind]:
        raise ConfigError(
            f"form {name!r} of {KINDS[kind].name} is unknown; possible are {', '.join(FORMS[kind])}"
        )
    return FORMS[kind][name]
