"""A rewriting rule, and how a table of them is applied.

Each topic of the normaliser (money, dates, units, ...) is one table: a pattern, and the words it
becomes. The rules of a table are applied in order, each one to the whole text.
"""

import re
from collections.abc import Callable, Iterable

Spoken = str | Callable[[re.Match[str]], str]
Rule = tuple[re.Pattern[str], Spoken]

BLANKS = re.compile(r"\s+")


def rule(pattern: str, spoken: Spoken) -> Rule:
    """Make one rule.

    Args:
        pattern: a regular expression; write ``(?i)`` in front if upper and lower case are the same.
        spoken: the replacement, or a function that makes it from the match.
    """
    return re.compile(pattern), spoken


def one_of(words: Iterable[str]) -> str:
    """Make the pattern that matches any of these words, the longest first."""
    ranked = sorted(words, key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re.escape(word) for word in ranked) + ")"


def rewrite(text: str, rules: Iterable[Rule]) -> str:
    """Apply rules in order; runs of blanks become one blank."""
    for pattern, spoken in rules:
        text = pattern.sub(spoken, text)
    return BLANKS.sub(" ", text).strip()
