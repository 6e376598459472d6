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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each turn is a fork")
def test_every_optional_package_can_be_missing_alone_and_all_together() -> None:
    turns = [*OPTIONAL, ",".join(OPTIONAL)]
    done = subprocess.run(
        [sys.executable, str(HIDE), *turns], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
