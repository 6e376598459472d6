"""A picture of a ranking of layers: what is lost without each one's attention."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamtra.figures.picture import save_picture

INCHES = (7.0, 3.6)
UNITS = {"ce": "cross entropy, nats a token", "wer": "word errors, %", "cosine": "1 - cosine"}


def draw_ranking(ranking: Mapping[str, Any], layout: str, picture: Path) -> None:
    """Draw the measure without each layer, and the whole model's as a line.

    Args:
        ranking: as its file holds it.
        layout: the layers that stay attention are drawn dark.
        picture: PNG, SVG or PDF; the rows go beside it as JSON.
    """
    values = [ranking["layers"][str(layer)] for layer in range(len(layout))]
    shades = ["C0" if kind == "A" else "lightsteelblue" for kind in layout]

    def paint(axes: Any) -> None:
        """A bar for each layer."""
        axes.bar(range(len(layout)), values, color=shades)
        if ranking["by"] != "cosine":
            axes.axhline(ranking["whole"], linestyle="--", color="gray", label="whole model")
            axes.legend()
        axes.set_xlabel(f"layer whose attention is replaced by {ranking['instead']} (dark: stays)")
        axes.set_ylabel(UNITS[ranking["by"]])
        axes.set_xticks(range(len(layout)))

    save_picture(picture, paint, {**ranking, "layout": layout}, inches=INCHES, grid="y")
