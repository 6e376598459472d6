"""What is checked of shapes and types while tests run."""

from collections.abc import Iterator

import numpy as np
import pytest
import shape_checks
from jaxtyping import Float, TypeCheckError, jaxtyped

from mamtra.backbone.layout import Layout
from mamtra.generation.proofreader import product

TWICE = 2 * np.ones(3)
WRONG = np.ones((2, 3))


@jaxtyped(typechecker=shape_checks.first_calls)
def doubled(row: Float[np.ndarray, " width"]) -> Float[np.ndarray, " width"]:
    """The row, twice as large."""
    return row * 2


class Holder:
    """A function that is reached through a class."""

    @staticmethod
    @jaxtyped(typechecker=shape_checks.first_calls)
    def doubled(row: Float[np.ndarray, " width"]) -> Float[np.ndarray, " width"]:
        """The row, twice as large."""
        return row * 2


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    shape_checks.check_again()
    yield
    shape_checks.check_again()


@pytest.mark.parametrize("function", [doubled, Holder.doubled], ids=["module", "class"])
def test_the_first_calls_of_each_test_are_checked(function) -> None:
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            function(WRONG)
        for _ in range(shape_checks.CALLS):
            np.testing.assert_array_equal(function(np.ones(3)), TWICE)
        assert function(WRONG).shape == WRONG.shape
        shape_checks.check_again()


def test_what_no_name_leads_to_is_checked_always() -> None:
    @jaxtyped(typechecker=shape_checks.first_calls)
    def inner(row: Float[np.ndarray, " width"]) -> int:
        return len(row)

    for _ in range(shape_checks.CALLS):
        assert inner(np.ones(3)) == len(TWICE)
    with pytest.raises(TypeCheckError):
        inner(WRONG)


def test_the_package_is_checked() -> None:
    with pytest.raises(TypeCheckError):
        product(np.ones(3), WRONG)
    with pytest.raises(TypeCheckError):
        Layout.of([0], "2")
