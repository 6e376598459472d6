"""A picture with the rows it was drawn from beside it, as JSON."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
    beside = picture.with_suffix(".json")
    partial = picture.with_name(f".partial{picture.suffix}"), beside.with_name(".partial.json")
    try:
        figure.savefig(partial[0], dpi=PIXELS_PER_INCH)
        partial[1].write_text(json.dumps(rows, indent=1) + "\n")
        os.replace(partial[0], picture)
        os.replace(partial[1], beside)
    except OSError as problem:
        raise ConfigError(f"cannot write {str(picture)!r}: {problem}") from problem
    finally:
        pyplot.close(figure)
        for path in partial:
            path.unlink(missing_ok=True)
