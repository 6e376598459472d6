"""What a judge is: three small protocols, and an identity that stands beside every figure.

A judge that hears writes down words, one that compares says how alike two voices are, one that
rates says how natural a clip sounds. Figures of judges whose identities differ are never compared.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mamtra.audio.clip import Audio
from mamtra.errors import AudioError
from mamtra.files import file_sha256

NOBODY = "nobody speaks in this clip; its voice cannot be compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Everything that a judge's answers depend on.

    Attributes:
        name: short, for tables; never a path.
        package: whose code it runs.
        version: of the package.
        weights: file name of the weights.
        sha256: of the weights' file.
        settings: how it decodes or computes.
    """

    name: str
    package: str
    version: str
    weights: str = ""
    sha256: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @property
    def key(self) -> str:
        """A short name for exactly this judge."""
        return hashlib.sha256(json.dumps(self.row(), sort_keys=True).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        checksum = f", sha256 {self.sha256[:12]}" if self.sha256 else ""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        return f"{self.name}: {self.package} {self.version}{checksum}" + (
            f" ({settings})" if settings else ""
        )


@runtime_checkable
class Judge(Protocol):
    """Something that gives an opinion on sound, and says what it is."""

    @property
    def identity(self) -> Identity:
        """What its answers depend on."""
        ...


@runtime_checkable
class Hearing(Judge, Protocol):
    """A judge that writes down what it hears."""

    def hear(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> str:
        """The words of one clip, as the recogniser writes them."""
        ...


@runtime_checkable
class Quality(Judge, Protocol):
    """A judge that rates how natural a clip sounds."""

    def quality(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> float:
        """A mean opinion score, 1 (bad) to 5 (excellent)."""
        ...


@runtime_checkable
class Similarity(Judge, Protocol):
    """A judge that compares voices."""

    def likeness(
        self,
        samples: Float[np.ndarray, " samples"],
        rate_hz: int,
        other: Float[np.ndarray, " others"],
        other_rate_hz: int,
    ) -> float:
        """How alike the speakers of two clips are: a cosine, 1 for the same sound."""
        ...


class Comparing(ABC):
    """A judge that compares voices by the vectors that it makes of them."""

    @abstractmethod
    def embed(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """The voice as numbers.

        Raises:
            AudioError: nobody speaks.
        """

    def likeness(
        self,
        samples: Float[np.ndarray, " samples"],
        rate_hz: int,
        other: Float[np.ndarray, " others"],
        other_rate_hz: int,
    ) -> float:
        """The cosine between both voices."""
        return cosine(self.embed(samples, rate_hz), self.embed(other, other_rate_hz))


def sound_at(
    samples: np.ndarray, rate_hz: int, wanted_hz: int, least: int = 0
) -> Float[np.ndarray, " samples"]:
    """A clip in float32 at a judge's rate, finite; silence after it makes ``least`` samples."""
    sound = Audio(samples=np.asarray(samples, np.float32), rate_hz=rate_hz).at(wanted_hz).samples
    return np.pad(np.nan_to_num(sound), (0, max(0, least - len(sound))))


def voice_at(
    samples: np.ndarray, rate_hz: int, wanted_hz: int, least: int
) -> Float[np.ndarray, " samples"]:
    """A clip in which somebody speaks, in float32 at a judge's rate.

    Raises:
        AudioError: it has fewer than ``least`` samples, or is silent.
    """
    sound = sound_at(samples, rate_hz, wanted_hz)
    if len(sound) < least or not sound.any():
        raise AudioError(NOBODY)
    return sound


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine between two vectors."""
    one, other = np.asarray(one, np.float64).ravel(), np.asarray(other, np.float64).ravel()
    return float(one @ other / max(1e-12, np.linalg.norm(one) * np.linalg.norm(other)))


def identity_of(
    name: str, package: str, path: Path, settings: dict[str, Any], weights: str = ""
) -> Identity:
    """The identity of a judge whose weights are one file, by the package that is installed."""
    return Identity(
        name=name,
        package=package,
        version=metadata.version(package),
        weights=weights or path.name,
        sha256=file_sha256(path),
        settings=settings,
    )


def package_file(package: str, name: str) -> Path:
    """A file inside an installed package, by the end of its name.

    Raises:
        FileNotFoundError: the package holds no such file.
    """
    for entry in metadata.files(package) or ():
        if str(entry).endswith(name):
            return Path(str(entry.locate()))
    raise FileNotFoundError(f"the package {package} holds no file {name}")
