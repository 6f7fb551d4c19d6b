"""Values as ``arrays.array_of`` takes them, turned into those that ``reference`` takes."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa

_FLOATS = {16: ("H", "e"), 32: ("I", "f"), 64: ("Q", "d")}
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def neutral(stored: pa.DataType, value: Any) -> Any:
    """What ``value`` means, whatever ``stored`` does with it."""
    kinds = pa.types
    if value is None:
        return None
    if isinstance(stored, pa.BaseExtensionType):
        return neutral(stored.storage_type, value)
    if kinds.is_floating(stored):
        integer, real = _FLOATS[stored.bit_width]
        return struct.unpack(f"<{real}", struct.pack(f"<{integer}", value))[0]
    if kinds.is_timestamp(stored) or kinds.is_time(stored):
        return value // 1_000 if stored.unit == "ns" else value * _MICROSECONDS[stored.unit]
    if kinds.is_date64(stored):
        return value // 86_400_000
    if kinds.is_map(stored):
        return [(neutral(stored.key_type, e["key"]), neutral(stored.item_type, e["value"])) for e in value]
    if isinstance(value, list):
        return [neutral(stored.value_type, item) for item in value]
    if isinstance(value, dict):
        return {name: neutral(stored.field(name).type, item) for name, item in value.items()}
    return value
