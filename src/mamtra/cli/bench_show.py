"""What ``mamtra bench`` shows: a row as a table, in a file, as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamtra.atomic import append_row
from mamtra.errors import CorpusError

PIPED_WIDTH = 110  # columns where no terminal says how wide it is


def show(
    row: Mapping[str, Any], output: Path | None, figure: Path | None = None, what: str = ""
) -> None:
    """Show the table, keep the row, draw it.

    Raises:
        CorpusError: the file cannot be written.
        ConfigError: the picture cannot be written.
    """
    from rich.console import Console

    from mamtra.benchmark.tables import bench_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    console.print(bench_table(row))
    written = [str(path) for path in (output, figure) if path is not None]
    if output is not None:
        append_row(output, row, CorpusError)
    if figure is not None:
        from mamtra.figures.draw import draw

        draw(dict(row), figure, what)
    if written:
        Console(stderr=True).print(f"written: {', '.join(written)}", soft_wrap=True)
