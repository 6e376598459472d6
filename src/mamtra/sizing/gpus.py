"""Amounts of memory as people write them: ``24 GiB``, or the name of a card."""

import re

from mamtra.errors import ConfigError

KIBI, GIGA = 1024, 1000
UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": GIGA**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": KIBI**power for power, letter in enumerate("kmgt", 1)},
}
# GiB as the makers' data sheets give the card's memory (they write GB); the H200's 141 are real GB
CARDS = {
    "t4": "16 GiB",
    "l4": "24 GiB",
    "a10": "24 GiB",
    "rtx3090": "24 GiB",
    "rtx4090": "24 GiB",
    "rtx5090": "32 GiB",
    "v100": "32 GiB",
    "a100-40": "40 GiB",
    "a6000": "48 GiB",
    "l40s": "48 GiB",
    "a100": "80 GiB",
    "h100": "80 GiB",
    "h200": "141 GB",
}
AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]*)")


def memory_of(card: str) -> int:
    """Bytes of a card by its name, or of an amount with its unit.

    Raises:
        ConfigError: it is neither.
    """
    written = CARDS.get(card.strip().lower().replace(" ", ""), card)
    found = AMOUNT.fullmatch(written.strip().lower())
    if found is None or found["unit"] not in UNITS:
        raise ConfigError(
            f"card {card!r} is unknown; give an amount such as '24 GiB', "
            f"or one of {', '.join(CARDS)}"
        )
    return round(float(found["number"]) * UNITS[found["unit"]])


def readable(count: int) -> str:
    """Bytes in the largest unit that leaves a number of at least 1."""
    powers = {"TiB": 4, "GiB": 3, "MiB": 2, "KiB": 1}
    for unit, power in powers.items():
        if abs(count) >= KIBI**power:
            return f"{count / KIBI**power:,.1f} {unit}"
    return f"{count} B"
