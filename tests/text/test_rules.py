"""Rewriting rules: they are compiled when they are first needed, and all of them can be."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import mamtra.text
from mamtra.text.rules import LatePattern, rewrite, rule


def patterns(found: object) -> Iterator[LatePattern]:
    """Every pattern in tables of rules, however deep."""
    if isinstance(found, LatePattern):
        yield found
    elif isinstance(found, tuple | list):
        for one in found:
            yield from patterns(one)


def test_every_rule_of_the_normaliser_is_a_regular_expression() -> None:
    names = [module.name for module in pkgutil.iter_modules(mamtra.text.__path__)]
    modules = [importlib.import_module(f"mamtra.text.{name}") for name in names]
    found = {one.source for module in modules for one in patterns(list(vars(module).values()))}
    assert len(found) > 250
    assert all(re.compile(source) for source in found)


def test_a_rule_is_compiled_by_the_first_text_that_it_reads() -> None:
    pattern, spoken = one = rule(r"(\d) (\d)", r"\2 \1")
    assert "compiled" not in vars(pattern)
    assert rewrite("1 2  x", [one]) == "2 1 x"
    assert (vars(pattern)["compiled"].pattern, spoken) == (r"(\d) (\d)", r"\2 \1")
