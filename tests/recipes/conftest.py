"""What the recipes' tests share: a toy workshop, made once."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mamtra.recipes.nano import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> "Workshop":
    """A toy corpus with a tokenizer, its tokens and a teacher, each trained for two steps."""
    # imported here, because conftest is loaded before shape checking is set up
    from toy_nano import make_workshop

    return make_workshop(tmp_path_factory.mktemp("nano"))
