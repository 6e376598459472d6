"""From what a file or an option says to a frozen dataclass: the one loader of every config.

Values are checked against the types that the dataclass declares, nested ones included. Nothing is
guessed: an unknown key, a value of another type and a number that is not finite are errors that
name the key, what was given and what is possible.

A field is one of: ``bool``, ``int``, ``float``, ``str``, ``Literal``, ``tuple``, ``dict``, another
dataclass, or a union of these with ``None``.
"""

import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

from mamtra.errors import ConfigError, listed

MAX_INT = 2**63 - 1  # what arrays can count
SHOWN = 60  # letters of a value that an error message repeats
SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}

Config = TypeVar("Config")


def shown(value: Any) -> str:
    """A value as an error message repeats it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types that a hint allows: one, or those of a union."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def described(hint: Any) -> str:
    """A type in words, for an error message."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is type(None):
        return "null"
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (tuple, list):
        several = origin is list or inner[-1:] == (...,)
        count = "a list" if several else f"a list of {len(inner)}"
        return f"{count} of {described(inner[0])}" if several else count
    if origin is dict or hint is dict or is_dataclass(hint):
        return "an object"
    return NAMES.get(hint, str(hint))


def wrong(key: str, value: Any, hint: Any, where: str) -> ConfigError:
    """The error for a value of another type."""
    expected = " or ".join(described(item) for item in alternatives(hint))
    return ConfigError(f"{key} in {where} is {shown(value)}; expected {expected}")


def is_plain(value: Any, hint: Any) -> bool:
    """Whether a value is of a plain type; true and false are no numbers, nor is infinity."""
    if typing.get_origin(hint) is Literal:
        return any(value == item and type(value) is type(item) for item in typing.get_args(hint))
    if hint in (int, float) and isinstance(value, bool):
        return False
    if isinstance(value, int) and hint in (int, float):
        return abs(value) <= MAX_INT
    if hint is float:
        return isinstance(value, float) and math.isfinite(value)
    return isinstance(value, hint)


def convert(value: Any, hint: Any, key: str, where: str) -> Any:
    """A value of JSON as the type that a field declares.

    Raises:
        ConfigError: it is of another type.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if len(alternatives(hint)) > 1:
        return convert_union(value, hint, key, where)
    if origin in (tuple, list):
        return convert_list(value, hint, key, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_dict(hint, value, where, key)
    if origin is dict and isinstance(value, dict):
        return {
            convert(name, inner[0], key, where): convert(item, inner[1], f"{key}.{name}", where)
            for name, item in value.items()
        }
    if origin is dict or not is_plain(value, hint):
        raise wrong(key, value, hint, where)
    return float(value) if hint is float else value


def convert_union(value: Any, hint: Any, key: str, where: str) -> Any:
    """A value as the first alternative that takes it; an object that fits none keeps its error.

    Of several configs an object is the one that knows most of its keys.
    """
    kinds = [item for item in alternatives(hint) if is_dataclass(item)]
    if kinds and isinstance(value, dict):
        known = [len({entry.name for entry in fields(kind)} & value.keys()) for kind in kinds]
        return convert(value, kinds[known.index(max(known))], key, where)
    for item in alternatives(hint):
        try:
            return convert(value, item, key, where)
        except ConfigError:
            continue
    raise wrong(key, value, hint, where)


def convert_list(value: Any, hint: Any, key: str, where: str) -> Any:
    """A list of JSON as a tuple or list of the declared types and length."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if not isinstance(value, list | tuple):
        raise wrong(key, value, hint, where)
    several = origin is list or inner[-1:] == (...,)
    kinds = [inner[0]] * len(value) if several else list(inner)
    if len(kinds) != len(value):
        raise wrong(key, value, hint, where)
    items = (
        convert(item, kind, f"{key}[{number}]", where)
        for number, (item, kind) in enumerate(zip(value, kinds, strict=True))
    )
    return list(items) if origin is list else tuple(items)


def check_sizes(config: Any, *may_be_zero: str) -> None:
    """Refuse sizes that no network has.

    Args:
        config: a dataclass; its whole numbers, and those in tuples, are sizes.
        may_be_zero: fields that may be 0; the others are at least 1.

    Raises:
        ConfigError: names all that are too small.
    """
    wrong: list[str] = []
    for one in fields(config):
        value = getattr(config, one.name)
        sizes = value if isinstance(value, (tuple, list)) else (value,)
        if any(type(size) is int and size < (one.name not in may_be_zero) for size in sizes):
            wrong.append(f"{one.name}={value}")
    if wrong:
        raise ConfigError(f"{', '.join(wrong)}: sizes must be at least 1")


