"""A picture with the rows it was drawn from beside it, as JSON."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from mamtra.atomic import write_json, written_beside
from mamtra.errors import ConfigError, require

EXTRA = "bench"  # matplotlib comes with it
INCHES = (7.0, 4.2)
PIXELS_PER_INCH = 140
KINDS = (".png", ".svg", ".pdf")

Grid = Literal["both", "x", "y", "none"]


def check_picture(picture: Path) -> None:
    """Make sure that a picture can be written, before any work is spent on it.

    Raises:
        ConfigError: unknown suffix, or no such folder.
    """
    if picture.suffix not in KINDS:
        raise ConfigError(f"cannot draw {str(picture)!r}; its suffix may be {', '.join(KINDS)}")
    if not picture.parent.is_dir():
        raise ConfigError(
            f"cannot draw {str(picture)!r}; there is no folder {str(picture.parent)!r}"
        )


def save_picture(
    picture: Path,
    paint: Callable[[Any], None],
    rows: Mapping[str, Any],
    *,
    inches: tuple[float, float] = INCHES,
    grid: Grid = "both",
    **panels: Any,
) -> None:
    """Let ``paint`` fill a picture; write it and ``rows``, beside and renamed.

    Args:
        picture: PNG, SVG or PDF.
        paint: is given the axes; an array of them where there are several panels.
        rows: what goes beside the picture.
        inches: width and height.
        grid: axes whose lines are drawn.
        panels: what matplotlib's ``subplots`` takes.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigError: the picture cannot be written.
    """
    check_picture(picture)
    require("matplotlib", EXTRA)
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    paint(figure.subplots(**panels))
    for axes in figure.axes:
        if grid != "none":
            axes.grid(alpha=0.3, axis=grid)
    with written_beside(picture, ConfigError) as beside:
        figure.savefig(beside, dpi=PIXELS_PER_INCH, format=picture.suffix[1:])
    write_json(picture.with_suffix(".json"), rows, indent=1, error=ConfigError)
