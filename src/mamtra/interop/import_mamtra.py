"""The official MamTra checkpoint into a folder of ours, with the parts of an imported CosyVoice 2.

The checkpoint holds a language model only. Text, decoder, vocoder and what makes voices are those
of its teacher, so they are copied from the teacher's folder.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.checkpoints.card import CARD, front_matter, origin
from mamtra.checkpoints.derive import TEACHER_CARD, bring_along
from mamtra.checkpoints.format import ModelFolder, write_config
from mamtra.checkpoints.locate import CONFIG
from mamtra.checkpoints.modules import save_part
from mamtra.checkpoints.new_folder import check_vacant, new_folder
from mamtra.checkpoints.weights import SHARD_BYTES
from mamtra.errors import ModelError, listed
from mamtra.interop.cosyvoice_release import RELEASE2
from mamtra.interop.import_cosyvoice import Import, PartImport, import_cosyvoice2
from mamtra.interop.mamtra_lm import load_official


def card(parts: ModelFolder, layout: str, report: Import) -> str:
    """The model card; the checkpoint names no licence of its own."""
    tags = ["text-to-speech", "mamtra", "mamba", "hybrid"]
    front = origin(parts.folder) | {"license": "unknown", "tags": tags}
    return f"""{front_matter(front)}# MamTra 1:1, the published hybrid

The language model of the published MamTra checkpoint (`{layout}`; A is attention, M is Mamba) in
the format of mamtra, made by `mamtra import mamtra`; all other parts are those of
{parts.config.name}, whose card is [{TEACHER_CARD}]({TEACHER_CARD}).

The checkpoint came without a licence; ask its authors before you pass it on.

```
{report.table()}
```
"""


CHECKPOINTS = (".pt", ".safetensors")


def checkpoint_file(source: Path) -> Path:
    """The checkpoint itself, of a file or of a folder that holds one.

    Raises:
        ModelError: a folder holds none, or several.
    """
    if not source.is_dir():
        return source
    found = sorted(path for path in source.iterdir() if path.suffix in CHECKPOINTS)
    if len(found) != 1:
        names = listed([path.name for path in found]) or "none"
        raise ModelError(
            f"{str(source)!r} holds {names} of the files {', '.join(CHECKPOINTS)}; "
            f"name the one file"
        )
    return found[0]


@contextmanager
def opened_parts(
    source: Path,
    target: Path,
    dtype: torch.dtype,
    shard_bytes: int = SHARD_BYTES,
    notice: Callable[[str], None] = lambda _: None,
) -> Iterator[ModelFolder]:
    """The folder of all other parts: as it is, or imported beside the target for a while.

    Raises:
        ModelError: it is neither a model folder nor CosyVoice 2's, or the target is taken.
    """
    check_vacant(target)
    if (source / CONFIG).is_file():
        yield ModelFolder(source)
        return
    place = target.resolve().with_name(f".{target.resolve().name}.parts")
    shutil.rmtree(place, ignore_errors=True)  # what a killed run may have left
    try:
        folder = place / "cosyvoice2"
        import_cosyvoice2(source, folder, dtype, shard_bytes, notice)
        yield ModelFolder(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def import_official(
    source: Path,
    target: Path,
    parts: ModelFolder,
    dtype: torch.dtype = torch.float32,
    shard_bytes: int = SHARD_BYTES,
) -> Import:
    """Write our folder; it appears under its name when it is complete.

    Args:
        source: the checkpoint, a pickle or safetensors.
        target: the new folder.
        parts: an imported CosyVoice 2.
        dtype: of the language model's weights.
        shard_bytes: largest size of a file of weights.

    Raises:
        ModelError: the target is taken, or the parts are another model's: they read text in another
            way, or other speech tokens.
        CheckpointError: the checkpoint is not MamTra's; what does not fit is listed.
    """
    check_vacant(target)
    read = (parts.holder("text").config.text or {}).get("tokenizer")
    if read != RELEASE2.text["tokenizer"]:
        raise ModelError(
            f"MamTra reads text as CosyVoice 2 does, and {parts.config.name!r} reads it by the "
            f"tokenizer {read!r}; give an imported CosyVoice 2 as --parts"
        )
    heard = parts.section("decoder", DecoderConfig).encoder.vocabulary
    model, told = load_official(source)
    spoken = model.config.speech_vocabulary
    if spoken != heard:
        raise ModelError(
            f"{source.name} writes {spoken} speech tokens and the decoder of "
            f"{parts.config.name!r} reads {heard}; give the CosyVoice 2 it was made from"
        )
    again = (f"{len(told.aliases)} entries under second names",) if told.aliases else ()
    report = Import(
        parts=(
            PartImport(
                part="speech_lm",
                file=source.name,
                used=len(told.tensors),
                unused=(*told.unused, *again),
                fresh=(),
                parameters=sum(weight.numel() for weight in model.parameters()),
                dtype=str(dtype).removeprefix("torch."),
            ),
        ),
        copied=(f"the other parts of {parts.config.name}",),
        missing=(),
    )
    name, section = target.resolve().name, asdict(model.config)
    with new_folder(target) as folder:
        config = bring_along(parts, folder, name, section, share=False)
        save_part(model, folder / "speech_lm.safetensors", dtype, shard_bytes)
        layout = str(section["backbone"]["layout"])
        (folder / CARD).write_text(card(parts, layout, report), encoding="utf-8")
        write_config(folder, config)
    return report
