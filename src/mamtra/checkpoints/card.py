"""Model cards: a README whose front matter tells Hugging Face what a folder is.

The front matter is YAML between two lines of dashes. Only what a card needs is written and read
here: plain words, and lists of them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

CARD = "README.md"
LIBRARY = {"library_name": "mamtra", "pipeline_tag": "text-to-speech"}
FENCE = "---"

Front = Mapping[str, str | Sequence[str]]


def front_matter(values: Front) -> str:
    """The lines before a card's text; empty values are left out."""
    lines = [FENCE]
    for name, value in (LIBRARY | dict(values)).items():
        if isinstance(value, str):
            lines += [f"{name}: {value}"] if value else []
        elif value:
            lines += [f"{name}:", *(f"- {item}" for item in value)]
    return "\n".join([*lines, FENCE, ""])


def plain(value: str) -> str:
    """A word of YAML without quotes."""
    return value.strip().strip("'\"")


def read_front(folder: Path) -> dict[str, str | list[str]]:
    """The front matter of a folder's card; empty where there is none."""
    card = folder / CARD
    if not card.is_file():
        return {}
    first, *rest = card.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    if first.strip() != FENCE or FENCE not in (line.strip() for line in rest):
        return {}
    found: dict[str, str | list[str]] = {}
    name = ""
    for line in rest:
        if line.strip() == FENCE:
            break
        held = found.get(name)
        if line.lstrip().startswith("- ") and isinstance(held, list):
            held.append(plain(line.lstrip()[2:]))
            continue
        name, colon, value = (part.strip() for part in line.partition(":"))
        if colon and value.startswith("["):
            found[name] = [plain(item) for item in value.strip("[]").split(",") if item.strip()]
        elif colon:
            found[name] = plain(value) if value else []
    return found


def origin(folder: Path) -> dict[str, str | list[str]]:
    """What a copy or a child of a folder says as well: its licence, languages and base model."""
    front = read_front(folder)
    kept = {name: front[name] for name in ("license", "language", "base_model") if name in front}
    return {"license": "unknown"} | kept
