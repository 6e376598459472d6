"""A CosyVoice folder, 2 or 3, as published, into a clean folder of our format: once, then never
pickles.

The three checkpoints go through the strict tables beside this file; text vocabulary and ONNX files
are copied under their own names. The text head of the language model, which is never run, is left
out. Tensors stay mapped to the published file and are written piece by piece, so an import needs
little more memory than the largest file has bytes, and those can be given back at any time.

Dtype rule: the language model and the decoder are stored as asked for. The vocoder stays float32:
it is small, and nothing after it could mend its rounding.

``cosyvoice_release.py`` holds all in which the two versions differ, but for the tables.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.card import CARD, front_matter
from mamtra.checkpoints.format import ModelConfig, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.checkpoints.new_folder import check_vacant, new_folder
from mamtra.checkpoints.weights import SHARD_BYTES
from mamtra.errors import CheckpointError, ModelError
from mamtra.interop.cosyvoice3_flow import decoder_from_cosyvoice3
from mamtra.interop.cosyvoice_flow import decoder_from_cosyvoice
from mamtra.interop.cosyvoice_lm import is_version3, speech_lm_from_cosyvoice
from mamtra.interop.cosyvoice_release import RELEASE2, Release
from mamtra.interop.cosyvoice_vocoder import is_causal, vocoder_from_cosyvoice
from mamtra.interop.pickles import COUNTERS, read_entries
from mamtra.interop.stand_ins import check_copied
from mamtra.text.bpe import SUBFOLDER, WHERE, find_vocabulary

FILES = {"speech_lm": "llm.pt", "decoder": "flow.pt", "vocoder": "hift.pt"}
RL_FILE = "llm.rl.pt"  # version 3's language model after reinforcement learning


@dataclass(frozen=True, slots=True, kw_only=True)
class PartImport:
    """What became of one checkpoint.

    Attributes:
        used: entries of the checkpoint that were read.
        unused: entries that were left out on purpose.
        fresh: weights of the part that the checkpoint does not hold; the tables allow none.
    """

    part: str
    file: str
    used: int
    unused: tuple[str, ...]
    fresh: tuple[str, ...]
    parameters: int
    dtype: str

    def row(self, width: int) -> str:
        """One line of the report, with so many letters for the file."""
        counts = f"{self.used:6}{len(self.unused):8}{len(self.fresh):7}{self.parameters:14,}"
        left_out = f"  without {', '.join(self.unused)}" if self.unused else ""
        left_out += f"  fresh {', '.join(self.fresh)}" if self.fresh else ""
        return f"{self.file:{width}}{self.part:11}{counts}  {self.dtype}{left_out}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """The report of an import.

    Attributes:
        copied: files copied as they are.
        missing: files that are not needed to speak with a saved voice, and are not there.
        notes: further sentences about what was not taken over.
    """

    parts: tuple[PartImport, ...]
    copied: tuple[str, ...]
    missing: tuple[str, ...]
    where: str = WHERE
    notes: tuple[str, ...] = ()

    def table(self) -> str:
        """Text table, one line per checkpoint."""
        width = max(18, *(len(part.file) + 1 for part in self.parts))
        counts = f"{'used':>6}{'unused':>8}{'fresh':>7}{'parameters':>14}"
        head = f"{'file':{width}}{'part':11}{counts}"
        return "\n".join([head, *(part.row(width) for part in self.parts)])

    def warnings(self) -> list[str]:
        """One sentence for each missing file, and the notes."""
        missing = [
            f"no {name}: voices cannot be made from recordings; "
            f"fetch {name} from {self.where} into the new folder"
            for name in self.missing
        ]
        return [*missing, *self.notes]


def build(
    part: str, entries: Mapping[str, Any], release: Release
) -> tuple[nn.Module, tuple[str, ...]]:
    """The module that a checkpoint fills, and the names of the entries left out.

    Raises:
        CheckpointError: it is another version's, or does not fit.
    """
    match part:
        case "speech_lm":
            check_version(release.version, 3 if is_version3(entries) else 2, FILES[part])
            return speech_lm_from_cosyvoice(entries)
        case "decoder" if release.version == 3:
            return decoder_from_cosyvoice3(entries)
        case "decoder":
            return decoder_from_cosyvoice(entries)
        case _:
            check_version(release.version, 3 if is_causal(entries) else 2, FILES[part])
            unused = tuple(name for name in COUNTERS if name in entries)
            tensors = {name: entry for name, entry in entries.items() if name not in unused}
            return vocoder_from_cosyvoice(tensors), unused


def check_version(wanted: int, found: int, file: str) -> None:
    """Refuse another version's file, whose names may be the same.

    Raises:
        CheckpointError: it is.
    """
    if wanted != found:
        raise CheckpointError(
            f"{file} is CosyVoice {found}'s, not {wanted}'s; take all files from one version, or "
            f"run mamtra import cosyvoice{found}"
        )


def check_source(source: Path, release: Release, files: Mapping[str, str]) -> None:
    """Refuse a folder without what speaking needs, before anything is read.

    Raises:
        ModelError: files are missing, and the message names them and where to fetch them; or a
            stand-in lies where a file should that is copied as it is.
    """
    if not source.is_dir():
        raise ModelError(
            f"there is no folder {str(source)!r}; give that of CosyVoice {release.version}"
        )
    missing = [name for name in files.values() if not (source / name).is_file()]
    if missing:
        raise ModelError(
            f"no {' and no '.join(missing)} in {str(source)!r}; fetch {' and '.join(missing)} "
            f"from {release.where} into it, or run: mamtra fetch {release.hub} -o {source}"
        )
    listening = [source / name for name in release.listening.values()]
    check_copied([*find_vocabulary(source), *(file for file in listening if file.is_file())])


def import_part(
    part: str,
    file: Path,
    folder: Path,
    dtype: torch.dtype,
    shard_bytes: int = SHARD_BYTES,
    release: Release = RELEASE2,
) -> tuple[PartImport, Any]:
    """Read one checkpoint and write it as our part; its config is given back as well."""
    entries = read_entries(file)
    module, unused = build(part, entries, release)
    kept = torch.float32 if part == "vocoder" else dtype
    save_part(module, folder / f"{part}.safetensors", kept, shard_bytes)
    told = PartImport(
        part=part,
        file=file.name,
        used=len(entries) - len(unused),
        unused=tuple(unused),
        fresh=tuple(name for name, weight in module.state_dict().items() if weight.is_meta),
        parameters=sum(weight.numel() for weight in module.parameters()),
        dtype=str(kept).removeprefix("torch."),
    )
    return told, module.config


def copy_files(source: Path, folder: Path, release: Release) -> tuple[list[str], list[str]]:
    """Copy vocabulary and ONNX files; their names, and the names of those that are not there."""
    (folder / SUBFOLDER).mkdir()
    copied = []
    for file in find_vocabulary(source):
        shutil.copy2(file, folder / SUBFOLDER)
        copied.append(f"{SUBFOLDER}/{file.name}")
    missing = [name for name in release.listening.values() if not (source / name).is_file()]
    for name in release.listening.values():
        if name not in missing:
            shutil.copy2(source / name, folder)
            copied.append(name)
    return copied, missing


def card(report: Import, release: Release) -> str:
    """The model card, with what became of each checkpoint."""
    return f"{front_matter(release.front)}{release.about}\n```\n{report.table()}\n```\n"


def import_cosyvoice2(
    source: Path,
    target: Path,
    dtype: torch.dtype = torch.float32,
    shard_bytes: int = SHARD_BYTES,
    notice: Callable[[str], None] = lambda _: None,
) -> Import:
    """``import_cosyvoice`` for version 2."""
    return import_cosyvoice(RELEASE2, source, target, dtype, shard_bytes, notice)


def import_cosyvoice(
    release: Release,
    source: Path,
    target: Path,
    dtype: torch.dtype = torch.float32,
    shard_bytes: int = SHARD_BYTES,
    notice: Callable[[str], None] = lambda _: None,
    *,
    reinforced: bool = False,
) -> Import:
    """Write our folder; it appears under its name when it is complete.

    Args:
        release: the version.
        source: the folder that its makers publish; it is not changed.
        target: the new folder.
        dtype: of the language model's and the decoder's weights.
        shard_bytes: largest size of a file of weights.
        notice: is told the name of each file before it is read.
        reinforced: take the language model that was trained further by reinforcement learning.

    Raises:
        ModelError: the target is taken, a file is missing, or parts do not fit together.
        CheckpointError: a checkpoint is not this version's; what does not fit is listed.
    """
    files = FILES | ({"speech_lm": RL_FILE} if reinforced else {})
    check_vacant(target)
    check_source(source, release, files)
    with new_folder(target) as folder:
        told, configs = [], {}
        for part, file in files.items():
            notice(file)
            made = import_part(part, source / file, folder, dtype, shard_bytes, release)
            told.append(made[0])
            configs[part] = made[1]
        spoken = configs["speech_lm"].speech_vocabulary
        heard = configs["decoder"].encoder.vocabulary
        if spoken != heard:
            raise ModelError(
                f"{files['speech_lm']} writes {spoken} speech tokens and flow.pt reads {heard}; "
                f"take both from the same model"
            )
        copied, missing = copy_files(source, folder, release)
        sections: dict[str, Any] = {part: asdict(config) for part, config in configs.items()}
        sections |= {part: {"onnx": name} for part, name in release.listening.items()}
        config = ModelConfig(
            name=target.resolve().name,
            text=release.text | {"reads_prompts": True, "bistream": True},
            mel=asdict(MelConfig(fmax_hz=release.fmax_hz)),
            guard=release.guard,
            **sections,
        )
        done = Import(
            parts=tuple(told), copied=tuple(copied), missing=tuple(missing), where=release.where
        )
        (folder / CARD).write_text(card(done, release), encoding="utf-8")
        write_config(folder, config)
    return done
