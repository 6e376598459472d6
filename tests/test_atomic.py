"""Files that are whole or not there."""

import errno
import os
from pathlib import Path

import pytest

from mamtra.atomic import leftovers, partial_path, write_file, write_json, written_beside
from mamtra.errors import CorpusError, MamtraError


def test_a_file_and_its_folder_are_made(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "a.json", {"a": 1})
    assert (tmp_path / "new" / "a.json").read_text() == '{"a": 1}\n'


def test_a_failure_leaves_the_older_file_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def interrupted() -> None:
        with written_beside(path) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_and_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a"
    path.write_text("old")
    monkeypatch.setattr("mamtra.atomic.os.fsync", full)
    message = r"cannot write '.*a': No space left on device; what was there before is intact"
    with pytest.raises(CorpusError, match=message):
        write_file(path, "new", CorpusError)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(MamtraError, match=r"cannot write '.*a/b'"):
        write_file(tmp_path / "a" / "b", "x")


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127])
def test_names_as_long_as_the_system_takes_can_be_written(tmp_path: Path, name: str) -> None:
    write_file(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"


def test_what_a_killed_process_left_is_found(tmp_path: Path) -> None:
    (tmp_path / "whole").touch()
    partial_path(tmp_path / "whole").touch()
    assert leftovers(tmp_path) == [tmp_path / f".whole.{os.getpid()}.partial"]
