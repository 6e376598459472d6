"""A folder that is there whole or not at all: the names that it may have."""

import os
from pathlib import Path

import pytest

from mamtra.checkpoints.new_folder import check_vacant, new_folder
from mamtra.errors import ModelError


def test_the_longest_name_that_there_can_be_is_taken(tmp_path: Path) -> None:
    target = tmp_path / ("ä" * 127)
    with new_folder(target) as folder:
        (folder / "file").touch()
    assert [path.name for path in target.iterdir()] == ["file"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("name", "told"),
    [("x" * 256, "file name too long"), (os.fsdecode(b"b\xff"), "the name is not UTF-8")],
)
def test_a_name_that_cannot_be_is_refused(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{told}; give another name"):
        check_vacant(tmp_path / name)
    assert not list(tmp_path.iterdir())
