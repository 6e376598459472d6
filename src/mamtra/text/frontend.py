"""CosyVoice 2's text frontend: normalised text in pieces of a good number of tokens.

As in the original, sentences are gathered until a piece has enough tokens, a short rest joins the
last piece, and text with control marks (``<|`` and ``|>``) passes untouched. Other than there,
figures and abbreviations are never cut ("$3.50", "Dr. Smith"), a sentence that is far too long is
cut at commas or between words, and languages other than English and Chinese keep their numbers.

What wetext reads badly in English (1,234 loses its "one", addresses and phone numbers, money with
cents) is written as words by our own tables before it, brackets, quotes and case left as they are.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from mamtra.errors import ConfigError, NothingToSpeakError, TextError, require
from mamtra.text import ranges
from mamtra.text.bpe import ADDED_TOKENS
from mamtra.text.markup import plain_text
from mamtra.text.normalize import figures, normalize
from mamtra.text.rules import rewrite, rule
from mamtra.text.split import PHRASE, Measure, cut, split_sentences

# what CosyVoice 2 and 3 read
KEPT_TAGS = frozenset(token for token in ADDED_TOKENS if not token.startswith("<|"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
KANA = re.compile(r"[\u3040-\u30ff]")
# a dot or a colon between figures ends nothing; a closing quote stays with its mark
CHINESE_SENTENCE = re.compile(r".*?(?:[。？！；：、?!;]+|[.:](?!\w))[\"”’」』]*|.+$", re.DOTALL)
CHINESE_CLAUSE = re.compile(r"(?<=[，,])")
ENDS = ".?!;:。？！；：、，,…\"'”’」』)）>"

CHINESE_SIGNS = (
    rule(r"[（）【】()\[\]`]|——", ""),
    rule(r"(?<![!-~])\s+|\s+(?![!-~])", ""),  # blanks stay between Latin words only
    rule(r" - ", "，"),
    rule(r"²", "平方"),
    rule(r"³", "立方"),
    rule(r"(?<=[\u4e00-\u9fff])\.(?!\w)", "。"),
    rule(r"[，、,]+$", "。"),
)
# after our own tables: the blanks they leave before marks
ENGLISH_BLANKS = (rule(r" +(?=[.,?!;:])", ""),)
ESCAPED = (rule(r'\\(?=["\\])', ""),)  # wetext escapes quotes and backslashes and leaves them so


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceBudget:
    """How long a piece may be, in text tokens; the defaults are CosyVoice 2's.

    Attributes:
        longest: a piece ends before this many tokens, once it has more than ``shortest``.
        shortest: a piece with fewer tokens takes in the next sentence.
        rest: a last piece shorter than this joins the one before.
    """

    longest: int = 80
    shortest: int = 60
    rest: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.rest <= self.shortest <= self.longest or self.longest < 1:
            raise ConfigError(
                f"rest={self.rest}, shortest={self.shortest}, longest={self.longest} are not "
                "0 <= rest <= shortest <= longest with longest at least 1"
            )


def has_control_marks(text: str) -> bool:
    """Whether a text is written for the model, mark by mark, and passes untouched."""
    return "<|" in text and "|>" in text


def language_of(text: str) -> str:
    """Guess between Japanese, Chinese and English from the characters."""
    if KANA.search(text):
        return "ja"
    return "zh" if CHINESE.search(text) else "en"


def numbers_in_words(text: str, language: str) -> str:
    """Say the numbers of a language that has no normaliser here, and leave the rest as it is.

    Raises:
        TextError: the language is unknown.
    """
    from num2words import num2words

    def say(match: re.Match[str]) -> str:
        whole = match[0].replace(",", ".")
        return num2words(float(whole) if "." in whole else int(whole), lang=language)

    try:
        return re.sub(r"\d{1,15}(?:[.,]\d{1,6})?(?!\d)", say, text)
    except NotImplementedError as unknown:
        raise TextError(
            f"no numbers are known for language {language!r}; give a language code such as 'de' or "
            "'fr', or switch the normaliser off with 'none'"
        ) from unknown


def english_figures(text: str) -> str:
    """Write addresses, abbreviations and figures as words; letters, quotes and brackets stay."""
    return rewrite(figures(rewrite(text, ranges.RULES)), ENGLISH_BLANKS)


def by_sentences(text: str, say: Callable[[str], str]) -> str:
    """Say each sentence by itself: in one, a full stop counts as an abbreviation's.

    Raises:
        NothingToSpeakError: there is nothing to be said in any.
    """
    found: list[str] = []
    for sentence in split_sentences(text):
        with suppress(NothingToSpeakError):  # as a line of asterisks
            found.append(say(sentence))
    closed = [one if one[-1:] in ENDS else f"{one}." for one in found[:-1]]
    return " ".join([*closed, *found[-1:]]) or say(text)


@cache
def loaded(kind: Any, language: str) -> Any:
    """A normaliser of wetext, whose tables take a third of a second to read."""
    return kind(lang=language)


def normalised(text: str, language: str, normaliser: str) -> str:
    """Write text as it is spoken, by the chosen normaliser.

    Raises:
        TextError: our own normaliser was asked for a language other than English.
        ConfigError: there is no such normaliser.
        MissingExtraError: wetext was asked for and is not installed.
    """
    if normaliser != "none":
        text = plain_text(text, KEPT_TAGS if normaliser == "wetext" else ())
    match normaliser:
        case "none":
            return text
        case "own":
            if language != "en":
                raise TextError(
                    f"the own normaliser reads English only, not {language!r}; "
                    "use 'wetext' or 'none'"
                )
            return by_sentences(text, normalize)
        case "wetext":
            if language not in ("en", "zh", "ja"):
                return numbers_in_words(text, language)
            prepared = by_sentences(text, english_figures) if language == "en" else text
            kind = require("wetext", "cosyvoice").Normalizer
            spoken = rewrite(loaded(kind, language).normalize(prepared), ESCAPED)
            return rewrite(spoken, CHINESE_SIGNS) if language == "zh" else spoken
    raise ConfigError(f"normaliser={normaliser!r} is unknown; use 'wetext', 'own' or 'none'")


def gather(parts: list[str], count: Measure, budget: PieceBudget, joint: str) -> list[str]:
    """Join sentences into pieces of a good length."""
    gathered: list[str] = []
    for part in parts:
        joined = f"{gathered[-1]}{joint}{part}" if gathered else part
        full = count(joined) > budget.longest and count(gathered[-1] if gathered else "") > (
            budget.shortest
        )
        if gathered and not full:
            gathered[-1] = joined
        else:
            gathered.append(part)
    if len(gathered) > 1 and count(gathered[-1]) < budget.rest:
        rest = gathered.pop()
        gathered[-1] += joint + rest
    return gathered


def cut_chinese(sentence: str, longest: int) -> list[str]:
    """Cut a sentence without blanks: at commas, and every ``longest`` characters if that fails."""
    clauses = CHINESE_CLAUSE.split(sentence) if len(sentence) > longest else [sentence]
    return [c[i : i + longest] for c in clauses for i in range(0, len(c), longest)]


def frontend_text(text: str, normaliser: str = "wetext", language: str | None = None) -> str:
    """Give text as it is spoken, in one piece: for the words of a prompt.

    Args:
        text: with ``<|`` and ``|>`` in it, it comes back as it is.
        normaliser: as for ``frontend_pieces``.
        language: as for ``frontend_pieces``.

    Raises:
        TextError: the text is empty or holds nothing to speak.
        MissingExtraError: the normaliser is not installed.
    """
    if has_control_marks(text):
        return text
    language = language or language_of(text)
    spoken = normalised(text.strip(), language, normaliser) if text.strip() else ""
    if not any(map(str.isalnum, spoken)):
        raise NothingToSpeakError(
            "the text holds nothing to speak; give at least one word or number"
        )
    return spoken


def frontend_pieces(
    text: str,
    count: Callable[[str], int],
    normaliser: str = "wetext",
    language: str | None = None,
    budget: PieceBudget | None = None,
) -> list[str]:
    """Give the pieces of text that CosyVoice 2 speaks one after the other.

    Args:
        text: what to say; with ``<|`` and ``|>`` in it, it comes back as one untouched piece.
        count: how many tokens a text has; Chinese and Japanese are measured in characters.
        normaliser: who writes numbers and signs as words: "wetext", "own", or "none" to leave
            them to the model.
        language: "en", "zh", "ja" or another language's code; None guesses from the characters.
        budget: how long a piece may be.

    Raises:
        TextError: the text is empty or holds nothing to speak.
        MissingExtraError: the normaliser is not installed.
    """
    if has_control_marks(text):
        return [text]
    budget = budget or PieceBudget()
    language = language or language_of(text)
    spoken = frontend_text(text, normaliser, language)
    if language in ("zh", "ja"):
        sentences = [s.strip() for s in CHINESE_SENTENCE.findall(spoken) if s.strip()]
        parts = [c for s in sentences for c in cut_chinese(s, budget.longest)]
        measure, joint, end = len, "", "。"
    else:
        phrases = [p for s in split_sentences(spoken) for p in PHRASE.split(s)]
        parts = [c for p in phrases for c in cut(p, budget.longest, count)]
        measure, joint, end = count, " ", "."
    parts = [part for part in parts if any(map(str.isalnum, part))]
    if parts[-1][-1] not in ENDS:
        parts[-1] += end
    return gather(parts, measure, budget, joint)
