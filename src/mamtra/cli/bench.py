"""``mamtra bench``: what speaking costs, as rows that can be compared and repeated.

Each measurement has a file of its own beside this one.
"""

import typer

from mamtra.cli.bench_chain import bench_chain
from mamtra.cli.bench_compare import bench_compare
from mamtra.cli.bench_long import bench_long
from mamtra.cli.bench_memory import bench_memory
from mamtra.cli.bench_say import bench_say
from mamtra.cli.bench_speed import bench_speed
from mamtra.cli.bench_stream import bench_stream

app = typer.Typer(help="Measure what speaking costs.", no_args_is_help=True)


@app.callback()
def describe() -> None:
    """Measure what speaking costs."""


app.command("say")(bench_say)
app.command("chain")(bench_chain)
app.command("speed")(bench_speed)
app.command("memory")(bench_memory)
app.command("compare")(bench_compare)
app.command("long")(bench_long)
app.command("stream")(bench_stream)
