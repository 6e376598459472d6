"""Which words a reference and a transcript are compared as: a rule for each profile.

    spoken       numbers, money and abbreviations written out as English words, no marks (ours)
    seed-tts     Seed-TTS-eval's: marks deleted, small letters; Chinese by characters
    leaderboard  Whisper's English normaliser, as speech recognition leaderboards use it

Seed-TTS-eval writes nothing out: "50" against "fifty" is a wrong word there, in every published
figure. A profile also says which mean is reported first: Seed-TTS-eval takes the mean of the
utterances' rates, leaderboards all wrong words over all words. Both are always computed.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mamtra.errors import ConfigError, require
from mamtra.evaluation.word_errors import plain_words

EXTRA = "judges"
# zhon.hanzi.punctuation of zhon 2.1.1, which Seed-TTS-eval deletes (run_wer.py)
HANZI_PUNCTUATION = (
    "＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､\u3000、〃〈〉《》「」『』【】"  # noqa: RUF100
    "〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏﹑﹔·．！？｡。"
)
SEED_DELETED = str.maketrans("", "", (HANZI_PUNCTUATION + string.punctuation).replace("'", ""))

Rule = Callable[[str], str]


def seed_english(text: str) -> str:
    """Seed-TTS-eval's rule for English."""
    return text.translate(SEED_DELETED).replace("  ", " ").lower()


def seed_chinese(text: str) -> str:
    """Seed-TTS-eval's rule for Chinese: every character is a word; simplified ones are expected."""
    return " ".join(text.translate(SEED_DELETED).replace("  ", " "))


@cache
def whisper_normaliser() -> Rule:
    """Whisper's English normaliser, by the package of that name.

    Raises:
        MissingExtraError: whisper-normalizer is not installed.
    """
    return require("whisper_normalizer.english", EXTRA).EnglishTextNormalizer()


def leaderboard(text: str) -> str:
    """Whisper's rule for English."""
    return whisper_normaliser()(text)


@dataclass(frozen=True, slots=True)
class Profile:
    """How figures are made.

    Attributes:
        rules: a text rule for each language.
        first: ``mean of utterances`` or ``all words``: the rate that is reported first.
    """

    name: str
    rules: dict[str, Rule]
    first: str

    def rule(self, language: str) -> Rule:
        """The text rule of a language.

        Raises:
            ConfigError: the profile does not know the language.
        """
        if language not in self.rules:
            raise ConfigError(
                f"the profile {self.name} has no rule for language {language!r}; "
                f"it knows {', '.join(self.rules)}"
            )
        return self.rules[language]


UTTERANCES, WORDS = "mean of utterances", "all words"
SEED = {"en": seed_english, "zh": seed_chinese}
PROFILES = {
    "spoken": Profile("spoken", {"en": plain_words}, WORDS),
    "seed-tts": Profile("seed-tts", SEED, UTTERANCES),
    "f5": Profile("f5", SEED, UTTERANCES),
    "leaderboard": Profile("leaderboard", {"en": leaderboard}, WORDS),
}


def profile_named(name: str) -> Profile:
    """A profile by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PROFILES:
        raise ConfigError(f"profile {name!r} is unknown; known: {', '.join(PROFILES)}")
    return PROFILES[name]
