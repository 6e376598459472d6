"""Python's text rules as a JavaScript module, so that the page reads text by the same tables.

The rules are values: patterns, words, and small functions of a match. Patterns and word lists are
written down as they are; the functions are translated (``javascript.py``). So a rule that is added
in Python is there in the page as well, and one that cannot be translated stops the export.
"""

import ast
import functools
import inspect
import json
import re
import textwrap
from html.entities import name2codepoint
from types import FunctionType, ModuleType
from typing import Any

from mamtra.errors import ModelError
from mamtra.interop.onnx.javascript import Writer
from mamtra.text import markup, normalize, notes, numbers, pauses, phones, rules, split, windows

ROOM = "mamtra.text"
# written by hand in python.js, since a package says them in Python
BY_HAND: dict[Any, str] = {numbers.cardinal: "py.cardinal", numbers.ordinal: "py.ordinal"}
EXPORTED: dict[str, Any] = {
    "plainText": markup.plain_text,
    "spokenWindow": normalize.spoken_window,
    "TIDY": normalize.TIDY,
    "rewrite": rules.rewrite,
    "IN_BRACES": phones.IN_BRACES,
    "plainPhones": phones.plain_phones,
    "windows": windows.windows,
    "cut": split.cut,
    "mergeShort": split.merge_short,
    "SHORT_SHARE": split.SHORT_SHARE,
    "MARK": pauses.MARK,
    "pauseOf": pauses.pause_of,
    "together": pauses.together,
    "unknownTags": markup.unknown_tags,
    "withoutKnownTags": markup.without_known_tags,
    "PHRASE": notes.PHRASE,
    "SIGNS": notes.SIGNS,
    "PREVIEW": notes.PREVIEW,
}
OPENING_FLAGS = re.compile(r"^\(\?[im]+\)")
IGNORED_CASE = "(?i:"
FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
TOKEN = re.compile(r"\\.|\(\?(?:<?[=!]|:)?|\[\^?|.", re.DOTALL)


def in_any_case(pattern: str) -> str:
    """The same pattern with each letter in both cases."""
    found, in_class = list[str](), False
    for token in TOKEN.findall(pattern):
        in_class = token.startswith("[") or (in_class and token != "]")
        both = token.lower() + token.upper()
        is_letter = len(token) == 1 and token.isascii() and token.isalpha()
        found.append(token if not is_letter else both if in_class else f"[{both}]")
    return "".join(found)


def end_of_group(pattern: str, start: int) -> int:
    """Where the group closes whose inside begins here."""
    depth, in_class = 1, False
    for token in TOKEN.finditer(pattern, start):
        in_class = token[0].startswith("[") or (in_class and token[0] != "]")
        if not in_class:
            depth += token[0].startswith("(") - (token[0] == ")")
        if not depth:
            return token.start()
    raise ModelError(f"the pattern {pattern!r} has a group without an end")


def without_modifiers(pattern: str) -> str:
    """Write groups that ignore case for engines that cannot."""
    while (start := pattern.find(IGNORED_CASE)) >= 0:
        inside = start + len(IGNORED_CASE)
        end = end_of_group(pattern, inside)
        pattern = f"{pattern[:start]}(?:{in_any_case(pattern[inside:end])}{pattern[end:]}"
    return pattern


def regular_expression(pattern: "re.Pattern[str]") -> str:
    """A pattern as JavaScript."""
    source = without_modifiers(OPENING_FLAGS.sub("", pattern.pattern).replace("(?P<", "(?<"))
    flags = "".join(letter for flag, letter in FLAGS.items() if pattern.flags & flag)
    return f"py.re({json.dumps(source)}, {json.dumps(flags)})"


@functools.cache
def lambdas_in(module: ModuleType) -> list[ast.Lambda]:
    """The lambdas of a module."""
    tree = ast.parse(inspect.getsource(module))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]


def lambda_of(function: FunctionType) -> ast.Lambda:
    """The syntax of a lambda: the one whose body is where the compiled code says."""
    module = inspect.getmodule(function)
    assert module is not None, "rules lie in modules"
    places = {
        (line, column)
        for line, _, column, _ in function.__code__.co_positions()
        if line is not None and column
    }

    def holds(node: ast.Lambda) -> bool:
        begin = node.body.lineno, node.body.col_offset
        end = node.body.end_lineno or 0, node.body.end_col_offset or 0
        return all(begin <= place <= end for place in places)

    return next(node for node in lambdas_in(module) if holds(node))


class Script:
    """A JavaScript module that grows by all that its functions use."""

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}
        self.constants: dict[str, str] = {}

    def name_of(self, found: Any, name: str, place: str) -> str:
        """The JavaScript name of a global value; the value is written first."""
        plain = getattr(found, "__wrapped__", found)  # without its cache
        if isinstance(plain, FunctionType):
            return BY_HAND.get(found) or self.function(plain)
        key = f"{place.removeprefix(ROOM).strip('.')}_{name}"
        if key not in self.constants:
            self.constants[key] = self.value(found)
        return key

    def function(self, function: FunctionType) -> str:
        """A lambda itself, or the name of a function that is written first."""
        writer = Writer(function, self.name_of, ROOM)
        if function.__name__ == "<lambda>":
            return writer.visit(lambda_of(function))
        key = f"{function.__module__.removeprefix(f'{ROOM}.')}_{function.__name__}"
        if key not in self.functions:
            self.functions[key] = ""  # it may call itself
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
            assert isinstance(tree, ast.FunctionDef)
            self.functions[key] = writer.function(tree, key)
        return key

    def value(self, found: Any) -> str:
        """A value as JavaScript.

        Raises:
            ModelError: there is no form for it.
        """
        match found:
            case re.Pattern():
                return regular_expression(found)
            case rules.LatePattern():
                return regular_expression(found.compiled)
            case dict():
                pairs = (f"[{self.value(key)}, {self.value(one)}]" for key, one in found.items())
                return f"new Map([{', '.join(pairs)}])"
            case set() | frozenset():
                return f"new Set([{', '.join(map(self.value, sorted(found)))}])"
            case range():
                return f"py.range({found.start}, {found.stop})"
            case tuple() | list():
                return f"[{', '.join(map(self.value, found))}]"
            case None | str() | int() | float():
                return json.dumps(found)
            case FunctionType():
                return self.name_of(found, "", "")
            case _:
                raise ModelError(f"a {type(found).__name__} has no form in JavaScript")

    def text(self, exported: dict[str, Any]) -> str:
        """The module with these values under these names."""
        names = {name: self.name_of(found, name, ROOM) for name, found in exported.items()}
        return "\n".join(
            [
                'import * as py from "./python.js";',
                *self.functions.values(),
                *(f"const {name} = {value};" for name, value in self.constants.items()),
                f"export {{ {', '.join(f'{known} as {name}' for name, known in names.items())} }};",
                f"py.setEntities({self.value(name2codepoint)});\n",
            ]
        )


def text_script() -> str:
    """The module ``rules.js`` of the page.

    Raises:
        ModelError: a rule uses what has no form in JavaScript.
    """
    return Script().text(EXPORTED)
