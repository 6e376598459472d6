"""What length does to speech: word errors, degenerate clips and state by the words of a line.

The paper's stress set has lines of 1 to 62 words; the same is drawn of any evaluation.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamtra.errors import CorpusError
from mamtra.figures.picture import save_picture

INCHES = (7.5, 8.0)
MEBIBYTE = 2**20
PANELS = (
    ("wer_percent", "wrong words, %", 1),
    ("degenerate_percent", "degenerate clips, %", 1),
    ("state_bytes", "state of one stream, MiB", MEBIBYTE),
)


def draw_lengths(row: Mapping[str, Any], picture: Path) -> None:
    """Draw the figures of every system over the number of words.

    Args:
        row: of ``mamtra evaluate``.
        picture: PNG, SVG or PDF; the row goes beside it as JSON.

    Raises:
        CorpusError: the row has no figures by length.
        ConfigError: the picture cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    systems = {
        name: figures["by_words"] for name, figures in row["systems"].items() if figures["by_words"]
    }
    if not systems:
        raise CorpusError("the row has no figures by length; nobody heard its words")

    def paint(panels: Any) -> None:
        """A panel for each figure, a line for each system."""
        for axes, (key, label, unit) in zip(panels, PANELS, strict=True):
            for name, bins in systems.items():
                words = [bin_["most_words"] for bin_ in bins]
                axes.plot(words, [bin_[key] / unit for bin_ in bins], marker=".", label=name)
            axes.set_ylabel(label)
            axes.set_ylim(bottom=0)
        panels[0].legend(fontsize="small")
        panels[0].set_title(f"{row['set']}, {row['lines']} lines")
        panels[-1].set_xlabel("words of a line, at most")

    save_picture(picture, paint, dict(row), inches=INCHES, nrows=len(PANELS))
