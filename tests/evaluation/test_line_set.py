"""Lists of lines in every form."""

from pathlib import Path

import pytest

from mamtra.errors import CorpusError
from mamtra.evaluation.line_set import read_set


def written(folder: Path, text: str) -> Path:
    path = folder / "meta.lst"
    path.write_text(text)
    return path


def test_plain_lines_are_numbered_and_empty_ones_skipped(tmp_path: Path) -> None:
    found = read_set(written(tmp_path, "Hello.\n\n  Good morning. \n"))
    assert found.numbered
    assert [(line.id, line.text) for line in found.lines] == [
        ("0001", "Hello."),
        ("0002", "Good morning."),
    ]
    assert len(found.part(1).lines) == 1


@pytest.mark.parametrize(
    ("row", "prompt", "words"),
    [
        ("u1|Its words.|wavs/p.wav|Say this.|wavs/gt.wav", "wavs/p.wav", "Its words."),
        ("u1|Its words.|wavs/p.wav|Say this.", "wavs/p.wav", "Its words."),
        ("u1|Say this.|wavs/p.wav", "wavs/p.wav", ""),
        ("u1|Say this.", None, ""),
        ("u1.wav|Say this.", None, ""),
    ],
)
def test_every_number_of_columns_is_read(
    tmp_path: Path, row: str, prompt: str | None, words: str
) -> None:
    (line,) = read_set(written(tmp_path, row + "\n")).lines
    assert (line.id, line.text, line.prompt_text) == ("u1", "Say this.", words)
    assert line.prompt == (None if prompt is None else tmp_path / prompt)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no sentence"),
        ("a|b\na|b|c\n", "line 2 .* has 3 columns; .* 2 in every line"),
        ("a|b|c|d|e|f\n", "has 6 columns; .* 2 to 5"),
        ("a|One.\na|Two.\n", "line 2 .* repeats the id 'a'"),
        ("a|\n", "has no text for 'a'"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_set(written(tmp_path, text))


def test_another_order_or_text_is_another_set(tmp_path: Path) -> None:
    first = read_set(written(tmp_path, "a\nb\n")).sha256
    assert read_set(written(tmp_path, "b\na\n")).sha256 != first
    assert read_set(written(tmp_path, "a\nb\n")).sha256 == first
