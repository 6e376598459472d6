"""What tests share: a tiny model and a toy workshop, each made once."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mamtra.recipes.nano.stages import Workshop


if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels run on a CPU; read as triton loads


def pytest_runtest_setup() -> None:
    """Shapes are checked anew in each test; see tests/tools/shape_checks.py."""
    # imported here, because conftest is loaded where the checks may be off
    from shape_checks import check_again

    check_again()


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model of random weights; do not write into it."""
    # imported here, because conftest is loaded before shape checking is set up
    from tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def tiny(tiny_model_folder: Path) -> list[str]:
    """The arguments that make a command speak with the tiny model."""
    return ["--model", str(tiny_model_folder)]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> "Workshop":
    """A toy corpus with a tokenizer, its tokens and a teacher, each trained for two steps."""
    from toy_nano import make_workshop

    return make_workshop(tmp_path_factory.mktemp("nano"))
