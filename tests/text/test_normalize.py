"""Written English to spoken English, topic by topic, and what holds for any text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamtra.errors import TextError
from mamtra.text.normalize import normalize
from mamtra.text.tokenizer import NanoTokenizer

NUMBERS = {
    "0": "zero",
    "105 cats": "one hundred and five cats",
    "1,234,567": "one million two hundred and thirty four thousand five hundred and sixty seven",
    "3.14": "three point one four",
    ".5": "point five",
    "it is -5": "it is minus five",
    "agent 007": "agent zero zero seven",
    "1234512345123451": " ".join(["one two three four five"] * 3 + ["one"]),
    "1st, 2nd, 3rd and 21st": "first, second, third and twenty first",
    "5-10 people": "five to ten people",
    "5–10": "five to ten",
    "1/2 cup": "one half cup",
    "3/4": "three quarters",
    "5 1/2 hours": "five and a half hours",
    "3½": "three and a half",
    "open 24/7": "open twenty four seven",
    "10.0.1.1": "ten dot zero dot one dot one",
    "3.5e-3": "three point five times ten to the power of minus three",
    "2x faster": "two times faster",
    "1920x1080": "nineteen twenty by ten eighty",
    "10K views": "ten thousand views",
    "٤٢ things": "forty two things",
}
DATES = {
    "in 1999": "in nineteen ninety nine",
    "It was 2024.": "It was twenty twenty four.",
    "2024 items": "two thousand and twenty four items",
    "since 2005": "since two thousand five",
    "in 1905": "in nineteen oh five",
    "in 1500": "in fifteen hundred",
    "1999-2004": "nineteen ninety nine to two thousand four",
    "the 1990s": "the nineteen nineties",
    "the '80s": "the eighties",
    "March 3rd, 2024": "March third, twenty twenty four",
    "Jan. 5": "January fifth",
    "3 March 2024": "the third of March, twenty twenty four",
    "the 4th of July": "the fourth of July",
    "June 5-7, 2021": "June fifth to seventh, twenty twenty one",
    "March 2024": "March twenty twenty four",
    "12/25/2023": "December twenty fifth, twenty twenty three",
    "25/12/2023": "December twenty fifth, twenty twenty three",
    "2024-11-23": "November twenty third, twenty twenty four",
    "99/99/23": "ninety nine slash ninety nine slash twenty three",
}
TIMES = {
    "3:30 pm": "three thirty pee em",
    "12:05": "twelve oh five",
    "9am": "nine ay em",
    "at 9 a.m. sharp": "at nine ay em sharp",
    "He left at 5 p.m. Then we slept.": "He left at five pee em. Then we slept.",
    "3:00": "three o'clock",
    "15:00": "fifteen hundred",
    "9:30-10:45": "nine thirty to ten forty five",
    "9-11am": "nine to eleven ay em",
    "a 16:9 screen": "a sixteen to nine screen",
}
MONEY = {
    "$3.50": "three dollars and fifty cents",
    "£20": "twenty pounds",
    "€5": "five euros",
    "20€": "twenty euros",
    "5 USD": "five dollars",
    "$1": "one dollar",
    "$1.00": "one dollar",
    "$0.99": "ninety nine cents",
    "$0": "zero dollars",
    "$1.2 million": "one point two million dollars",
    "$1 million": "one million dollars",
    "$5k": "five thousand dollars",
    "-$5": "minus five dollars",
    "$5-$10": "five dollars to ten dollars",
    "$5-10": "five to ten dollars",
    "$5-10.50": "five to ten point five zero dollars",
    "a $5 bill": "a five dollar bill",
    "50¢": "fifty cents",
    "$2/day": "two dollars per day",
    "$1,250.05": "one thousand two hundred and fifty dollars and five cents",
}
UNITS = {
    "2.5 kg": "two point five kilograms",
    "1 kg": "one kilogram",
    "1/2 kg": "one half kilogram",
    "60 mph": "sixty miles per hour",
    "5 km": "five kilometers",
    "a 5-km run": "a five kilometer run",
    "a 10-year-old": "a ten year-old",
    "20°C": "twenty degrees Celsius",
    "-5 °F": "minus five degrees Fahrenheit",
    "100 m²": "one hundred square meters",
    "5 km/h": "five kilometers per hour",
    "10 m/s^2": "ten meters per second squared",
    "50%": "fifty percent",
    "5-10 km": "five to ten kilometers",
    "6'2\" tall": "six feet two inches tall",
    "He is 5 ft. tall.": "He is five feet tall.",
    "He ran 5 mi.": "He ran five miles.",
}
ABBREVIATIONS = {
    "Dr. Smith": "doctor Smith",
    "Mr. and Mrs. Hill": "mister and missus Hill",
    "Mulholland Dr. is long": "Mulholland Drive is long",
    "St. Paul's in St. Louis": "Saint Paul's in Saint Louis",
    "5 Main St. is here": "five Main Street is here",
    "apples, pears, etc.": "apples, pears, et cetera.",
    "apples, etc., and more": "apples, et cetera, and more",
    "Apples, etc. Then we left.": "Apples, et cetera. Then we left.",
    "e.g. this, i.e. that": "for example this, that is that",
    "us vs. them": "us versus them",
    "No. 5": "number five",
    "Say no.": "Say no.",
    "World War II": "World War two",
    "Henry VIII": "Henry the eighth",
    "Louis XIV": "Louis the fourteenth",
    "Rocky III": "Rocky three",
    "and/or w/o": "and or without",
}
ADDRESSES = {
    "555-123-4567": "five five five, one two three, four five six seven",
    "(555) 123-4567": "five five five, one two three, four five six seven",
    "555-1234": "five five five, one two three four",
    "+44 20 7946 0958": "plus four four, two zero, seven nine four six, zero nine five eight",
    "Call 911 now": "Call nine one one now",
    "https://example.com/a-b": "example dot com slash ay dash bee",
    "Go to example.com.": "Go to example dot com.",
    "john.doe@example.co.uk": "john dot doe at example dot co dot you kay",
    "open file.txt": "open file dot tee ex tee",
}
LETTERS = {
    "the USA": "the you ess ay",
    "the U.S. Army": "the you ess Army",
    "in the U.S.": "in the you ess.",
    "NASA": "nasa",
    "two CEOs": "two see ee ohs",
    "AT&T": "ay tee and tee",
    "MP3": "em pee three",
    "COVID-19": "covid nineteen",
    "F-16": "eff sixteen",
    "v2.0": "version two point zero",
    "iOS": "eye oh ess",
    "a PhD": "a pee aitch dee",
    "plan B": "plan bee",
    "J. R. R. Tolkien": "jay are are Tolkien",
    "I said A": "I said ay",
    "THIS IS A VERY LOUD TEXT, ISN'T IT": "this is a very loud text, isn't it",
    "That is NOT okay": "That is not okay",
}
SIGNS = {
    "salt & pepper": "salt and pepper",
    "1 + 2 = 3": "one plus two equals three",
    "#1": "number one",
    "#fun": "hashtag fun",
    "@bob": "at bob",
    "x^2": "ex squared",
    "3 × 4": "three times four",
    "“Hello”—he said": "Hello, he said",
    "it’s ‘naïve’": "it's naive",
    "well... maybe...": "well, maybe.",
    "Wait…": "Wait.",
    "What?!!": "What?",
    "one (or two) left": "one, or two, left",
    "a well-known trick": "a well-known trick",
    "wait - what": "wait, what",
    "Hello 😀 world 世界": "Hello world",
    "one\n\ntwo": "one. two",
    "Buy:\n- milk\n- eggs": "Buy. milk. eggs",
    "**bold** `code` _under_": "bold code under",
    "rock 'n' roll": "rock and roll",
}
PHONES = {
    "{hh ax l ow} world": "{hh ax l ow} world",
    "I say {hh ax l ow}, 5 times": "I say {hh ax l ow}, five times",
    "{name} has {5} cats": "name has five cats",
}
TOPICS = (NUMBERS, DATES, TIMES, MONEY, UNITS, ABBREVIATIONS, ADDRESSES, LETTERS, SIGNS, PHONES)
CASES = [case for topic in TOPICS for case in topic.items()]


@pytest.mark.parametrize(("written", "spoken"), CASES, ids=[written for written, _ in CASES])
def test_written_text_is_spoken_as_expected(written: str, spoken: str) -> None:
    assert normalize(written) == spoken


def test_one_sentence_may_hold_many_topics() -> None:
    written = "On 3/14/2024 at 9:30 a.m., Dr. Lee paid $12.50 (about 10%) for 2.5 kg at St. Mary's."
    assert normalize(written) == (
        "On March fourteenth, twenty twenty four at nine thirty ay em, doctor Lee paid twelve "
        "dollars and fifty cents, about ten percent, for two point five kilograms at Saint Mary's."
    )


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_text_is_an_error(text: str) -> None:
    with pytest.raises(TextError, match="text is empty"):
        normalize(text)


@pytest.mark.parametrize("text", ["...", "😀😀", "世界", "?!", "-", "{}", "\0"])
def test_text_with_nothing_to_speak_is_an_error(text: str) -> None:
    with pytest.raises(TextError, match="can be spoken"):
        normalize(text)


def test_unknown_phone_in_braces_is_named() -> None:
    with pytest.raises(TextError, match="unknown phone 'qq'"):
        normalize("{hh qq}")


def check(text: str) -> None:
    try:
        spoken = normalize(text)
    except TextError:
        return
    assert re.fullmatch(r"(?:[A-Za-z'.,?!;:\- ]|\{[A-Za-z\s]+\})+", spoken)
    assert NanoTokenizer().encode(spoken)
    assert normalize(spoken) == spoken


EXAMPLES = 150
TRICKY = """
St. Dr. etc. e.g. U.S. A I II No. Jan. May Mon. 5 1/2 3:30 pm a.m. -5 1,000 .5 2024 1990s '90s
$ £ % & @ # ^2 / - -- – ( ) " ' … . , ? ! : ; www.a.com a@b.co x kg km/h °C USA CEOs v2.0 hello
World don't {ax} {qq} { } ½ ² é 😀 世 HELLO THE + = ~ * _ < > \\ 10-10-10 555-1234 +1
"""
FRAGMENTS = st.sampled_from([*TRICKY.split(), "\n", "\0", " ", "{hh ax}"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=60))
def test_any_characters_give_encodable_stable_text_or_a_text_error(text: str) -> None:
    check(text)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.one_of(FRAGMENTS, st.just(" ")), max_size=12))
def test_any_mix_of_topics_gives_encodable_stable_text_or_a_text_error(parts: list[str]) -> None:
    check("".join(parts))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(alphabet="0123456789.,:/-$%'ahkmpst ", max_size=24))
def test_any_figures_give_encodable_stable_text_or_a_text_error(text: str) -> None:
    check(text)


@pytest.mark.parametrize("figures", ["{}", "1/{}", "{}/2", "{}:30", "${}", "{} kg", "{}%", "1-{}"])
def test_figures_of_any_length_are_spoken(figures: str) -> None:
    spoken = normalize(figures.format("9" * 5000))
    assert spoken.count("nine") >= 5000


@pytest.mark.parametrize("part", ["www.", "1-", "a.b", "12 Main ", "1.1.", "A.", "1,000,"])
def test_long_repetitive_text_is_no_trap(part: str) -> None:
    assert normalize(part * 1000)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("A", "ay"),
        ("a.", "ay."),
        ("I?", "eye?"),
        ("OK", "okay"),
        ("7", "seven"),
        ("(b)", "bee"),
        ("(a)", "ay"),
        ("I", "eye"),
        ("Z!", "zee!"),
    ],
)
def test_a_text_of_one_letter_or_figure_is_a_word(written: str, spoken: str) -> None:
    assert normalize(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("The author is J. R. R. Tolkien.", "The author is jay are are Tolkien."),
        ("T. rex and E. coli died.", "tee rex and ee coli died."),
        ("He has a B.Sc. and a car.", "He has a bee ess see and a car."),
        ("See Section IV.B for it.", "See Section four bee for it."),
        ("It leaves at 5 p.m. EST.", "It leaves at five pee em ee ess tee."),
        ("Meet me on Oak Dr. Then we go.", "Meet me on Oak Drive. Then we go."),
        ("I met the Dr. He was kind.", "I met the doctor. He was kind."),
        ("Thanks Dr. You were great.", "Thanks doctor You were great."),
        ("On Tues. Sept. 5 we met.", "On Tuesday September fifth we met."),
        ("Closed Sat, Sun.", "Closed Saturday, Sunday."),
    ],
)
def test_a_full_stop_is_left_where_a_sentence_ends_and_nowhere_else(
    written: str, spoken: str
) -> None:
    assert normalize(written) == spoken


def test_phones_may_be_written_as_dictionaries_write_them() -> None:
    assert normalize("{HH AX L OW1} to {AH0 B AW1 T}") == "{hh ax l ow} to {ax b aw t}"
    assert NanoTokenizer().encode("{HH AH0 L OW1}") == NanoTokenizer().encode("{hh ax l ow}")


@pytest.mark.parametrize("text", ["a \ud800 b", "\udcff", "\udc80" * 5000])
def test_what_was_not_utf_8_is_one_sentence(text: str) -> None:
    with pytest.raises(TextError, match="not UTF-8: character"):
        normalize(text)
