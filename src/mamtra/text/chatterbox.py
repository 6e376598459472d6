"""The text of Chatterbox's English model: its punctuation, and the byte pairs of its own
``tokenizer.json``, in which a blank is an id.
"""

from collections.abc import Sequence
from pathlib import Path

from mamtra.errors import ModelError, require

TOKENIZER = "tokenizer.json"
SPACE = "[SPACE]"
# tts.py: punc_norm; in this order, since a later one may meet what an earlier one wrote
MARKS = (
    ("...", ", "),
    ("…", ", "),
    (":", ","),
    (" - ", ", "),
    (";", ", "),
    ("—", "-"),
    ("–", "-"),
    (" ,", ","),
    ("“", '"'),
    ("”", '"'),
    ("‘", "'"),
    ("’", "'"),
)
ENDS = (".", "!", "?", "-", ",")


def punctuated(text: str) -> str:
    """Text as the model has read it: a capital first, few marks, and one of them at the end."""
    text = " ".join(text.split())
    text = text[:1].upper() + text[1:]
    for written, read in MARKS:
        text = text.replace(written, read)
    text = text.rstrip(" ")
    return text if text.endswith(ENDS) else f"{text}."


class ChatterboxTokenizer:
    """Text to ids, without the marks around them.

    Args:
        folder: where ``tokenizer.json`` lies.

    Raises:
        ModelError: it is missing or broken.
        MissingExtraError: the package ``tokenizers`` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        tokenizers = require("tokenizers", "cosyvoice")
        path = folder / TOKENIZER
        if not path.is_file():
            raise ModelError(f"no {TOKENIZER} in {str(folder)!r}; import Chatterbox again with it")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as broken:  # the package raises bare exceptions for every kind of bad file
            raise ModelError(
                f"cannot read the vocabulary in {str(path)!r} ({broken}); fetch it again"
            ) from broken
        if self._tokenizer.token_to_id(SPACE) is None:
            raise ModelError(f"{str(path)!r} has no {SPACE}; give that of Chatterbox's English")

    @property
    def size(self) -> int:
        """Number of ids, added ones included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        """The ids of a piece of text."""
        return self._tokenizer.encode(punctuated(text).replace(" ", SPACE)).ids

    def words(self, ids: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """None: no attention head is known that follows them."""
        del ids
        return ()
