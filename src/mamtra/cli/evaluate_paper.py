"""``mamtra evaluate paper``: the paper's tables with our cells beside its numbers."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate_paper(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Model to count; else cosyvoice2 and nano; repeatable."),
    ] = None,
    repository: Annotated[
        Path, typer.Option("--repository", help="Folder with benchmarks/results and docs/pictures.")
    ] = Path(),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for paper.md and paper.tex.")
    ] = None,
) -> None:
    """Print the paper's Tables 2 to 4 and Figures 3 to 6, with ours from arithmetic or kept rows.

    mamtra evaluate paper -o out

    A cell that nobody measured here says which command would.
    """
    from rich.console import Console

    from mamtra.atomic import write_file
    from mamtra.errors import CorpusError
    from mamtra.figures.paper import paper_tables
    from mamtra.sizing.sizes import model_sizes

    grids = paper_tables(
        [model_sizes(name) for name in model or ("cosyvoice2", "nano")], repository
    )
    console = Console()
    for grid in grids:
        console.print(grid.terminal())
        console.print()
    if output is not None:
        text = "\n".join(grid.markdown() for grid in grids)
        write_file(output / "paper.md", text, error=CorpusError)
        write_file(output / "paper.tex", "\n".join(grid.latex() for grid in grids), CorpusError)
        Console(stderr=True).print(f"written: {output / 'paper.md'}, paper.tex", soft_wrap=True)
