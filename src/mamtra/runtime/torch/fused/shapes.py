"""How the kernels are cut: rows of a matrix for each program, splits of attention.

The numbers were chosen by measuring on an H200 at CosyVoice 2's sizes; any give the same results.
"""

from dataclasses import dataclass

LEAST_SPLIT = 64  # positions
MOST_SPLITS = 128  # of a key/value head
ATTENTION_TILE, ATTENTION_WARPS = 64, 4
SCAN_WARPS = 4
LANES = 32  # threads of a warp
MOST_HELD = 160  # numbers of a matrix that a thread keeps in registers
LEAST_TILE = 16


def power_of_two(least: int) -> int:
    """The smallest power of two that is not below a number."""
    return 1 << (least - 1).bit_length()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a product is cut.

    Attributes:
        block: outs of a program.
        tile: columns that are loaded at once.
        warps: of a program.
        rows_each: rows of the matrix for an out: 2 for gate and up.
    """

    block: int
    tile: int = 1024
    warps: int = 4
    rows_each: int = 1

    def fitted(self, width: int) -> "Shape":
        """The same for a matrix of this width: a program's part of it has to fit into registers."""
        block, warps = self.block, self.warps
        while block * self.rows_each * width > MOST_HELD * LANES * warps:
            if block > 1:
                block //= 2
            else:
                warps *= 2
        tile = max(LEAST_TILE, min(self.tile * warps // self.warps, power_of_two(width)))
        return Shape(block=block, tile=tile, warps=warps, rows_each=self.rows_each)


SHAPES = {
    "inward": Shape(block=8, warps=8),
    "outward": Shape(block=8),
    "gate_up": Shape(block=8, rows_each=2),
    "down": Shape(block=4, tile=2048, warps=8),
    "head": Shape(block=8),
}


def splits_for(cache_len: int) -> tuple[int, int]:
    """Into how many splits so many positions are cut, and how long each is."""
    split = max(LEAST_SPLIT, power_of_two(-(-cache_len // MOST_SPLITS)))
    return power_of_two(-(-cache_len // split)), split
