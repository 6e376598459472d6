"""Names that a file says how to say."""

from pathlib import Path

import pytest

from mamtra.errors import TextError
from mamtra.text.lexicon import lexicon_of, read_lexicon
from mamtra.text.normalize import normalize

NAMES = """\
# names
Nguyen\t{w ih n}
Siobhan\tshivawn

La Jolla\tla hoya
HALLO\tHH AX L OW1
Polish\tpoh lish
data\tDay ta
"""


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "names.txt"
    file.write_text(NAMES, encoding="utf-8")
    return file


def test_known_words_are_said_as_the_file_says(names: Path) -> None:
    read = read_lexicon(names).apply
    assert read("Siobhan Nguyen, of La  Jolla.") == "shivawn {w ih n}, of la hoya."
    assert read("HALLO!") == "{hh ax l ow}!"


def test_a_lower_case_entry_holds_for_every_case_and_one_with_a_capital_for_itself(
    names: Path,
) -> None:
    assert (
        read_lexicon(names).apply("Data, DATA; polish Polish") == "Day ta, Day ta; polish poh lish"
    )


def test_a_name_may_own_something(names: Path) -> None:
    read = read_lexicon(names).apply
    assert read("Siobhan's and Nguyen’s") == "shivawn's and {w ih n z}"
    assert lexicon_of({"Kate": "{k ey t}"}).apply("Kate's") == "{k ey t s}"
    assert lexicon_of({"O'Brien": "obrine"}).apply("O’Brien’s") == "obrine's"
    assert lexicon_of({"O’Brien": "obrine"}).apply("O'Brien") == "obrine"
    assert normalize(read("Nguyen's 5 cats")) == "{w ih n z} five cats"


def test_parts_of_words_and_words_in_phones_stay() -> None:
    assert lexicon_of({"art": "aht"}).apply("party art {aa r t} art-house") == (
        "party aht {aa r t} art-house"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Nguyen {w ih n}", "no entry"),
        ("\t{w ih n}", "no entry"),
        ("Nguyen\t", "no entry"),
        ("Nguyen\t{w qq n}", "unknown phone 'qq'"),
        ("Nguyen\t{w ih n", "a brace without its partner"),
        ("a,b\tay", "leave its marks out"),
        ("x" * 101 + "\tex", "too long"),
    ],
)
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "names.txt"
    file.write_text(f"fine\tfain\n{line}\n", encoding="utf-8")
    with pytest.raises(TextError, match=rf"line 2 of .*{problem}"):
        read_lexicon(file)


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="cannot read "):
        read_lexicon(tmp_path / "missing.txt")
    (tmp_path / "bytes.txt").write_bytes(b"a\t\xff")
    with pytest.raises(TextError, match="UTF-8"):
        read_lexicon(tmp_path / "bytes.txt")
