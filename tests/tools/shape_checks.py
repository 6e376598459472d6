"""Checks the shapes and types of a function's first calls in each test.

jaxtyping hands every function of the package to ``first_calls`` as it is imported (addopts in
pyproject.toml). A check takes longer than what small functions do, and a loop asks for the same
shapes again and again; so after ``CALLS`` calls a function runs unchecked to the end of its test.
What cannot be found by its name, such as a function within another, is checked always.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache, cached_property, wraps
from typing import Any

from beartype import beartype

CALLS = 40  # of parameters and of results, which jaxtyping checks apart: twenty of a function's own
UNCHECKED = "__no_type_check__"  # what typing.no_type_check sets, and jaxtyping asks for at a call

counted: Counter[str] = Counter()
released: list[Callable[..., Any]] = []


def first_calls(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let beartype check a function, until it was called ``CALLS`` times in a test."""
    name = f"{function.__module__}:{function.__qualname__}"
    # made at the first call: most functions are never called by most tests
    checked = cache(lambda: beartype(function))

    @wraps(function)
    def counting(*args: Any, **kwargs: Any) -> Any:
        counted[name] += 1
        if counted[name] == CALLS:
            release(function.__module__, function.__qualname__)
        return checked()(*args, **kwargs)

    return counting


def release(module: str, qualified: str) -> None:
    """Leave a function unchecked, where its name leads to it."""
    found: Any = sys.modules.get(module)
    for part in qualified.split("."):
        found = inspect.getattr_static(found, part, None)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    while inspect.isfunction(found):
        setattr(found, UNCHECKED, True)
        released.append(found)
        found = getattr(found, "__wrapped__", None)


def check_again() -> None:
    """Begin to count anew, at the start of a test."""
    for function in released:
        delattr(function, UNCHECKED)
    released.clear()
    counted.clear()