def from_dict(kind: type[Config], values: Any, where: str, key: str = "") -> Config:
    """Make a config dataclass from what JSON holds; the reverse of ``dataclasses.asdict``.

    Args:
        kind: the dataclass.
        values: what JSON holds.
        where: the file, for messages.
        key: which part of the file, for messages; empty for the whole.

    Raises:
        ConfigError: a key is unknown or missing, a value is of another type, or the config refuses
            its values.
    """
    entries = {entry.name: entry for entry in fields(kind) if entry.init}  # pyright: ignore[reportArgumentType]
    known = ", ".join(entries)
    what = f"{key} in {where}" if key else where
    if not isinstance(values, Mapping):
        raise ConfigError(f"{what} is {shown(values)}; expected an object with the keys {known}")
    if unknown := sorted(str(name) for name in values if name not in entries):
        raise ConfigError(f"unknown key {listed(unknown)} in {what}; known: {known}")
    if missing := [name for name, entry in entries.items() if needed(entry) and name not in values]:
        raise ConfigError(f"{what} lacks the key {listed(missing)}; known: {known}")
    hints = typing.get_type_hints(kind)
    inside = f"{key}." if key else ""
    return kind(
        **{
            name: convert(value, hints[name], f"{inside}{name}", where)
            for name, value in values.items()
        }
    )


def needed(entry: Field[Any]) -> bool:
    """Whether a field has no default."""
    return entry.default is MISSING and entry.default_factory is MISSING


def read_text(text: str, hint: Any, key: str) -> Any:
    """A value from its text, as an option gives it.

    Raises:
        ConfigError: it is not of its type.
    """
    where = "the options"
    options = alternatives(hint)
    if type(None) in options and text.lower() in ("none", "null", ""):
        return None
    kind = next((item for item in options if item is not type(None)), hint)
    if typing.get_origin(kind) in (tuple, list):
        item = typing.get_args(kind)[0]
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return convert([read_text(part, item, key) for part in parts], kind, key, where)
    value: Any = text
    if kind is bool:
        value = SWITCHES.get(text.lower(), text)
    elif kind in (int, float):
        try:
            value = kind(text.replace("_", ""))
        except ValueError:
            raise wrong(key, text, hint, where) from None
    return convert(value, kind, key, where)


def keys_of(config: Any, inside: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a config and of the configs in it, dotted, with its declared type."""
    hints = typing.get_type_hints(type(config))
    for entry in fields(config):
        name, value = f"{inside}{entry.name}", getattr(config, entry.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from keys_of(value, f"{name}.")
        else:
            yield name, hints[entry.name]


def value_at(config: Any, key: str) -> Any:
    """The value at a dotted key."""
    for name in key.split("."):
        config = getattr(config, name)
    return config


def replace_at(config: Any, key: str, value: Any) -> Any:
    """A copy of a config with another value at a dotted key."""
    name, dot, rest = key.partition(".")
    inner = replace_at(getattr(config, name), rest, value) if dot else value
    return replace(config, **{name: inner})


def with_values(config: Config, pairs: Sequence[str], option: str = "--set") -> Config:
    """A copy of a config with the values of ``key=value`` pairs.

    A key is dotted (``losses.ce``); its last word alone is enough where only one key ends so.

    Args:
        config: what they change.
        pairs: as options give them.
        option: its name, for messages.

    Raises:
        ConfigError: a pair is not written so, a key is unknown or not the only one, or a value
            cannot work.
    """
    known = dict(keys_of(config))
    for pair in pairs:
        given, equals, text = (part.strip() for part in pair.partition("="))
        found = [key for key in known if given in (key, key.rpartition(".")[2])]
        if given in known:
            found = [given]
        if not equals or len(found) != 1:
            problem = "is not KEY=VALUE" if not equals else "names no key"
            if len(found) > 1:
                problem = f"could be {' or '.join(found)}"
            raise ConfigError(f"{option} {pair!r} {problem}; keys are {', '.join(known)}")
        config = replace_at(config, found[0], read_text(text, known[found[0]], found[0]))
    return config
