"""Reading takes time in proportion to the text, whatever is repeated in it.

Times are compared with each other, never with a clock: four times the text may take five times as
long. Times below a few milliseconds tell nothing and pass.
"""

import contextlib
import string
import time
import timeit
from collections.abc import Callable

import pytest

from mamtra.errors import TextError
from mamtra.text.normalize import normalize
from mamtra.text.split import pieces, split_sentences

SHORT, LONG = 4_000, 16_000
RATIO = 5.0
TELLING_SECONDS = 0.05  # a long text that takes less is quick enough for any rule

CHARACTERS = [*string.digits, *string.ascii_letters, *string.punctuation]
PHRASES = (
    "www.", "a.b", "12 Main ", "1.1.", "A.", "1,000,", "Dr. ", "$5 ", "5 kg ", "<!--", "<p ", "<b>",
    "[a](", "&amp;", "{hh ", "a@b.", "10-", "5/5 ", "\n", "  \n", "1 ", "Mon-", "Jan ", "I ", "XX",
    "(5", '"5" ', "é", "²", "a 5 by ", "5 5/", "1 000 ", "+1 ", "0 ", "call 9", "code: ", "[pause ",
)  # fmt: skip


def seconds(read: Callable[[str], object], unit: str, length: int, rounds: int) -> float:
    """Time that reading takes of this thread, garbage collection apart: the best of the rounds."""
    text = (unit * length)[:length]

    def once() -> None:
        with contextlib.suppress(TextError):
            read(text)

    return min(timeit.repeat(once, timer=time.thread_time, number=1, repeat=rounds))


def grows_faster(read: Callable[[str], object], unit: str) -> bool:
    """Whether four times the text takes five times as long; asked again before it is believed."""
    for rounds in (1, 3, 5):
        whole = seconds(read, unit, LONG, rounds)
        if whole < TELLING_SECONDS or whole < RATIO * seconds(read, unit, SHORT, rounds):
            return False
    return True


def slower(read: Callable[[str], object], units: list[str]) -> list[str]:
    """The units whose time grows faster than their length."""
    return [unit for unit in units if grows_faster(read, unit)]


READERS = [normalize, split_sentences, lambda text: pieces(text, 100)]


@pytest.mark.slow
@pytest.mark.parametrize("read", READERS, ids=["normalize", "split_sentences", "pieces"])
def test_every_character_and_phrase_is_read_in_linear_time(read: Callable[[str], object]) -> None:
    assert len(CHARACTERS) == 94
    assert not slower(read, [*CHARACTERS, *PHRASES])


@pytest.mark.parametrize("read", READERS, ids=["normalize", "split_sentences", "pieces"])
def test_dots_and_what_was_slow_once_are_read_in_linear_time(read: Callable[[str], object]) -> None:
    assert not slower(read, [".", "/", "X", "`", "3"])
