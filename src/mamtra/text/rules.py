"""A rewriting rule, and how a table of them is applied.

Each topic of the normaliser (money, dates, units, ...) is one table: a pattern, and the words it
becomes. The rules of a table are applied in order, each one to the whole text.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

Spoken = str | Callable[[re.Match[str]], str]

BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class LatePattern:
    """A regular expression that is compiled when a text is first searched for it.

    Most of the rules are about figures, and most texts have none.
    """

    source: str

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The expression itself."""
        return re.compile(self.source)

    def sub(self, spoken: Spoken, text: str) -> str:
        """Replace what is found, as ``re.Pattern.sub`` does."""
        return self.compiled.sub(spoken, text)


Rule = tuple[LatePattern, Spoken]


def rule(pattern: str, spoken: Spoken) -> Rule:
    """Make one rule.

    Args:
        pattern: a regular expression; write ``(?i)`` in front if upper and lower case are the same.
        spoken: the replacement, or a function that makes it from the match.
    """
    return LatePattern(pattern), spoken


def one_of(words: Iterable[str]) -> str:
    """Make the pattern that matches any of these words, the longest first."""
    ranked = sorted(words, key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re.escape(word) for word in ranked) + ")"


def rewrite(text: str, rules: Iterable[Rule]) -> str:
    """Apply rules in order; runs of blanks become one blank."""
    for pattern, spoken in rules:
        text = pattern.sub(spoken, text)
    return BLANKS.sub(" ", text).strip()
