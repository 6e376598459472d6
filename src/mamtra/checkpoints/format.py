"""A model is a folder: ``config.json``, one safetensors file per part, and saved voices.

    config.json                 format, name, one section of sizes per part, how to draw and guard
    speech_lm.safetensors ...   weights, float16 on disk, float32 in memory; large parts in shards
    voices/NAME.safetensors     voices that were made for this model
    README.md                   the model card

A folder need not hold every part: ``"parts_from": "../nano"`` names the folder of the others.
Nothing is guessed: an unknown key, a tensor left over or a weight not filled is an error that lists
what was wrong.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from mamtra.atomic import write_json
from mamtra.checkpoints.locate import CONFIG
from mamtra.checkpoints.shards import weight_files
from mamtra.config import from_dict
from mamtra.errors import ConfigError, ModelError
from mamtra.files import read_json

FORMAT = 1
SPEAKING = ("text", "mel", "speech_lm", "decoder", "vocoder")  # sections that speaking needs
VOICES = "voices"
PARTS = ("speech_lm", "speech_tokenizer", "speaker", "decoder", "vocoder", "proofreader")

Config = TypeVar("Config")
Section = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """What ``config.json`` says; a section that is missing is looked up in ``parts_from``.

    Attributes:
        voice: the voice used when none is asked for; without it, the first by name.
        parts_from: another model folder, relative to this one.
    """

    name: str
    format: int = FORMAT
    voice: str | None = None
    parts_from: str | None = None
    text: Section | None = None
    mel: Section | None = None
    speech_lm: Section | None = None
    speech_tokenizer: Section | None = None
    speaker: Section | None = None
    decoder: Section | None = None
    vocoder: Section | None = None
    proofreader: Section | None = None
    sampling: Section | None = None
    guard: Section | None = None
    reading: Section | None = None

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ConfigError(
                f"model format {self.format} is unknown; this version of mamtra reads {FORMAT}"
            )


def read_config(folder: Path) -> ModelConfig:
    """What a folder's ``config.json`` says.

    Raises:
        ModelError: it is missing, or cannot be read.
        ConfigError: it holds an unknown key, a value of another type, or another format.
    """
    path = folder / CONFIG
    return from_dict(ModelConfig, read_json(path, ModelError), str(path))


class ModelFolder:
    """A model folder opened for reading.

    Args:
        folder: where ``config.json`` lies.

    Raises:
        ModelError: it is no model folder.
        ConfigError: its ``config.json`` holds an unknown key or another format.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read_config(folder)
        self.donor: ModelFolder | None = None
        if self.config.parts_from is not None:
            donor = (folder / self.config.parts_from).resolve()
            if donor == folder.resolve():
                raise ModelError(f"{str(folder)!r} takes parts from itself")
            if (further := read_config(donor).parts_from) is not None:
                raise ModelError(
                    f"{str(folder)!r} takes parts from {str(donor)!r}, which takes parts from "
                    f"elsewhere itself ({further!r}); name the last folder directly"
                )
            self.donor = ModelFolder(donor)

    def holder(self, section: str) -> "ModelFolder":
        """The folder that describes a section: this one, or the one its parts come from.

        Raises:
            ModelError: neither does.
        """
        if getattr(self.config, section) is not None:
            return self
        if self.donor is not None and self.donor.holds(section):
            return self.donor.holder(section)
        message = f"{str(self.folder / CONFIG)!r} has no section {section!r}"
        missing = [name for name in SPEAKING if not self.holds(name)]
        if section in missing:
            message += (
                f"; to speak, the model {self.config.name!r} lacks {', '.join(missing)}: add them, "
                f"or name a folder that holds them as parts_from (docs/convert.md)"
            )
        raise ModelError(message)

    def section(self, name: str, kind: type[Config]) -> Config:
        """The config of a section, as its own dataclass."""
        holder = self.holder(name)
        return from_dict(kind, getattr(holder.config, name), str(holder.folder / CONFIG), name)

    def optional(self, name: str, kind: type[Config]) -> Config:
        """The config of a section, or its defaults where no folder has the section."""
        return self.section(name, kind) if self.holds(name) else kind()

    def part_file(self, part: str) -> Path:
        """Where the weights of a part lie, if they are in one file."""
        return self.holder(part).folder / f"{part}.safetensors"

    def part_files(self, part: str) -> list[Path]:
        """The files that hold the weights of a part: one, or its shards."""
        return weight_files(self.part_file(part))

    def holds(self, section: str) -> bool:
        """Whether a section is described here or in the donor."""
        own = getattr(self.config, section) is not None
        return own or (self.donor is not None and self.donor.holds(section))

    def voice_files(self) -> dict[str, Path]:
        """Saved voices by name; a folder's own come before those of its donor."""
        found = self.donor.voice_files() if self.donor else {}
        found |= {path.stem: path for path in (self.folder / VOICES).glob("*.safetensors")}
        return dict(sorted(found.items()))

    @property
    def nbytes(self) -> int:
        """Bytes of weights and voices on disk, a donor's included where they are used."""
        files = {path for part in PARTS if self.holds(part) for path in self.part_files(part)}
        files |= set(self.voice_files().values())
        return sum(path.stat().st_size for path in files if path.exists())


def write_config(folder: Path, config: ModelConfig) -> None:
    """Write ``config.json``, without the sections that are not there; beside and renamed."""
    values = {name: value for name, value in asdict(config).items() if value is not None}
    write_json(folder / CONFIG, values, indent=2, error=ModelError)
