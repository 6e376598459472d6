"""Draws docs/pictures/architecture.png: the chain from text to sound, and the hybrid stack inside.

Run with the extra eval installed: python docs/pictures/architecture.py
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

LAYOUT = "AMAMAMAMAMAM"  # nano: 1:1, one attention at the start of each block
INK, FAINT = "#1d2733", "#8a97a6"
ATTENTION, MAMBA, PLAIN, VOICE = "#e3a857", "#4f86c6", "#eef1f5", "#d7e8d4"
CHAIN = (
    ("text", "numbers, dates,\nabbreviations as words", PLAIN),
    ("phones", "of 98,000 known words;\nletters of the others", PLAIN),
    ("speech LM", "hybrid stack,\nwrites 25 tokens a second", MAMBA),
    ("decoder", "tokens + voice\n-> mel, 50 frames a second", PLAIN),
    ("vocoder", "pitch, harmonics,\ninverse Fourier", PLAIN),
    ("sound", "24 kHz", PLAIN),
)


def box(axes: Axes, at: tuple[float, float], size: tuple[float, float], colour: str) -> None:
    """One rounded box; ``at`` is its lower left corner."""
    style = "round,pad=0,rounding_size=0.09"
    axes.add_patch(FancyBboxPatch(at, *size, boxstyle=style, facecolor=colour, edgecolor=INK, lw=1))


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A thin arrow."""
    style = {"arrowstyle": "-|>", "color": INK, "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


def draw_chain(axes: Axes, bottom: float, width: float, gap: float) -> list[float]:
    """The row of parts; returns the middle of each."""
    middles = []
    for place, (name, note, colour) in enumerate(CHAIN):
        left = place * (width + gap)
        box(axes, (left, bottom), (width, 1.1), colour)
        shade = "white" if colour == MAMBA else INK
        axes.text(
            left + width / 2,
            bottom + 0.78,
            name,
            ha="center",
            va="center",
            color=shade,
            fontsize=12,
            fontweight="bold",
        )
        axes.text(
            left + width / 2, bottom + 0.34, note, ha="center", va="center", color=shade, fontsize=8
        )
        if place:
            arrow(axes, (left - gap, bottom + 0.55), (left, bottom + 0.55))
        middles.append(left + width / 2)
    return middles


def draw_stack(axes: Axes, left: float, right: float, bottom: float) -> None:
    """The layers of the speech language model, one box a letter."""
    width = (right - left) / len(LAYOUT)
    for place, kind in enumerate(LAYOUT):
        corner = (left + place * width + 0.04, bottom)
        box(axes, corner, (width - 0.08, 0.8), ATTENTION if kind == "A" else MAMBA)
        axes.text(
            corner[0] + width / 2 - 0.04,
            bottom + 0.4,
            kind,
            ha="center",
            va="center",
            color=INK if kind == "A" else "white",
            fontsize=13,
            fontweight="bold",
        )
    memories = (
        (ATTENTION, "A  attention: rotary, grouped queries; its memory grows with every token"),
        (
            MAMBA,
            "M  Mamba-2, started from an attention layer (Q to C, K to B, V to x, O to out);"
            " its memory never grows",
        ),
    )
    for row, (colour, words) in enumerate(memories):
        y = bottom - 0.42 - 0.36 * row
        box(axes, (left + 0.04, y - 0.1), (0.2, 0.2), colour)
        axes.text(left + 0.36, y, words, ha="left", va="center", color=INK, fontsize=9)


def draw() -> plt.Figure:
    """The whole picture."""
    width, gap = 1.9, 0.45
    figure, axes = plt.subplots(figsize=(12, 4.6), dpi=120)
    middles = draw_chain(axes, 2.6, width, gap)
    right = middles[-1] + width / 2
    box(axes, (middles[3] - width / 2, 4.1), (width, 0.55), VOICE)
    axes.text(
        middles[3], 4.375, "voice: a saved file", ha="center", va="center", color=INK, fontsize=9
    )
    arrow(axes, (middles[3], 4.1), (middles[3], 3.7))
    for side, end in ((-1, 0.0), (1, right)):
        corner = middles[2] + side * width / 2
        axes.plot([corner, end], [2.6, 1.95], color=FAINT, lw=0.8, ls=":")
    draw_stack(axes, 0, right, 1.1)
    axes.set_xlim(-0.1, right + 0.1)
    axes.set_ylim(0.1, 4.8)
    axes.set_aspect("equal")
    axes.axis("off")
    figure.tight_layout(pad=0.3)
    return figure


if __name__ == "__main__":
    draw().savefig(Path(__file__).with_suffix(".png"), facecolor="white")
