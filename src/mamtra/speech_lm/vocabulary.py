"""The ids that the speech language model reads and writes, derived from the number of codes.

With V speech codes the ids 0 .. V-1 are sound. Three more follow, as in CosyVoice 2: the end of
speech, an id that was never used, and "fill", with which the model asks for more text when text and
speech arrive interleaved. Start and task are not ids of this vocabulary: they have a table of their
own and are never written.
"""

from dataclasses import dataclass

from mamtra.errors import ConfigError

START = 0  # row of the special table: opens every sequence
TASK = 1  # row of the special table: "the text is complete, speak now"
SPECIAL_ROWS = 2
EXTRA_IDS = 3  # end, unused, fill


@dataclass(frozen=True, slots=True)
class SpeechVocabulary:
    """The speech ids of one model.

    Attributes:
        codes: number of speech codes of the speech tokenizer.
    """

    codes: int

    def __post_init__(self) -> None:
        if self.codes < 1:
            raise ConfigError(
                f"a speech vocabulary of {self.codes} codes is empty; give at least 1"
            )

    @property
    def end(self) -> int:
        """The id that ends the speech."""
        return self.codes

    @property
    def unused(self) -> int:
        """An id that exists in CosyVoice 2's tables and is never spoken."""
        return self.codes + 1

    @property
    def fill(self) -> int:
        """The id that asks for more text."""
        return self.codes + 2

    @property
    def size(self) -> int:
        """Number of ids, the width of the head."""
        return self.codes + EXTRA_IDS
