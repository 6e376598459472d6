"""What tests share: this folder is on the import path, and a tiny model is made once."""

from pathlib import Path

import pytest


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
