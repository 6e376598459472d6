"""The ids that the speech language model reads and writes, derived from the number of codes.

With V speech codes the ids 0 .. V-1 are sound. Marks follow: the end of speech, "fill", with which
the model asks for more text when text and speech arrive interleaved, and ids without a meaning.
CosyVoice 2 has three marks (end, unused, fill), CosyVoice 3 has 200, of which the second is the end
and the fourth is fill. Start and task are not ids of this vocabulary: they have a table of their
own and are never written.
"""

from dataclasses import dataclass

from mamtra.errors import ConfigError

START = 0  # row of the special table: opens every sequence
TASK = 1  # row of the special table: "the text is complete, speak now"
SPECIAL_ROWS = 2
EXTRA_IDS = 3  # CosyVoice 2: end, unused, fill


@dataclass(frozen=True, slots=True)
class SpeechVocabulary:
    """The speech ids of one model.

    Attributes:
        codes: number of speech codes of the speech tokenizer.
        marks: number of ids behind them.
        end_mark, fill_mark: which of the marks are the end and fill, from 0.
        any_mark_ends: whether every mark ends the speech, not the end alone.
    """

    codes: int
    marks: int = EXTRA_IDS
    end_mark: int = 0
    fill_mark: int = 2
    any_mark_ends: bool = False

    def __post_init__(self) -> None:
        if self.codes < 1:
            raise ConfigError(
                f"a speech vocabulary of {self.codes} codes is empty; give at least 1"
            )
        if not 0 <= self.end_mark < self.marks or not 0 <= self.fill_mark < self.marks:
            raise ConfigError(
                f"end_mark={self.end_mark} and fill_mark={self.fill_mark} must be two of the "
                f"{self.marks} marks, from 0"
            )

    @property
    def end(self) -> int:
        """The id that ends the speech."""
        return self.codes + self.end_mark

    @property
    def fill(self) -> int:
        """The id that asks for more text."""
        return self.codes + self.fill_mark

    @property
    def unused(self) -> tuple[int, ...]:
        """Marks that exist in the tables and are never learned."""
        marks = range(self.codes, self.size)
        return tuple(mark for mark in marks if mark not in (self.end, self.fill))

    @property
    def stops(self) -> range:
        """The ids after which nothing is spoken."""
        if self.any_mark_ends:
            return range(self.codes, self.size)
        return range(self.end, self.end + 1)

    def forbidden(self, *, may_end: bool, may_fill: bool = False) -> tuple[int, ...]:
        """Marks that may not be drawn next.

        Where any mark ends the speech, only the end is kept back, as in CosyVoice 3: forbidding
        marks that hardly ever come would change what is drawn of the others.

        Args:
            may_end: the speech may end here.
            may_fill: text and speech are interleaved, and more text can be asked for.
        """
        if self.any_mark_ends:
            return () if may_end else (self.end,)
        never = self.unused if may_fill else (*self.unused, self.fill)
        return never if may_end else (self.end, *never)

    @property
    def size(self) -> int:
        """Number of ids, the width of the head."""
        return self.codes + self.marks
