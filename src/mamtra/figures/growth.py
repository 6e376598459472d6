"""How the memory of one stream grows with its length, for every ratio: numbers and a picture.

The paper's figure 5, with two differences: keys and values grow in the steps in which they really
do, and scan states count as the float32 that they are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mamtra.backbone.config import ATTENTION
from mamtra.errors import ConfigError, LayoutError
from mamtra.figures.picture import save_picture
from mamtra.sizing.inference_bytes import break_even_tokens, paper_break_even_tokens, state_bytes
from mamtra.sizing.sizes import ModelSizes, shaped

RATIOS = ("1:0", "1:1", "1:3", "1:5", "1:11", "1:5-grouped")
LONGEST_TOKENS = 4096
STEP_TOKENS = 64
MEBIBYTE = 2**20


def growth_rows(
    sizes: ModelSizes, dtype: str, shapes: Sequence[str] = RATIOS, longest: int = LONGEST_TOKENS
) -> dict[str, Any]:
    """State bytes of one stream at every length, by shape; a shape that does not fit is left out.

    Raises:
        ConfigError: no shape fits the model's layers.
    """
    lengths = range(STEP_TOKENS, longest + 1, STEP_TOKENS)
    curves = {}
    for shape in shapes:
        try:
            backbone = shaped(sizes, shape).backbone
        except LayoutError:
            continue
        curves[shape] = {
            "layout": backbone.layout,
            "break_even_tokens": break_even_tokens(backbone, dtype),
            "paper_break_even_tokens": paper_break_even_tokens(backbone),
            "bytes": [state_bytes(backbone, tokens, 1, dtype).total for tokens in lengths],
        }
    if not curves:
        raise ConfigError(f"none of {', '.join(shapes)} fits the {sizes.backbone.layers} layers")
    return {"model": sizes.name, "dtype": dtype, "tokens": list(lengths), "curves": curves}


def draw_growth(rows: dict[str, Any], picture: Path) -> None:
    """Draw the curves and the break-even points; the rows go beside the picture as JSON.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigError: the picture cannot be written.
    """

    def paint(axes: Any) -> None:
        """Lines for the shapes, one upright line for each break-even point."""
        for shape, curve in rows["curves"].items():
            held = [count / MEBIBYTE for count in curve["bytes"]]
            axes.plot(rows["tokens"], held, drawstyle="steps-pre", label=shape)
        points = {
            curve["break_even_tokens"]
            for shape, curve in rows["curves"].items()
            if set(curve["layout"]) != {ATTENTION}
        }
        for tokens in sorted(points):
            axes.axvline(tokens, linestyle=":", color="gray")
            place = (tokens, 0.98)
            note = f"break-even {tokens} "
            sides = {"rotation": 90, "ha": "right", "va": "top", "color": "gray"}
            axes.annotate(note, place, xycoords=("data", "axes fraction"), **sides)
        axes.set_xlabel("tokens in mind (text and speech)")
        axes.set_ylabel(f"state of one stream, MiB ({rows['dtype']} keys and values)")
        axes.set_title(rows["model"])
        axes.legend(loc="upper center")

    save_picture(picture, paint, rows)
