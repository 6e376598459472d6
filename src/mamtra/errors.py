"""Every error that mamtra raises on purpose, in one tree.

A message says what was given, what is possible and what to do, in lower case and without a full
stop. The command line prints it as it is and ends with the class's ``exit_code``; those codes are
documented in docs/commands.md and never change.
"""

import importlib
from types import ModuleType

from mamtra.extras import install_command


class MamtraError(Exception):
    """Something the caller can mend; the parent of every error below."""

    exit_code = 1


class ConfigError(MamtraError, ValueError):
    """A configuration value that cannot work, or an unknown key."""

    exit_code = 3


class LayoutError(ConfigError):
    """A hybrid layout that names an unknown layer kind or does not fit the number of layers."""


class TextError(MamtraError, ValueError):
    """Text that is empty, or holds nothing that can be spoken."""

    exit_code = 4


class NothingToSpeakError(TextError):
    """Text without a word that can be spoken; a part of a longer text is left out for it."""


class VoiceError(MamtraError, ValueError):
    """A voice that is unknown or whose file cannot be used."""

    exit_code = 5


class ModelError(MamtraError, ValueError):
    """A model that is unknown, missing or of the wrong kind."""

    exit_code = 6


class CheckpointError(ModelError):
    """Weights that do not fit the model: tensors left over, missing or of another shape."""


class AudioError(MamtraError, ValueError):
    """Audio that cannot be read, written or used."""

    exit_code = 7


class CorpusError(MamtraError, ValueError):
    """A corpus folder, manifest or sentence list that cannot be used."""

    exit_code = 8


class MissingExtraError(MamtraError, ImportError):
    """An optional package or a build-time tool that is not installed."""

    exit_code = 9


class GenerationError(MamtraError, RuntimeError):
    """Speech generation that could not finish."""

    exit_code = 10


class TrainingError(MamtraError, RuntimeError):
    """Training that had to stop; the last checkpoint is intact."""

    exit_code = 11


LISTED = 12  # names that an error message shows before it counts the rest


def listed(names: list[str]) -> str:
    """Names for an error message: the first few, then how many more."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def thread_refused(problem: BaseException) -> bool:
    """Whether the system gave no further thread; Python tells it by a plain RuntimeError."""
    return isinstance(problem, RuntimeError) and "can't start new thread" in str(problem)


def require(module: str, extra: str) -> ModuleType:
    """Import an optional package.

    Args:
        module: its import name.
        extra: the extra of mamtra that installs it.

    Raises:
        MissingExtraError: it is not installed; the message names the pip command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        name = (missing.name or module).partition(".")[0]
        raise MissingExtraError(
            f"this needs the package {name!r}, which is not installed; "
            f"run: {install_command(extra)}"
        ) from missing
