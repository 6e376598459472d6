"""Every figure says where it comes from."""

import json
import subprocess
from pathlib import Path

import pytest

from mamtra.figures import provenance as subject
from mamtra.figures.provenance import installed, provenance


def test_a_row_can_be_written_as_json_and_read_back() -> None:
    row = json.loads(json.dumps(provenance(seed=3, packages=["jiwer"])))
    assert row["seed"] == 3
    assert row["machine"]["cores"] >= 1
    assert row["machine"]["threads"] >= 1
    assert row["versions"]["torch"]
    assert row["date"].endswith("+00:00")


def test_packages_that_are_not_there_are_left_out() -> None:
    assert installed(["no-such-package-anywhere"]) == {}


def repository(folder: Path) -> None:
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)


def test_a_package_below_somebody_elses_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path)
    package = tmp_path / "site-packages" / "__init__.py"
    package.parent.mkdir()
    package.write_text("")
    monkeypatch.setattr(subject, "PACKAGE_FILE", package)
    found = provenance()
    assert found["commit"] is None
    assert found["changed"] is None


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert subject.commit() is None
