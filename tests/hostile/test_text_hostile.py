"""Hostile texts, thousands of them from a seed: only MamtraError leaves, and nothing grows wild.

python -m pytest tests/hostile/test_text_hostile.py -m "slow or not slow"     all of them
"""

import random
import string
from collections.abc import Iterator

import pytest

from mamtra.errors import MamtraError
from mamtra.text.frontend import frontend_pieces
from mamtra.text.lexicon import Lexicon, lexicon_of
from mamtra.text.normalize import normalize
from mamtra.text.notes import notes
from mamtra.text.pauses import passages
from mamtra.text.split import pieces
from mamtra.text.tokenizer import NanoTokenizer

QUICK, ALL = 1_500, 22_000
LONGEST_SIGN = 30  # characters that one sign becomes at most, as ≥ does
LONGEST_PROBLEM = 500
BUDGET = 100  # characters of a piece

WRITTEN = """
St. Dr. etc. e.g. U.S. A I II XLV No. Jan. May Mon. 5 1/2 3:30 pm a.m. -5 1,000 .5 2024 1990s '90s
$ £ % & @ # ^2 10⁶ / - -- – − ( ) " ' … . , ? ! : ; www.a.com a@b.co x kg km/h °C USA CEOs v2.0 IT
World don't {ax} {HH AX0} {qq} { } ½ ² é 😀 世 HELLO THE + = ~ * _ < > \\ 10-10-10 555-1234 +1 (0)20
<b> </b> <p <!-- --> <break/> [pause 1] [pause] <break time="1s"/> &amp; &#39; &#0; &#xD800; &nbsp
[a](b) ``` > 1:1-3 5-6 24" 6' 4x4 1.2E6 ₹1,00,000 €12,50 1.000.000 4111 1111 0800 123 CA 90210 911
"""
FRAGMENTS = WRITTEN.split()
ODD = [
    "\0",
    "\ud800",
    "\udcff",
    "\ufeff",
    "\u202e",
    "\u0301",
    "\u200b",
    "\x1b[31m",
    "\r",
    "\t",
    "\n",
]
PLAIN = [*string.ascii_letters, *string.digits, *string.punctuation, " ", " "]


def one_text(dice: random.Random) -> str:
    """One text of one of five kinds."""
    match dice.randrange(5):
        case 0:
            parts = [*FRAGMENTS, *PLAIN]
            return "".join(dice.choices(parts, k=dice.randrange(1, 30)))
        case 1:
            return " ".join(dice.choices(FRAGMENTS, k=dice.randrange(1, 20)))
        case 2:
            return "".join(chr(dice.randrange(0x110000)) for _ in range(dice.randrange(1, 40)))
        case 3:
            return dice.choice([*FRAGMENTS, *PLAIN]) * dice.randrange(1, 200)
    return "".join(dice.choices([*PLAIN, *ODD, *FRAGMENTS], k=dice.randrange(1, 40)))


def texts(count: int, seed: int) -> Iterator[str]:
    """So many texts, the same for a seed."""
    dice = random.Random(seed)
    return (one_text(dice) for _ in range(count))


def read_all_ways(text: str, lexicon: Lexicon, tokenizer: NanoTokenizer) -> None:
    """Read a text in every way there is; bounds hold where it can be read."""
    notes(text)
    passages(text)
    assert len(lexicon.apply(text)) <= 10 * len(text)
    spoken = normalize(text)
    assert len(spoken) <= LONGEST_SIGN * (len(text) + 2)
    assert tokenizer.encode(spoken)
    assert all(len(piece) <= BUDGET for piece in pieces(spoken, BUDGET))
    frontend_pieces(text, len, "own")


def refused(count: int, seed: int) -> list[str]:
    """What was said to the texts that were refused; the others were read."""
    lexicon, tokenizer = lexicon_of({"world": "{w er l d}", "a b": "see"}), NanoTokenizer()
    problems = []
    for text in texts(count, seed):
        try:
            read_all_ways(text, lexicon, tokenizer)
        except MamtraError as problem:
            problems.append(str(problem))
        except Exception as problem:
            raise AssertionError(f"{text!r} raised {problem!r}") from problem
    return problems


def check(problems: list[str], count: int) -> None:
    """Some texts are refused, most are read, and a refusal is one sentence."""
    assert 0 < len(problems) < count / 2
    assert not [
        problem for problem in problems if "\n" in problem or len(problem) > LONGEST_PROBLEM
    ]


def test_hostile_texts_are_read_or_refused() -> None:
    check(refused(QUICK, seed=0), QUICK)


@pytest.mark.slow
def test_22_000_hostile_texts_are_read_or_refused() -> None:
    check(refused(ALL, seed=1), ALL)
