"""Which mixer each layer of a hybrid uses, as a string with one letter per layer.

``A`` is attention, ``M`` is Mamba, ``G`` is Gated DeltaNet: ``AMMMAMMM`` is a stack of eight layers
in which every fourth looks back with attention. A ratio is attention : other, so that string has
the ratio 1:3. A layout is only this string; what the letters mean is decided once, in the table
``KINDS`` of config.py.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from mamtra.backbone.config import ATTENTION, read_letters
from mamtra.errors import LayoutError

Placement = Literal["block-begin", "block-end", "front", "middle", "back", "sandwich"]
PLACEMENTS: tuple[str, ...] = get_args(Placement)


def attention_share(attention: int, other: int, layers: int) -> int:
    """Number of attention layers that a ratio of attention to other layers gives.

    Raises:
        LayoutError: the ratio is empty, or its period does not divide the layers.
    """
    if attention < 0 or other < 0 or attention + other == 0 or layers < 1:
        raise LayoutError(
            f"ratio {attention}:{other} over {layers} layers is not possible; "
            f"give two numbers of at least 0, not both 0, and at least one layer"
        )
    period = attention + other
    if layers % period:
        raise LayoutError(
            f"ratio {attention}:{other} has period {period}, which does not divide {layers} layers"
            f"; choose a ratio whose period divides {layers}, or write the layout letter by letter"
        )
    return layers // period * attention


def placed(placement: str, attention: int, other: int, layers: int) -> list[int]:
    """Positions of the attention layers under one of the paper's named placements."""
    count = attention_share(attention, other, layers)
    period = attention + other
    match placement:
        case "block-begin":
            return [layer for layer in range(layers) if layer % period < attention]
        case "block-end":
            return [layer for layer in range(layers) if layer % period >= other]
        case "front":
            return list(range(count))
        case "middle":
            first = (layers - count) // 2
            return list(range(first, first + count))
        case "back":
            return list(range(layers - count, layers))
        case "sandwich":
            tail = count // 2
            return [*range(count - tail), *range(layers - tail, layers)]
        case _:
            raise LayoutError(
                f"placement {placement!r} is unknown; possible are {', '.join(PLACEMENTS)}, "
                f"or a list of attention layers"
            )


@dataclass(frozen=True, slots=True)
class Layout:
    """The kinds of a stack's layers, first to last."""

    kinds: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", read_letters(self.kinds))

    @classmethod
    def parse(cls, kinds: str) -> "Layout":
        """Read a layout written letter by letter; spaces are ignored.

        Raises:
            LayoutError: a letter is unknown, or there is none.
        """
        return cls(kinds)

    @classmethod
    def named(
        cls, placement: str, attention: int, other: int, layers: int, kind: str = "M"
    ) -> "Layout":
        """Lay a ratio out under a named placement; the other layers are of one kind.

        Raises:
            LayoutError: the placement is unknown or the ratio does not fit the layers.
        """
        return cls.of(placed(placement, attention, other, layers), layers, kind)

    @classmethod
    def repeat(cls, attention: int, other: int, layers: int, kind: str = "M") -> "Layout":
        """Repeat a block of attention layers followed by layers of one kind (block-begin).

        Raises:
            LayoutError: the ratio does not fit the layers.
        """
        return cls.named("block-begin", attention, other, layers, kind)

    @classmethod
    def of(cls, attention_layers: Iterable[int], layers: int, kind: str = "M") -> "Layout":
        """Put attention at the listed layers and mixers of one kind everywhere else.

        Raises:
            LayoutError: a listed layer does not exist or is listed twice, or the kind is unknown.
        """
        chosen = list(attention_layers)
        for layer in chosen:
            if not 0 <= layer < layers:
                raise LayoutError(
                    f"attention layer {layer} does not exist; layers go from 0 to {layers - 1}"
                )
            if chosen.count(layer) > 1:
                raise LayoutError(f"attention layer {layer} is listed twice; list each layer once")
        return cls("".join(ATTENTION if layer in chosen else kind for layer in range(layers)))

    @property
    def attention_layers(self) -> list[int]:
        """Positions of the attention layers."""
        return [layer for layer, kind in enumerate(self.kinds) if kind == ATTENTION]

    def __len__(self) -> int:
        return len(self.kinds)

    def __iter__(self) -> Iterator[str]:
        return iter(self.kinds)

    def __getitem__(self, layer: int) -> str:
        return self.kinds[layer]

    def __str__(self) -> str:
        return self.kinds
