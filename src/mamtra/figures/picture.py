"""A picture with the rows it was drawn from beside it, as JSON."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mamtra.atomic import write_json, written_beside
from mamtra.errors import ConfigError, require

EXTRA = "bench"  # matplotlib comes with it
INCHES = (7.0, 4.2)
PIXELS_PER_INCH = 140
KINDS = (".png", ".svg", ".pdf")


def save_picture(picture: Path, paint: Callable[[Any], None], rows: Mapping[str, Any]) -> None:
    """Let ``paint`` fill a pair of axes; write the picture and ``rows``, beside and renamed.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigError: the suffix is unknown, or the place cannot be written.
    """
    if picture.suffix not in KINDS:
        raise ConfigError(f"cannot draw {str(picture)!r}; its suffix may be {', '.join(KINDS)}")
    pyplot = require("matplotlib.pyplot", EXTRA)
    figure, axes = pyplot.subplots(figsize=INCHES, layout="constrained")
    paint(axes)
    axes.grid(alpha=0.3)
    try:
        with written_beside(picture, ConfigError) as beside:
            figure.savefig(beside, dpi=PIXELS_PER_INCH, format=picture.suffix[1:])
        write_json(picture.with_suffix(".json"), rows, indent=1, error=ConfigError)
    finally:
        pyplot.close(figure)
