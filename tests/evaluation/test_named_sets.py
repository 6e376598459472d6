"""Test sets by name: their lines, and the lists of others."""

from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import Audio, write
from mamtra.errors import ConfigError, CorpusError
from mamtra.evaluation.named_sets import BINS, LINES_OF_BIN, bin_of, open_set, words_in


def test_held_out_sentences_are_sets_by_name() -> None:
    assert len(open_set("everyday").lines) >= 200
    assert len(open_set("unpredictable").lines) >= 60
    assert open_set("answers").lines[0].id == "0001"


def test_the_length_set_has_lines_of_1_to_62_words_in_every_bin() -> None:
    lines = open_set("length").lines
    words = [words_in(line.text) for line in lines]
    assert (min(words), max(words)) == (1, 62)
    assert [sum(bin_of(count) == most for count in words) for most in BINS] == [LINES_OF_BIN] * 12
    assert open_set("length") == open_set("length")
    assert all(line.text.endswith(".") and line.text[0].isupper() for line in lines)


def test_longer_lines_are_a_bin_of_their_own() -> None:
    assert [bin_of(words) for words in (1, 5, 6, 62, 63)] == [5, 5, 10, 62, 63]


def test_a_libritts_tree_is_read_by_the_number_of_words(tmp_path: Path) -> None:
    for speaker in range(7):
        folder = tmp_path / f"{speaker}" / "1"
        folder.mkdir(parents=True)
        for words in (3, 20, 70):
            text = " ".join(["word"] * words)
            (folder / f"{speaker}_{words}.normalized.txt").write_text(text + "\n")
    lines = open_set(f"libri-length:{tmp_path}").lines
    assert [words_in(line.text) for line in lines] == [3] * LINES_OF_BIN + [20] * LINES_OF_BIN
    assert lines == open_set(f"libri-length:{tmp_path}").lines


def test_a_librispeech_tree_is_read_by_the_number_of_words(tmp_path: Path) -> None:
    chapter = tmp_path / "test-clean" / "61" / "70968"
    chapter.mkdir(parents=True)
    rows = [f"61-70968-{n:04d} {' '.join(['WORD'] * n)}" for n in (1, 3, 4, 12, 70)]
    (chapter / "61-70968.trans.txt").write_text("\n".join(rows) + "\n")
    found = open_set(f"libri-length:{tmp_path / 'test-clean'}")
    assert sorted({words_in(line.text) for line in found.lines} - {1, 3, 4}) == [12]
    assert len(found.lines) == 3, "two of the first bin, one of the third, none beyond 62 words"
    assert found.lines[-1].id == "61-70968-0012"
    assert found.lines[-1].text.startswith("word word")


def test_librispeech_pc_has_prompts_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "list.lst"
    path.write_text("1-2-3\t4.5\tHer words.\t4-5-6\t5.1\tTo be said.\n")
    (line,) = open_set(f"librispeech-pc:{path}").lines
    assert (line.id, line.text, line.prompt_text) == ("4-5-6", "To be said.", "Her words.")
    assert line.prompt == tmp_path / "test-clean" / "1" / "2" / "1-2-3.flac"


def test_minimax_lines_take_their_speakers_first_recording(tmp_path: Path) -> None:
    place = tmp_path / "speaker" / "english" / "english_female"
    place.mkdir(parents=True)
    for name in ("b.wav", "a.wav"):
        write(place / name, Audio(samples=np.ones(9, np.float32) / 2, rate_hz=16_000))
    (tmp_path / "text").mkdir()
    path = tmp_path / "text" / "english.txt"
    path.write_text("english_female|One.\nenglish_female|Two.\n")
    lines = open_set(f"minimax:{path}").lines
    assert [line.text for line in lines] == ["One.", "Two."]
    assert {line.prompt for line in lines} == {place / "a.wav"}
    path.write_text("english_male|One.\n")
    with pytest.raises(CorpusError, match="no recording of the speaker 'english_male'"):
        open_set(f"minimax:{path}")


@pytest.mark.parametrize(
    ("written", "error", "message"),
    [
        ("minimax", ConfigError, "needs a place; write minimax:PATH"),
        ("nothing.txt", CorpusError, "sets by name are everyday, unpredictable, answers, length"),
        ("librispeech-pc:nothing.lst", CorpusError, "cannot read sentences"),
        ("libri-length:nowhere", CorpusError, "give a folder of LibriTTS or LibriSpeech"),
    ],
)
def test_what_is_no_set_is_one_sentence(written: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        open_set(written)


def test_a_line_with_other_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.lst"
    path.write_text("1-2-3\t4.5\n")
    with pytest.raises(CorpusError, match=r"line 1 .* has 2 columns instead of 6"):
        open_set(f"librispeech-pc:{path}")
