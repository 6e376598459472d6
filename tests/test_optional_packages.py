"""No optional package is needed to import mamtra or to collect its tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mamtra.cli.findings import EXTRAS

HIDE = Path(__file__).parent / "tools" / "without_packages.py"
# the tests themselves need torch; that speaking does not is shown by the plain install
OPTIONAL = sorted({"onnx"}.union(*EXTRAS.values()) - set(EXTRAS["torch"]))


FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="each turn is a fork")


def hidden_in_turn(turns: list[str]) -> subprocess.CompletedProcess[str]:
    """The run of a turn for each argument, which hides the packages that it names."""
    command = [sys.executable, str(HIDE), *turns]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@FORKS
def test_all_optional_packages_can_be_missing_together() -> None:
    done = hidden_in_turn([",".join(OPTIONAL)])
    assert done.returncode == 0, done.stdout + done.stderr


@FORKS
@pytest.mark.slow
def test_every_optional_package_can_be_missing_alone() -> None:
    done = hidden_in_turn(OPTIONAL)
    assert done.returncode == 0, done.stdout + done.stderr
