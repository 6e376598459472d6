"""What a student's folder takes from its teacher's besides the language model, and model cards.

A student speaks through its teacher's other parts. They are copied, so that the folder stands for
itself; or shared, which saves their space and ties the student to the place of its teacher.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from mamtra.backbone.config import KINDS, known_kinds
from mamtra.checkpoints.card import CARD, front_matter, origin
from mamtra.checkpoints.format import PARTS, VOICES, ModelConfig, ModelFolder
from mamtra.checkpoints.shards import all_files
from mamtra.text.bpe import SUBFOLDER

OWN = "speech_lm"  # the one part that a student has for itself
PRONUNCIATIONS = "pronunciations"  # in the section text: the file of words that are read in phones
SECTIONS = (
    "text",
    "mel",
    "speech_tokenizer",
    "speaker",
    "decoder",
    "vocoder",
    "proofreader",
    "sampling",
    "guard",
)
TEACHER_CARD = "TEACHER.md"
PARTS_CARD = "PARTS.md"  # of the model whose parts were copied in as well
ALONG = (  # of imported Chatterbox
    "voice.safetensors",
    "tokenizer.json",
    "grapheme_mtl_merged_expanded_v1.json",
    "mtl_tokenizer.json",
)


def bring_along(
    teacher: ModelFolder, folder: Path, name: str, speech_lm: dict[str, Any], share: bool
) -> ModelConfig:
    """Copy the teacher's other parts and voices into the student's folder, or refer to them.

    Returns:
        The student's config.

    Raises:
        ModelError: the teacher lacks a part that its config describes.
    """
    donor = (teacher.donor or teacher) if share else None
    sections: dict[str, Any] = {}
    for section in SECTIONS:
        holder = teacher.holder(section) if teacher.holds(section) else None
        if holder is None or holder is donor:
            continue
        sections[section] = getattr(holder.config, section)
        if section in PARTS:
            copy_part(holder.part_file(section), folder)
        elif words := sections[section].get(PRONUNCIATIONS):
            shutil.copy2(holder.folder / words, folder)
    for holder in (teacher.donor, teacher):
        if holder is not None and holder is not donor:
            copy_beside(holder.folder, folder)
    if (card := teacher.folder / CARD).is_file():
        shutil.copy2(card, folder / TEACHER_CARD)
    voice = teacher.config.voice
    if voice is None and teacher.donor is not None:
        voice = teacher.donor.config.voice
    config = ModelConfig(name=name, voice=voice, speech_lm=speech_lm, **sections)
    if donor is None:
        return config
    # both ends resolved: the student's folder is filled beside its place
    place = os.path.relpath(donor.folder.resolve(), folder.resolve())
    return replace(config, parts_from=Path(place).as_posix())


def copy_part(path: Path, folder: Path) -> None:
    """Copy the weights of a part, in one file or in shards; an ONNX part has none of ours."""
    for file in all_files(path):
        if file.exists():
            shutil.copy2(file, folder)


def copy_beside(source: Path, folder: Path) -> None:
    """Copy voices, the text vocabulary and graphs, but none of a language model: it has its own."""
    for name in (VOICES, SUBFOLDER):
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, dirs_exist_ok=True)
    for name in ALONG:
        if (source / name).is_file():
            shutil.copy2(source / name, folder)
    for file in source.glob("*.onnx"):
        if not file.name.startswith(f"{OWN}."):
            shutil.copy2(file, folder)


def copy_cards(model: ModelFolder, folder: Path, what: str) -> None:
    """Write the model card of a copy that holds the donor's parts too, and bring other cards along.

    Args:
        what: the copy in a sentence.
    """
    own, teacher = model.folder / CARD, model.folder / TEACHER_CARD
    card = own.read_text("utf-8") if own.is_file() else front_matter(origin(model.folder))
    title = "" if own.is_file() else f"# {model.config.name}\n"
    told = what
    if teacher.is_file():
        shutil.copyfile(teacher, folder / TEACHER_CARD)
    if model.donor is not None:
        told += f" The parts that it shares with {model.donor.config.name} are here too"
        if (parts := model.donor.folder / CARD).is_file():
            shutil.copyfile(parts, folder / PARTS_CARD)
            told += f"; their card is [{PARTS_CARD}]({PARTS_CARD})"
        told += "."
    text = f"{card.rstrip()}\n{title}\n## This copy\n\n{told}\n"
    (folder / CARD).write_text(text, encoding="utf-8")


def student_card(teacher: ModelFolder, layout: str, start: str, table: str) -> str:
    """The model card of a student that was not trained yet."""
    name = teacher.config.name
    counts = [(layout.count(letter), kind.name) for letter, kind in KINDS.items()]
    layers = " and ".join(f"{count} {name}" for count, name in counts if count)
    has_card = (teacher.folder / CARD).is_file()
    own = f", whose card is [{TEACHER_CARD}]({TEACHER_CARD})" if has_card else ""
    tags = ["text-to-speech", "mamtra", "mamba", "hybrid"]
    return f"""{front_matter(origin(teacher.folder) | {"tags": tags})}# A hybrid made from {name}

A speech language model with {layers} layers (`{layout}`: {known_kinds()}), made by
`mamtra convert` from {name}{own}.

**It was not trained since.** The new mixers (start: {start}) do not do the attention's work yet:
distil the student from its teacher before you expect speech.

All weights but the fresh ones are the teacher's, and so is their licence; each voice file names
its own.

## What became of each layer

Parameters by fate, the relative error of each new mixer's output against the attention it replaces
on random sequences, and the cosine of the two. The tensors by name are in `convert.json`.

```
{table}
```
"""
