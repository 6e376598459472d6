"""The tokenizer of nano: letters, marks and phones, from one fixed table.

Text is read letter by letter, and a word may be given in the phones of flite's American English
inside braces, as in ``{hh ax l ow} world``. A phone is its own symbol: the phone ``{b}`` and the
letter ``b`` have different ids. With pronunciations the tokenizer puts the words that they know in
phones by itself.

The table is part of every trained model: its order never changes, new symbols go to the end.
"""

import re
from collections.abc import Iterable, Sequence

from mamtra.errors import TextError
from mamtra.text.phones import PHONES, plain_phone
from mamtra.text.pronunciations import Pronunciations

PADDING = "<pad>"
MARKS = (" ", "'", ".", ",", "?", "!", ";", ":", "-")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
SYMBOLS = (PADDING, *MARKS, *LETTERS, *(f"{{{phone}}}" for phone in PHONES))

SPAN = re.compile(r"\{([^{}]*)\}")
PHONE_RUN = re.compile(r"\}\{")


class NanoTokenizer:
    """Text to ids and back, over the fixed symbol table; index 0 is padding.

    Args:
        pronunciations: words to read in phones.
    """

    symbols: tuple[str, ...] = SYMBOLS

    def __init__(self, pronunciations: Pronunciations | None = None) -> None:
        self.pronunciations = pronunciations
        self._ids = {symbol: index for index, symbol in enumerate(self.symbols)}

    @property
    def size(self) -> int:
        """Number of ids, padding included."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Give the ids of normalised text; upper case reads as lower case.

        Args:
            text: letters, marks, spaces, and words in phones inside braces.

        Raises:
            TextError: a character or a phone is not in the table, or a brace has no partner.
        """
        if self.pronunciations is not None:
            text = self.pronunciations.spell(text)
        ids: list[int] = []
        # the split puts what stood inside braces at the odd places
        for place, part in enumerate(SPAN.split(text)):
            ids += self._phones(part) if place % 2 else self._letters(part)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Give the text that encodes to these ids; padding is left out.

        Raises:
            TextError: an id is outside the table.
        """
        symbols: list[str] = []
        for index in ids:
            if not 0 <= index < self.size:
                raise TextError(
                    f"id {index} is not in the symbol table; ids go from 0 to {self.size - 1}"
                )
            if index:
                symbols.append(self.symbols[index])
        return PHONE_RUN.sub(" ", "".join(symbols))

    def words(self, ids: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Where each word lies: its first id, and the one after its last.

        Letters and phones belong to words, and marks inside of one (don't) too.
        """
        inside = [index > len(MARKS) for index in ids]
        starts = [place for place in range(len(ids)) if inside[place]]
        found: list[tuple[int, int]] = []
        for place in starts:
            joined = found and all(
                self.symbols[ids[between]] == "'" for between in range(found[-1][1], place)
            )
            if joined:
                found[-1] = (found[-1][0], place + 1)
            else:
                found.append((place, place + 1))
        return tuple(found)

    def phones(self, ids: Sequence[int]) -> list[tuple[str, ...]]:
        """The phones of each word of ``words``; none for one that holds letters."""
        found: list[tuple[str, ...]] = []
        for first, end in self.words(ids):
            symbols = [self.symbols[index] for index in ids[first:end]]
            in_phones = all(symbol[0] == "{" for symbol in symbols)
            found.append(tuple(symbol[1:-1] for symbol in symbols) if in_phones else ())
        return found

    def _letters(self, part: str) -> list[int]:
        for character in part:
            if character in "{}":
                raise TextError(
                    f"brace {character!r} without its partner in {part!r}; "
                    "write a word in phones as {hh ax l ow}"
                )
            if character.lower() not in self._ids:
                raise TextError(
                    f"character {character!r} cannot be read as it stands, only letters and "
                    f"{' '.join(MARKS[1:])}; write it as a word, or leave --no-normalize out (in "
                    "Python normalize=False)"
                )
        return [self._ids[character.lower()] for character in part]

    def _phones(self, part: str) -> list[int]:
        phones = part.split()
        if not phones:
            raise TextError("braces without phones; write a word in phones as {hh ax l ow}")
        return [self._ids[f"{{{plain_phone(phone)}}}"] for phone in phones]
