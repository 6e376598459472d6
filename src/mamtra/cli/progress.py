"""A bar of progress on standard error."""

import sys
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def tracked(
    items: Iterable[Item], total: int, doing: str = "measuring", *, quiet: bool = False
) -> Iterable[Item]:
    """The same items, with a bar if somebody watches; ``quiet`` is for those who asked for none."""
    if quiet or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, doing, total, console=Console(stderr=True), transient=True)
