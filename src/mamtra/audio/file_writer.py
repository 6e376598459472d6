"""A sound file that grows piece by piece, so that a book is never in memory.

It grows beside its place and is renamed when it is closed: a reader meets the old file or the new
one, whole and playable, never half of one.
"""

import os
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
from jaxtyping import Float

from mamtra.atomic import partial_path
from mamtra.audio.clip import FORMATS, check_target
from mamtra.errors import AudioError


class GrowingSound:
    """A sound file being written; use it in a ``with`` statement.

    However the block ends, what was written is kept: an interrupted chapter can be played. A block
    that wrote nothing leaves no file.

    Args:
        path: where it shall be; the suffix is the format.
        rate_hz: samples a second.
        comment: goes into the file's metadata.

    Raises:
        AudioError: it cannot be written there, or not in that format.
    """

    def __init__(self, path: Path | str, rate_hz: int, comment: str = "") -> None:
        self.path = Path(os.path.realpath(check_target(path)))  # a link stays, its target changes
        self.rate_hz = rate_hz
        self.samples = 0
        self.broken = False
        self.partial = partial_path(self.path)
        container, encoding = FORMATS[self.path.suffix.lower()]
        try:
            self.file = soundfile.SoundFile(
                self.partial, "w", rate_hz, 1, encoding, format=container
            )
            if comment:
                self.file.comment = comment
        except (OSError, soundfile.LibsndfileError) as problem:
            self.partial.unlink(missing_ok=True)
            raise self.failed(problem) from problem

    def failed(self, problem: Exception) -> AudioError:
        """What to raise when the disk or the format refuses."""
        return AudioError(f"cannot write {str(self.path)!r}: {problem}")

    @property
    def seconds(self) -> float:
        """How much was written."""
        return self.samples / self.rate_hz

    def write(self, samples: Float[np.ndarray, " samples"]) -> None:
        """Add samples; what lies beyond -1 and 1 is cut off.

        Raises:
            AudioError: a sample is infinite or not a number, or the disk is full.
        """
        if not np.isfinite(samples).all():
            raise AudioError("the samples hold infinite values or NaN; they were not written")
        try:
            self.file.write(np.clip(samples, -1, 1))
        except (OSError, soundfile.LibsndfileError) as problem:
            self.broken = True
            raise self.failed(problem) from problem
        self.samples += len(samples)

    def playable(self) -> bool:
        """Whether what lies on the disk can be opened and holds sound."""
        try:
            return soundfile.info(str(self.partial)).frames > 0
        except (OSError, soundfile.LibsndfileError):
            return False

    def close(self) -> None:
        """Put the file in its place; after a failed write only if what was written can be played.

        Raises:
            AudioError: the disk is full.
        """
        try:
            with suppress(soundfile.LibsndfileError) if self.broken else nullcontext():
                self.file.close()
            if self.samples and (not self.broken or self.playable()):
                os.replace(self.partial, self.path)
        except (OSError, soundfile.LibsndfileError) as problem:
            raise self.failed(problem) from problem
        finally:
            self.partial.unlink(missing_ok=True)

    def __enter__(self) -> "GrowingSound":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
