"""The pip command of an extra works where mamtra is installed from."""

import json
from pathlib import Path

import pytest

from mamtra.extras import install_command, requirement

SITE = Path("/usr/lib/python3/site-packages/mamtra")


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        (None, "'mamtra[eval]'"),
        ({"url": "file:///home/me/my%20clone", "dir_info": {}}, "'/home/me/my clone[eval]'"),
        (
            {"url": "file:///tmp/mamtra-1-py3-none-any.whl", "archive_info": {}},
            "'mamtra[eval] @ file:///tmp/mamtra-1-py3-none-any.whl'",
        ),
    ],
)
def test_a_release_a_folder_and_a_wheel_are_named(origin: dict | None, found: str) -> None:
    assert requirement("eval", SITE, origin and json.dumps(origin)) == found


def test_a_clone_is_named_by_its_path_or_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").touch()
    package = tmp_path / "src" / "mamtra"
    assert requirement("hub", package, None) == f"-e '{tmp_path}[hub]'"
    monkeypatch.chdir(tmp_path)
    assert requirement("hub", package, None) == "-e '.[hub]'"


def test_the_command_names_the_extra_of_this_installation() -> None:
    assert install_command("ray").startswith("pip install ")
    assert install_command("ray").endswith("[ray]'")
