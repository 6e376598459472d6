"""Which weights of a student learn: by name, one policy for each way it is done.

The published set-up trains the new mixers, the speech embedding and the head and keeps the rest of
the teacher as it was ("mamba"). Other work trains everything ("all").
"""

from collections.abc import Iterator

from torch import nn

from mamtra.backbone.block import Block
from mamtra.backbone.mixers.attention import Attention
from mamtra.errors import ConfigError

POLICIES = {
    "all": "every weight learns",
    "mamba": "the recurrent mixers, the speech embedding and the head learn (the paper's set-up)",
    "mixers": "only the recurrent mixers learn",
}
BESIDE_MIXERS = ("speech_embedding.", "head.")


def recurrent_weights(model: nn.Module) -> Iterator[str]:
    """Names of all weights inside mixers that are not attention."""
    for path, module in model.named_modules():
        if isinstance(module, Block) and not isinstance(module.mixer, Attention):
            inside = (name for name, _ in module.named_parameters() if name.startswith("mixer."))
            yield from (f"{path}.{name}" for name in inside)


def apply(model: nn.Module, policy: str) -> list[str]:
    """Let the weights that a policy names learn, and no other.

    Args:
        model: a student; its ``requires_grad`` flags are set.
        policy: one of ``POLICIES``.

    Returns:
        Names of the weights that learn.

    Raises:
        ConfigError: the policy is unknown, or leaves nothing to learn.
    """
    if policy not in POLICIES:
        raise ConfigError(f"freeze={policy!r} is unknown; possible are {', '.join(POLICIES)}")
    mixers, chosen = set(recurrent_weights(model)), []
    for name, weight in model.named_parameters():
        learns = policy == "all" or name in mixers
        if policy == "mamba":
            learns = learns or name.startswith(BESIDE_MIXERS)
        weight.requires_grad_(learns)
        if learns:
            chosen.append(name)
    if policy != "all" and not mixers:
        raise ConfigError(f"freeze={policy!r} trains recurrent mixers, and this model has none")
    return chosen
