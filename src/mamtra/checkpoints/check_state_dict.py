"""Whether tensors and a module fit: every tensor is used, every weight is filled, shapes agree."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from mamtra.errors import CheckpointError, listed

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)

Shapes = Mapping[str, tuple[int, ...]]
Module = TypeVar("Module", bound=nn.Module)


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def check_fit(given: Shapes, expected: Shapes, complaint: str) -> None:
    """Refuse tensors that are not those of a module.

    Args:
        given: shapes of the tensors.
        expected: shapes of the module's weights.
        complaint: what does not fit; the names follow.

    Raises:
        CheckpointError: names or shapes differ; all such are listed.
    """
    shapes = [
        f"{name} {given[name]} instead of {expected[name]}"
        for name in sorted(set(given) & set(expected))
        if given[name] != expected[name]
    ]
    problems = {
        "not used": sorted(set(given) - set(expected)),
        "missing": sorted(set(expected) - set(given)),
        "of another shape": shapes,
    }
    lists = [f"{what}: {listed(names)}" for what, names in problems.items() if names]
    if lists:
        raise CheckpointError(f"{complaint}; {'; '.join(lists)}")


def check_floats(tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that are no floats, such as quantised ones.

    Raises:
        CheckpointError: they are listed.
    """
    wrong = [
        f"{name} is {tensor.dtype}"
        for name, tensor in sorted(tensors.items())
        if tensor.dtype not in FLOATS
    ]
    if wrong:
        kinds = ", ".join(str(kind).removeprefix("torch.") for kind in FLOATS)
        raise CheckpointError(
            f"weights must be {kinds}, quantised ones are not read: {listed(wrong)}"
        )


def built_around(
    build: Callable[[], Module],
    tensors: Mapping[str, Tensor],
    complaint: str = "the checkpoint does not fit",
) -> Module:
    """A module whose weights are these tensors themselves, without copying them.

    Raises:
        CheckpointError: a tensor is unknown, missing or of another shape or type; all such are
            listed.
    """
    with torch.device("meta"):
        module = build()
    expected = module.state_dict()
    check_fit(shapes_of(tensors), shapes_of(expected), complaint)
    check_floats({name: tensors[name] for name in expected if expected[name].is_floating_point()})
    module.load_state_dict(tensors, assign=True)
    return module.eval().requires_grad_(False)
