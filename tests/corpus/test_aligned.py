"""Symbols with durations become phones with times, and a clip that fits them."""

import numpy as np
import pytest

from mamtra.corpus.synthetic.aligned import GRAIN, RATE_HZ, phones_of, spoken, words_of_symbols
from mamtra.corpus.synthetic.manifest import Corpus, Utterance, write_shard
from mamtra.corpus.synthetic.spoken import PHONES


def named(symbols: str, durations: list[int] | None = None) -> list[str]:
    return [
        phone.name for phone in phones_of(f"_{symbols}_", durations or [4] * (len(symbols) + 2))
    ]


def test_stress_goes_to_the_next_phone_and_r_into_the_vowel_before_it() -> None:
    assert named("bˈɜɹd") == ["pau", "b", "er", "d", "pau"]
    assert named("dˈɑktəɹ") == ["pau", "d", "aa", "k", "t", "er", "pau"]
    assert named("əɹˈWnd") == ["pau", "ax", "r", "aw", "n", "d", "pau"]
    found = phones_of("_bˈi_", [4, 2, 1, 3, 5])
    assert [(phone.name, phone.start, phone.end) for phone in found][2] == ("iy", 6, 10)


def test_a_short_blank_is_a_gap_and_a_long_one_a_pause() -> None:
    assert named("sˈi mˈi", [4, 1, 1, 1, 2, 1, 1, 1, 4]) == ["pau", "s", "iy", "m", "iy", "pau"]
    assert named("sˈi, mˈi").count("pau") == 3, "four units are long for a mark only"


def test_words_have_phones_when_text_and_symbols_agree() -> None:
    assert words_of_symbols("See the butter.", "sˈi ðə bˈʌTəɹ.") == [
        ("See", ["s", "iy"]),
        ("the", ["dh", "ax"]),
        ("butter.", ["b", "ah", "t", "er"]),
    ]
    assert words_of_symbols("IBM said", "ˈI bˈi ˈɛm sˈɛd") == []


def test_a_clip_is_cut_to_whole_tokens_and_its_phones_lie_inside_it() -> None:
    durations = [12, 4, 2, 8, 10, 6]
    samples = np.zeros(sum(durations) * 600, np.float32)
    samples[12 * 600 - 1200 : 30 * 600] = 0.2
    pitch = np.where(np.arange(len(samples) // 300) > 20, 200.0, 0.0)
    clip = spoken("See.", "sˈi.", durations, samples, pitch)
    assert clip is not None
    assert len(clip.samples) % GRAIN == 0
    assert clip.phones == ["pau", "s", "iy", "pau", "pau"]
    assert set(clip.phones) <= set(PHONES)
    assert clip.starts[1] == pytest.approx(0.08 * RATE_HZ, abs=1)
    assert clip.ends[-1] == len(clip.samples)
    assert all(start <= end for start, end in zip(clip.starts, clip.ends, strict=True))
    assert clip.pitch is not None
    assert len(clip.pitch) == len(clip.samples) // 480
    assert spoken(".", ".", [4, 4, 4], np.zeros(7200, np.float32)) is None


def test_pitch_comes_back_from_a_corpus(tmp_path) -> None:
    (tmp_path / "corpus.json").write_text('{"rate_hz": 24000, "voices": {"heart": {}}}')
    rows = [
        Utterance(
            id=f"u{place}", text="", voice="heart", split="train", shard="s", words=[], phones="",
            offset=place * 960, samples=960,
        )
        for place in range(2)
    ]  # fmt: skip
    clips, pitches = [np.zeros(960, np.int16)] * 2, [np.full(2, 100.0), np.full(2, 200.0)]
    write_shard(tmp_path, "s", clips, rows, pitches)
    corpus = Corpus.open(tmp_path)
    assert corpus.rate_hz == 24_000
    assert corpus.pitch(corpus.utterances[1]).tolist() == [200.0, 200.0]
