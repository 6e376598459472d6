"""A picture of one sentence as several stages say it, so that eyes can judge too.

What to look for: the bands of a voice in motion, gaps before p, t and k, noise high up for s. Blur
means that detail was lost, a stripe that does not move means that the model lost its place.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamtra.evaluation.clip import Clip
from mamtra.evaluation.loudness import FLOOR_DB, RATE_HZ, decibels
from mamtra.evaluation.stages import COPY, SOURCE, SPEECH
from mamtra.figures.picture import save_picture

SHOWN = (SOURCE, COPY, SPEECH)
TITLES = {SOURCE: "source", COPY: "copy synthesis", SPEECH: "the model"}
INCHES = (4.6, 3.2)  # of one picture


def draw(
    clips: Mapping[str, Clip], text: str, path: Path, notes: Mapping[str, Any] | None = None
) -> Path:
    """Draw clips side by side on one scale of time; what they are is written beside as JSON.

    Args:
        clips: by stage.
        text: the sentence, written above.
        path: of the picture; its suffix chooses the format.
        notes: anything else that belongs into the JSON.

    Raises:
        ConfigError: the picture cannot be written.
    """

    def paint(panels: Any) -> None:
        """A panel for each clip."""
        for panel, (stage, clip) in zip(panels[0], clips.items(), strict=True):
            panel.imshow(
                decibels(clip.audio),
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=FLOOR_DB,
                vmax=0,
                extent=(0, clip.seconds, 0, RATE_HZ / 2000),
            )
            panel.set_title(TITLES.get(stage, stage))
            panel.set_xlabel("seconds")
        panels[0][0].set_xlim(0, max(clip.seconds for clip in clips.values()))
        panels[0][0].set_ylabel("kHz")
        panels[0][0].figure.suptitle(text, wrap=True)

    rows = [
        {"stage": stage, "seconds": round(clip.seconds, 3), "stop": clip.stop}
        for stage, clip in clips.items()
    ]
    about = {"text": text, "clips": rows, **(notes or {})}
    shape = {"ncols": len(clips), "sharex": True, "sharey": True, "squeeze": False}
    width, height = INCHES
    save_picture(path, paint, about, inches=(width * len(clips), height), grid="none", **shape)
    return path
