"""td1 a second time, value by value, from the format's text and the standard library alone: slow and obvious.

Values are integers (also dates in days, times in microseconds, unscaled decimals), floats, booleans,
bytes (also strings), lists, dicts by field name, lists of pairs for maps, and None.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

Kind = Any
"""A logical type as the descriptor writes it."""

CHUNK = 65_536


def table_root(columns: Mapping[str, tuple[Kind, Sequence[Any]]], rows: int) -> str:
    """The digest of a table given as type and values of each column."""
    names = sorted(columns, key=str.encode)
    kinds = [[name, columns[name][0]] for name in names]
    document = {"chunk": CHUNK, "cols": kinds, "rows": rows, "v": 1}
    descriptor = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    leaves = [sha(b"\x00" + descriptor.encode())]
    leaves += [sha(b"\x00" + name.encode() + b"\x00" + column_root(*columns[name])) for name in names]
    return "td1-sha256:" + merkle(leaves).hex()


def column_root(kind: Kind, values: Sequence[Any]) -> bytes:
    """The tree over the column's chunks."""
    starts = range(0, len(values), CHUNK)
    return merkle([sha(b"\x00" + encode(kind, values[start : start + CHUNK])) for start in starts])


def encode(kind: Kind, values: Sequence[Any]) -> bytes:
    """The count, the validity bits and the payload."""
    there = [value is not None for value in values]
    return struct.pack("<Q", len(values)) + bit_string(there) + payload(kind, values)


def payload(kind: Kind, values: Sequence[Any]) -> bytes:
    """What follows count and validity."""
    if isinstance(kind, str):
        return simple(kind, values)
    name, *parameters = kind
    if name == "dec":
        return b"".join((value or 0).to_bytes(32, "little", signed=True) for value in values)
    if name == "list":
        lengths = b"".join(struct.pack("<q", len(value or ())) for value in values)
        return lengths + encode(parameters[0], [item for value in values for item in value or ()])
    if name == "map":
        entries = [value and [{"key": k, "value": v} for k, v in value] for value in values]
        return payload(["list", ["struct", [["key", parameters[0]], ["value", parameters[1]]]]], entries)
    fields = parameters[0]
    return b"".join(encode(inner, [value and value[field] for value in values]) for field, inner in fields)


def simple(kind: str, values: Sequence[Any]) -> bytes:
    """The payload of a type without parameters."""
    if kind == "null":
        return b""
    if kind == "bool":
        return bit_string([bool(value) for value in values])
    if kind in ("utf8", "bytes"):
        ends = [0]
        for value in values:
            ends.append(ends[-1] + len(value or b""))
        return struct.pack(f"<{len(ends)}q", *ends) + b"".join(value or b"" for value in values)
    if kind in ("f32", "f64"):
        return b"".join(number(kind, value) for value in values)
    code = {"i8": "b", "i16": "h", "i32": "i", "i64": "q", "date": "i"}.get(kind, "q")
    code = code if not kind.startswith("u") else {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}[kind]
    return struct.pack(f"<{len(values)}{code}", *(value or 0 for value in values))


def number(kind: str, value: float | None) -> bytes:
    """One float."""
    if value is not None and math.isnan(value):
        return bytes.fromhex("0000c07f" if kind == "f32" else "000000000000f87f")
    return struct.pack("<f" if kind == "f32" else "<d", 0.0 if value is None else value)


def bit_string(bits: Sequence[bool]) -> bytes:
    """Bits from the lowest of the first byte on."""
    digits = "".join("1" if bit else "0" for bit in reversed(bits))
    return int(digits or "0", 2).to_bytes((len(bits) + 7) // 8, "little")


def merkle(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, by carrying complete subtrees of equal size upwards."""
    if not leaves:
        return sha(b"")
    subtrees: list[tuple[int, bytes]] = []
    for leaf in leaves:
        subtrees.append((1, leaf))
        while len(subtrees) > 1 and subtrees[-1][0] == subtrees[-2][0]:
            (size, right), (_, left) = subtrees.pop(), subtrees.pop()
            subtrees.append((2 * size, sha(b"\x01" + left + right)))
    root = subtrees.pop()[1]
    while subtrees:
        root = sha(b"\x01" + subtrees.pop()[1] + root)
    return root


def sha(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()
