"""Modules without their random start, for weights that come from a file.

A module draws random weights when it is built; for a model that is then filled from disk that is
time and memory for nothing. Inside ``skip_init`` the drawing is skipped: memory is reserved in its
final type and place, and no page of it is touched before the weights come.

PyTorch's own way (the device "meta") imports its compiler, three to four seconds that a person who
wants to hear one sentence would wait for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mamtra.errors import ConfigError, MamtraError

DRAWING = "torch.nn.init"


class Undrawn(TorchFunctionMode):
    """Every function of ``torch.nn.init`` gives back its tensor as it is."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by PyTorch in place of each of its functions."""
        named = dict(kwargs or {})
        if getattr(func, "__module__", None) == DRAWING:
            return named["tensor"] if "tensor" in named else args[0]
        return func(*args, **named)


@contextmanager
def skip_init(
    device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> Iterator[None]:
    """Build modules whose weights hold nothing yet; every one of them has to be filled.

    Raises:
        ConfigError: PyTorch cannot build modules of these sizes.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), Undrawn():
            yield
    except MamtraError:
        raise
    except (RuntimeError, ValueError, TypeError, ArithmeticError) as problem:
        raise ConfigError(f"no model can be built with the sizes in its config: {problem}") from (
            problem
        )
    finally:
        torch.set_default_dtype(before)
