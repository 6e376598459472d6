"""Options that several commands have, each said once."""

from typing import Annotated

import typer

STANDARD = "-"  # in place of a text or a path: standard input, standard output

Model = Annotated[str, typer.Option("--model", help="A built-in model or a folder.")]
Voice = Annotated[str | None, typer.Option("--voice", help="A voice of the model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Report as one JSON line.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Random seed; another seed is another take.")
]
FlowContext = Annotated[
    int, typer.Option("--flow-context", min=0, help="Seconds that a decoder's flow remembers.")
]
Device = Annotated[str, typer.Option("--device", help="cpu or cuda.")]
Threads = Annotated[
    int, typer.Option("--threads", min=0, help="CPU threads; 0 decides by the model's size.")
]
Proofread = Annotated[
    bool,
    typer.Option(
        "--proofread/--no-proofread",
        help="Draw speech ids anew that say their text badly; streams begin later by that.",
    ),
]
Mark = Annotated[
    bool, typer.Option("--mark/--no-mark", help="Say in sound files that speech is artificial.")
]
