"""Which head of a model's folder follows the text."""

from mamtra.checkpoints.format import ModelFolder
from mamtra.config import from_dict
from mamtra.speech_lm.reading import ReadingConfig


def reading_of(folder: ModelFolder) -> ReadingConfig | None:
    """The reading head of the language model in a folder; never that of a donor's other model.

    Raises:
        ConfigError: the section holds what is no head.
    """
    holder = folder.holder("speech_lm")
    if holder.config.reading is None:
        return None
    return from_dict(ReadingConfig, holder.config.reading, str(holder.folder), "reading")
