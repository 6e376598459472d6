"""What a run reports: JSON lines always; on standard error a bar, or a line a report where there is
no terminal; TensorBoard if asked for.
"""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mamtra.errors import require
from mamtra.training.workers import rank

DIGITS = 6  # significant ones of a number in the log


def significant(value: float | int) -> float | int:
    """A number with as many digits as mean something, however small it is."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def tensorboard_writer(folder: Path, step: int) -> Any:
    """Writes scalars for TensorBoard; what an earlier run wrote behind ``step`` is hidden.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """
    require("tensorboard", "train")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)


class Log:
    """One JSON line a report, on disk and on standard error.

    Args:
        path: of the JSON lines.
        done: steps that are finished already.
        steps: of the whole run.
        tensorboard: write for TensorBoard as well, beside ``path``.
    """

    def __init__(self, path: Path, done: int, steps: int, tensorboard: bool = False) -> None:
        self.board = tensorboard_writer(path.parent, done) if tensorboard else None
        self.file = path.open("a")
        self.steps = steps
        terminal = Console(stderr=True).is_terminal
        self.lines = rank() == 0 and not terminal
        self.progress = Progress(
            TextColumn(path.parent.name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=Console(stderr=True),
            disable=rank() > 0 or not terminal,
        )
        self.task = self.progress.add_task("train", total=steps, completed=done, loss="")

    def write(self, row: dict[str, float | int]) -> None:
        """Append one line."""
        row = {name: significant(value) for name, value in row.items()}
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()
        if self.lines:
            values = (f"{name} {value:.4g}" for name, value in row.items() if name != "step")
            print(f"step {row['step']} of {self.steps}: {', '.join(values)}", file=sys.stderr)
        if self.board is not None:
            for name, value in row.items():
                if name != "step":
                    self.board.add_scalar(name, value, row["step"])

    def advance(self, done: int, loss: float | None = None) -> None:
        """Move the bar; the loss is shown where it is known."""
        if loss is None:
            self.progress.update(self.task, completed=done)
        else:
            self.progress.update(self.task, completed=done, loss=f"loss {loss:.4f}")

    def __enter__(self) -> "Log":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
        self.file.close()
        if self.board is not None:
            self.board.close()
