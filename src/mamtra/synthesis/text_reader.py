"""How a model reads text: one small object for each form of text.

A reader cuts text into the pieces that are spoken one after the other, and turns a piece into ids.
Whatever differs between the forms is known here and nowhere else: letters or byte pairs, how long a
piece may be, who writes numbers as words, and whether a mark ends an instruction.
"""

from dataclasses import dataclass
from pathlib import Path

from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ConfigError, NothingToSpeakError
from mamtra.text.bpe import ADDED_TOKENS, QwenTokenizer, added_tokens3
from mamtra.text.chatterbox import ChatterboxTokenizer
from mamtra.text.frontend import (
    KEPT_TAGS,
    PieceBudget,
    frontend_pieces,
    frontend_text,
    has_control_marks,
)
from mamtra.text.markup import plain_text
from mamtra.text.normalize import normalize
from mamtra.text.notes import notes, notes_on_tags
from mamtra.text.pronunciations import read_pronunciations
from mamtra.text.split import pieces, split_sentences
from mamtra.text.tokenizer import NanoTokenizer

LETTERS, QWEN, QWEN3, CHATTERBOX = "letters", "qwen", "cosyvoice3", "chatterbox"
END_OF_PROMPT = "<|endofprompt|>"
ENDS = (".", "?", "!")
OPEN_MARKS = " ,;:-"
# of the longest piece, from CosyVoice 2's 80, 60 and 20 tokens
SHORTEST_SHARE, REST_SHARE = 3 / 4, 1 / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """How a model reads text.

    Attributes:
        tokenizer: ``letters`` is one id for each letter, mark or phone; ``qwen`` is byte pairs with
            CosyVoice 2's added tokens, whose files lie in the model's folder; ``cosyvoice3`` the
            same with CosyVoice 3's; ``chatterbox`` that of Chatterbox's English.
        piece_characters: longest text in letters that is spoken at once; what the model was trained
            on.
        piece_tokens: the same for text in byte pairs, in tokens.
        pronunciations: the file in the model's folder that tells the phones of words; empty for a
            model that reads letters only.
        reads_prompts: whether the language model was trained to go on from a prompt's words and
            speech.
        bistream: whether the language model was trained on text and speech in alternation, so that
            it can speak while its text is arriving.
        opening: a sentence that stands before every instruction, and alone with the end mark where
            there is no instruction.
    """

    tokenizer: str = LETTERS
    piece_characters: int = 100
    piece_tokens: int = 80
    pronunciations: str = ""
    reads_prompts: bool = False
    bistream: bool = False
    opening: str = ""

    def __post_init__(self) -> None:
        if self.tokenizer not in (known := (LETTERS, QWEN, QWEN3, CHATTERBOX)):
            raise ConfigError(
                f"unknown text tokenizer {self.tokenizer!r}; known: {', '.join(known)}"
            )
        for name in ("piece_characters", "piece_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        if self.pronunciations != Path(self.pronunciations).name:
            raise ConfigError(
                f"pronunciations={self.pronunciations!r} must name a file in the model's folder"
            )


def closed(piece: str) -> str:
    """The piece with a mark that ends a sentence; models of letters have read nothing else.

    A piece cut at a comma would otherwise be an unfinished sentence, and a model that waits for the
    rest may not find the end.
    """
    return piece if piece.endswith(ENDS) else piece.rstrip(OPEN_MARKS) + "."


class LettersReader:
    """English in letters and phones, numbers written as words by our own rules.

    Args:
        config: how long a piece may be, and which file tells the phones of words.
        folder: where that file lies.

    Raises:
        ModelError: the file is missing or broken.
    """

    end_of_prompt: int | None = None
    opening = ""
    lead: tuple[int, ...] = ()

    def __init__(self, config: TextConfig, folder: Path) -> None:
        self.config = config
        name = config.pronunciations
        self.tokenizer = NanoTokenizer(read_pronunciations(folder / name) if name else None)

    def encode(self, piece: str) -> list[int]:
        """The ids of one piece, read as a finished sentence."""
        return self.tokenizer.encode(closed(piece))

    def notes(self, text: str) -> list[str]:
        """What will be left out of a text, or read as words though it looks like markup."""
        return notes(text)

    def whole(self, text: str, spoken: bool = True) -> str:
        """Text as it is spoken, in one piece whatever its length.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
        """
        if not spoken and not any(map(str.isalnum, text)):
            raise NothingToSpeakError("the text holds nothing to speak; give at least one word")
        return normalize(text) if spoken else " ".join(text.split())

    def pieces(self, text: str, spoken: bool = True) -> list[str]:
        """Text as it is spoken, in pieces of a sentence or so.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
        """
        found = []
        # whole sentences are normalised, so that no cut comes between a number and its unit
        for sentence in split_sentences(plain_text(text) if spoken else text):
            try:
                found.append(self.whole(sentence, spoken))
            except NothingToSpeakError:  # a sentence in another script is left out
                continue
        found = [*map(closed, found[:-1]), *found[-1:]] or [self.whole(text, spoken)]
        return pieces(" ".join(found), self.config.piece_characters)


def budget_of(config: TextConfig) -> PieceBudget:
    """How long a piece in byte pairs may be."""
    longest = config.piece_tokens
    return PieceBudget(
        longest=longest,
        shortest=int(SHORTEST_SHARE * longest),
        rest=int(REST_SHARE * longest),
    )


class QwenReader:
    """Any language in Qwen's byte pairs, with CosyVoice 2's frontend.

    Args:
        config: how long a piece may be.
        folder: where the vocabulary lies.

    Raises:
        ModelError: the vocabulary is missing or broken.
        MissingExtraError: the package ``tokenizers`` is not installed.
    """

    def __init__(self, config: TextConfig, folder: Path) -> None:
        self.tokenizer = QwenTokenizer(
            folder, added_tokens3() if config.tokenizer == QWEN3 else ADDED_TOKENS
        )
        self.opening = config.opening
        self.budget = budget_of(config)

    @property
    def end_of_prompt(self) -> int | None:
        """The id that ends an instruction."""
        return self.tokenizer.added[END_OF_PROMPT]

    @property
    def lead(self) -> tuple[int, ...]:
        """Ids that stand before a text without an instruction."""
        ids = self.tokenizer.encode(self.opening)
        return (*ids, self.tokenizer.added[END_OF_PROMPT]) if ids else ()

    def encode(self, piece: str) -> list[int]:
        """The ids of one piece; the frontend has closed it."""
        return self.tokenizer.encode(piece)

    def notes(self, text: str) -> list[str]:
        """Tags that will be left out of a text; byte pairs can write every letter."""
        return [] if has_control_marks(text) else notes_on_tags(text, KEPT_TAGS)

    def whole(self, text: str, spoken: bool = True) -> str:
        """Text as it is spoken, in one piece whatever its length.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
            MissingExtraError: the normaliser is not installed.
        """
        return frontend_text(text, "wetext" if spoken else "none")

    def pieces(self, text: str, spoken: bool = True) -> list[str]:
        """Text as it is spoken, in pieces of a sentence or so.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
            MissingExtraError: the normaliser is not installed.
        """
        normaliser = "wetext" if spoken else "none"
        return frontend_pieces(
            text, lambda part: len(self.encode(part)), normaliser, budget=self.budget
        )


class ChatterboxReader:
    """English in Chatterbox's byte pairs, numbers written as words by our own rules.

    Args:
        config: how long a piece may be.
        folder: where the vocabulary lies.

    Raises:
        ModelError: the vocabulary is missing or broken.
        MissingExtraError: the package ``tokenizers`` is not installed.
    """

    end_of_prompt: int | None = None
    opening = ""
    lead: tuple[int, ...] = ()

    def __init__(self, config: TextConfig, folder: Path) -> None:
        self.tokenizer = ChatterboxTokenizer(folder)
        self.budget = budget_of(config)

    def encode(self, piece: str) -> list[int]:
        """The ids of one piece."""
        return self.tokenizer.encode(piece)

    def notes(self, text: str) -> list[str]:
        """What will be left out of a text, or read as words though it looks like markup."""
        return notes(text)

    def whole(self, text: str, spoken: bool = True) -> str:
        """Text as it is spoken, in one piece whatever its length.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
        """
        return frontend_text(text, "own" if spoken else "none", "en")

    def pieces(self, text: str, spoken: bool = True) -> list[str]:
        """Text as it is spoken, in pieces of a sentence or so.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
        """
        normaliser = "own" if spoken else "none"
        return frontend_pieces(
            text, lambda part: len(self.encode(part)), normaliser, "en", self.budget
        )


Tokenizer = NanoTokenizer | QwenTokenizer | ChatterboxTokenizer
Reader = LettersReader | QwenReader | ChatterboxReader
READERS: dict[str, type[Reader]] = {
    LETTERS: LettersReader,
    QWEN: QwenReader,
    QWEN3: QwenReader,
    CHATTERBOX: ChatterboxReader,
}


def reader_for(config: TextConfig, folder: Path) -> Reader:
    """The reader that a model's config asks for.

    Raises:
        ModelError: a file that it needs is missing or broken.
        MissingExtraError: a package that it needs is not installed.
    """
    return READERS[config.tokenizer](config, folder)


def model_reader(folder: ModelFolder) -> Reader:
    """How a model reads text.

    Raises:
        ModelError: a file that it needs is missing or broken.
        MissingExtraError: a package that it needs is not installed.
    """
    return reader_for(folder.section("text", TextConfig), folder.holder("text").folder)
