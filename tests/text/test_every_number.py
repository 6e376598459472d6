"""No number is left out, whatever signs stand around it: each is a word of its own in what is read.

Faces (``8)``, ``=3``), hearts (``<3``) and list marks are left out or read otherwise, and once took
numbers with them.
"""

import re

import pytest

from mamtra.text.normalize import normalize

NUMBERS = [*range(130), 200, 300, 333, 383, 800, 833, 838, 999, 1000, 1010, 1999, 2024, 8333, 83000]
SINGLE = """zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
hundred thousand"""
ENDS = ("", "s", "es", "ies")  # sixes, seventies
WORDS = {
    one.removesuffix("y" if end == "ies" else "") + end for one in SINGLE.split() for end in ENDS
}
FRAMES = """
{}|It was {}.|({})|[{}]|{}) Go.|{}-3 was it|#{} is up|No. {} is up|page {}: go|{}* is|it ={} now
x={}|{}> of|a {}, b|{}!|{}?|'{}'|"{}"|{}/|~{}|+{}|{}+|{}-|@{}|{}&|{};|*{}*|_{}_|`{}`
{}'s|${}|{}$|€{}|{}%|{}°|{}k|{}K|{}M|{}x|x{}|{}D|{}p|{}P|{}o|Room {}|{} of 3|- {}|* {}|{} -|• {}
# {}|> {}|{}...|…{}|({}), then|{} |It (p. {}) is
"""


@pytest.mark.parametrize("frame", re.split(r"[|\n]", FRAMES.strip()))
def test_a_number_is_never_left_out(frame: str) -> None:
    lost, others = [], len(re.findall(r"\d", frame))
    for number in NUMBERS:
        spoken = normalize(frame.format(number)).lower()
        words = [word for word in re.findall(r"[a-z]+", spoken) if word in WORDS]
        if len(words) <= others:
            lost.append((frame.format(number), spoken))
    assert not lost


@pytest.mark.parametrize("face", [":)", ":-(", ":3", ";)", "=D", "=)", "8-)", ":P", "XD", "^_^"])
def test_a_face_is_left_out(face: str) -> None:
    assert normalize(f"I like it {face}") == "I like it"
    assert normalize(f"Nice {face} and warm.") == "Nice and warm."
