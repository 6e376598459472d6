"""Damage to input files, chosen by a seed: one number gives one mutation, for ever.

Each function takes what is right and a source of chance, and returns what a broken disk, a wrong
converter or an attacker would leave.
"""

import json
import random
import struct
from typing import Any

NASTY: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    "x" * 10_000,
    "AM" * 50_000,
    "\ud800",
    "../../etc/passwd",
    "/dev/zero",
    -1,
    0,
    1,
    3,
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    2**31,
    2**63,
    2**64,
    10**400,
    True,
    False,
    [[[[]]]],
    [0] * 1000,
    {"a": {"b": {}}},
)
DOCUMENTS = (
    b"",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"{",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"{}" * 3,
    b"\x00" * 64,
)
WRONG_TYPES = ("BOOL", "U8", "I8", "I16", "U16", "I32", "I64", "F8_E4M3", "F8_E5M2", "C64")
OTHER_TYPES = ("F64", "BF16", "F16", "F32", "f16", "Q4", "", 7, None)


def paths_of(value: Any, at: tuple = ()) -> list[tuple]:
    """The way to every value inside of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in items:
        found.append((*at, key))
        if isinstance(inner, dict | list):
            found += paths_of(inner, (*at, key))
    return found


def mutated_json(document: Any, source: random.Random) -> bytes:
    """A JSON text with one value replaced, lost or added, or one that is none at all."""
    if source.random() < 0.15:
        return source.choice(DOCUMENTS)
    document = json.loads(json.dumps(document))
    *way, last = source.choice(paths_of(document))
    inner = document
    for key in way:
        inner = inner[key]
    match source.randrange(6):
        case 0:
            del inner[last]
        case 1 if isinstance(inner, dict):
            inner[source.choice(["unknown", "", "__class__", "\u0000"])] = source.choice(NASTY)
        case 2:
            inner[last] = [inner[last]]
        case 3 if isinstance(inner[last], str):
            inner[last] = inner[last][::-1] + "?"
        case _:
            inner[last] = source.choice(NASTY)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def mutated_bytes(data: bytes, source: random.Random) -> bytes:
    """A file that was cut, grew, or lost some of its bits."""
    damaged = bytearray(data)
    match source.randrange(6):
        case 0:
            return data[: source.randrange(len(data))]
        case 1:
            return data + source.randbytes(source.choice([1, 100, 10_000]))
        case 2:
            start = source.randrange(len(data))
            return data[:start] + data[start + source.randint(1, 64) :]
        case 3:
            start = source.randrange(min(len(data), 64))
            damaged[start : start + 4] = struct.pack("<I", source.choice([0, 1, 2**31, 2**32 - 1]))
        case 4:
            for _ in range(source.choice([1, 8, 64])):
                damaged[source.randrange(min(len(data), 200))] ^= 1 << source.randrange(8)
        case _:
            for _ in range(source.choice([1, 8, 64])):
                damaged[source.randrange(len(data))] ^= 1 << source.randrange(8)
    return bytes(damaged)


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and tensors of a safetensors file."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header: bytes, body: bytes, length: int | None = None) -> bytes:
    """A safetensors file; the header's length may lie."""
    return struct.pack("<Q", len(header) if length is None else length) + header + body


def mutated_weights(data: bytes, source: random.Random) -> tuple[bytes, bool]:
    """A damaged safetensors file, and whether its tensors are now of a type that no weight has."""
    header, body = split(data)
    names = [name for name in header if name != "__metadata__"]
    entry = header[source.choice(names)]
    match source.randrange(9):
        case 0 | 1:
            entry["dtype"] = source.choice(WRONG_TYPES)
            return joined(json.dumps(header).encode(), body), True
        case 2:
            entry["dtype"] = source.choice(OTHER_TYPES)
        case 3:
            entry["shape"] = source.choice([[], [0], [-1], [2**40, 2**40], entry["shape"][::-1]])
        case 4:
            entry["data_offsets"] = source.choice([[0, 0], [8, 4], [0, 2**62], [-4, 4], "x", None])
        case 5:
            value = source.choice([b"\xff\xff", b"\x00\x7c", b"\x00\xfc", b"\x01\x7c"])
            start = 2 * source.randrange(len(body) // 2)
            body = body[:start] + value + body[start + 2 :]
        case 6:
            length = source.choice([0, 1, len(data), 2**31, 2**63, 2**64 - 1])
            return joined(json.dumps(header).encode(), body, length), False
        case 7:
            return joined(mutated_json(header, source), body), False
        case _:
            return mutated_bytes(data, source), False
    return joined(json.dumps(header).encode(), body), False
