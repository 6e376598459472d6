"""The Mamba-2 mixer: sizes and variants first, then the layer."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from mamtra.errors import ConfigError

ConvStart = Literal["random", "identity"]
Activation = Literal["silu", "none"]
Gate = Literal["silu", "open", "none"]
Decay = Literal["head", "group"]
DecayStart = Literal["mamba", "long"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MambaConfig:
    """Variants of the Mamba mixer; the defaults are the paper's parity form.

    A size of 0 means "as in the attention layers" (``state_dim``: as the head width).
    """

    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    state_dim: int = 0
    conv_width: int = 4
    conv_start: ConvStart = "random"
    activation: Activation = "silu"
    input_bias: bool = False
    rotary: bool = False
    gate: Gate = "silu"
    norm: bool = True
    norm_eps: float = 1e-5
    decay: Decay = "head"
    decay_start: DecayStart = "mamba"

    def __post_init__(self) -> None:
        choices = {
            "conv_start": ConvStart,
            "activation": Activation,
            "gate": Gate,
            "decay": Decay,
            "decay_start": DecayStart,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in get_args(allowed):
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} is unknown; "
                    f"possible are {', '.join(get_args(allowed))}"
                )
        for name in ("heads", "kv_heads", "head_dim", "state_dim", "conv_width"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}={getattr(self, name)} must not be negative")
        if self.kv_heads and self.heads % self.kv_heads:
            raise ConfigError(f"heads={self.heads} is not a multiple of kv_heads={self.kv_heads}")
        if self.rotary and self.state_dim not in (0, self.head_dim):
            raise ConfigError(
                f"rotary needs state_dim={self.state_dim} to equal head_dim={self.head_dim}"
            )

    def filled(self, heads: int, kv_heads: int, head_dim: int) -> "MambaConfig":
        """The same with every size written out, taken from the attention layers where it is 0."""
        width = self.head_dim or head_dim
        return replace(
            self,
            heads=self.heads or heads,
            kv_heads=self.kv_heads or kv_heads,
            head_dim=width,
            state_dim=self.state_dim or width,
        )
