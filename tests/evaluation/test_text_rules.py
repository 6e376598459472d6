"""The text rules: Seed-TTS-eval's on 60 written pairs, made by its own steps on paper."""

import string

import pytest

from mamtra.errors import ConfigError
from mamtra.evaluation.text_rules import (
    HANZI_PUNCTUATION,
    PROFILES,
    profile_named,
    seed_chinese,
    seed_english,
)

# what the original does: every mark of zhon.hanzi.punctuation and string.punctuation but ' is
# deleted (not replaced by a blank), two blanks become one in one pass, then small letters
ENGLISH = [
    ("Hello there.", "hello there"),
    ("It's late", "it's late"),
    ("It’s late", "its late"),
    ("‘Quoted’ words", "quoted words"),
    ("a well-known sight", "a wellknown sight"),
    ("twenty-five", "twentyfive"),
    ("The price is $3.50.", "the price is 350"),
    ("50 people", "50 people"),
    ("100%", "100"),
    ("e-mail@home", "emailhome"),
    ("a, b, c", "a b c"),
    ("one - two", "one two"),
    ("one -- two", "one two"),
    ("one – two", "one two"),
    ("one—two", "onetwo"),
    ("one — two", "one two"),
    ("one   two", "one  two"),
    ("one    two", "one  two"),
    (" lead", " lead"),
    ("trail ", "trail "),
    ("(in brackets)", "in brackets"),
    ("[in] {braces}", "in braces"),
    ('she said "no"', "she said no"),
    ("“no” she said", "no she said"),
    ("what?!", "what"),
    ("wait...", "wait"),
    ("wait…", "wait"),
    ("a/b", "ab"),
    ("a\\b", "ab"),
    ("a_b", "ab"),
    ("U.S.A.", "usa"),
    ("Dr. Smith", "dr smith"),
    ("9:30", "930"),
    ("C'EST ÇA", "c'est ça"),
    ("naïve café", "naïve café"),
    ("rock 'n' roll", "rock 'n' roll"),
    ("#1 & #2", "1 2"),
    ("~tilde^ `tick`", "tilde tick"),
    ("x = y + z", "x y z"),
    ("x < y > z | w", "x y z w"),
    ("", ""),
    ("...", ""),
    ("Mixed。Marks，here", "mixedmarkshere"),
    ("dot · dot", "dot dot"),
]
CHINESE = [
    ("你好。", "你 好"),
    ("你好，世界！", "你 好 世 界"),
    ("今天天气很好", "今 天 天 气 很 好"),
    ("“引号”", "引 号"),
    ("《书名》", "书 名"),
    ("一、二、三", "一 二 三"),
    ("三点五", "三 点 五"),
    ("3.5", "3 5"),
    ("AI 技术", "A I   技 术"),
    ("什么？", "什 么"),
    ("（括号）", "括 号"),
    ("破折——号", "破 折 号"),
    ("省略……号", "省 略 号"),
    ("全角　空格", "全 角 空 格"),
    ("it's", "i t ' s"),
    ("", ""),
]


def test_there_are_sixty_pairs() -> None:
    assert len(ENGLISH) + len(CHINESE) == 60


@pytest.mark.parametrize(("text", "words"), ENGLISH)
def test_the_english_rule_is_seed_tts_evals(text: str, words: str) -> None:
    assert seed_english(text) == words


@pytest.mark.parametrize(("text", "words"), CHINESE)
def test_the_chinese_rule_is_seed_tts_evals(text: str, words: str) -> None:
    assert seed_chinese(text) == words


@pytest.mark.parametrize("text", [text for text, _ in [*ENGLISH, *CHINESE]])
def test_deleting_all_marks_at_once_is_deleting_them_one_by_one(text: str) -> None:
    stripped = text
    for mark in HANZI_PUNCTUATION + string.punctuation:
        stripped = stripped if mark == "'" else stripped.replace(mark, "")
    assert seed_english(text) == stripped.replace("  ", " ").lower()


def test_the_marks_are_those_of_zhon() -> None:
    hanzi = pytest.importorskip("zhon.hanzi", reason="zhon is not installed")
    assert set(HANZI_PUNCTUATION) == set(hanzi.punctuation)


def test_the_leaderboard_writes_what_whisper_would() -> None:
    pytest.importorskip("whisper_normalizer", reason="whisper-normalizer (extra judges) is missing")
    rule = PROFILES["leaderboard"].rule("en")
    assert rule("It's twenty-five colours, Mr. Smith!") == "it is 25 colors mister smith"


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="known: spoken, seed-tts, f5, leaderboard"):
        profile_named("mine")
