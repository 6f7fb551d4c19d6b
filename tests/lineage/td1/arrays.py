"""Arrow arrays made from plain Python values, buffer by buffer, so that a test decides every byte of a layout."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

_WIDE = Context(prec=100)
_IN_ONE_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def python_value(stored: pa.DataType, value: Any) -> Any:
    """A vector's value as :func:`array_of` wants it: bits of floats, unscaled decimals, times in Arrow's unit."""
    kinds = pa.types
    if value is None:
        return None
    if isinstance(stored, pa.BaseExtensionType):
        return python_value(stored.storage_type, value)
    if kinds.is_decimal(stored):
        return int(Decimal(value).scaleb(stored.scale, _WIDE))
    if kinds.is_floating(stored):
        return int(value["bits"], 16)
    if kinds.is_timestamp(stored) or kinds.is_time(stored):
        return int(value) * _IN_ONE_SECOND[stored.unit] // 1_000_000
    if kinds.is_date64(stored):
        return value * 86_400_000
    if kinds.is_map(stored):
        return [{"key": python_value(stored.key_type, k), "value": python_value(stored.item_type, v)} for k, v in value]
    if isinstance(value, list):
        return [python_value(stored.value_type, item) for item in value]
    if kinds.is_struct(stored):
        return {name: python_value(stored.field(name).type, item) for name, item in value.items()}
    return _leaf_value(stored, value)


def raw_value(stored: pa.DataType, value: Any) -> Any:
    """An error vector's value: times are in Arrow's unit, strings are hex of any bytes."""
    if value is None or pa.types.is_nested(stored):
        return value
    return _leaf_value(stored, value)


def _leaf_value(stored: pa.DataType, value: Any) -> Any:
    kinds = pa.types
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    if kinds.is_string(stored) or kinds.is_large_string(stored) or kinds.is_string_view(stored):
        return value.encode()
    if isinstance(value, str) and not (kinds.is_integer(stored) or kinds.is_temporal(stored)):
        return bytes.fromhex(value)
    return value if isinstance(value, bool) else int(value)


def array_of(stored: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """``values`` as ``stored``: strings as bytes, floats as their bits, the rest of fixed width as integers."""
    kinds = pa.types
    if isinstance(stored, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(stored, array_of(stored.storage_type, values))
    if kinds.is_null(stored) or kinds.is_boolean(stored):
        return pa.array(values, stored)
    if kinds.is_struct(stored):
        children = {
            field.name: array_of(field.type, [value and value[field.name] for value in values])
            for field in _fields(stored)
        }
        return laid_out(stored, {"children": children}, values)
    if kinds.is_nested(stored):
        return laid_out(stored, _list_layout(stored, values), values)
    if kinds.is_string(stored) or kinds.is_large_string(stored):
        return pa.array(values, pa.large_binary() if kinds.is_large_string(stored) else pa.binary()).view(stored)
    if kinds.is_string_view(stored):
        return pa.array(values, pa.binary_view()).view(stored)
    if kinds.is_binary(stored) or kinds.is_large_binary(stored) or kinds.is_binary_view(stored) or _fixed(stored):
        return pa.array(values, stored)
    return _words(stored, values)


def laid_out(stored: pa.DataType, layout: dict[str, Any], values: Sequence[Any]) -> pa.Array:
    """An array stored as ``layout`` says; which slots are null is told by ``values``."""
    kinds = pa.types
    if kinds.is_dictionary(stored):
        indices = array_of(stored.index_type, layout["indices"])
        return pa.DictionaryArray.from_arrays(indices, _child(stored.value_type, layout["dictionary"]))
    if kinds.is_run_end_encoded(stored):
        ends = pa.array(layout["run_ends"], stored.run_end_type)
        return pa.RunEndEncodedArray.from_arrays(ends, _child(stored.value_type, layout["values"]))
    if kinds.is_struct(stored):
        children = [_child(field.type, layout["children"][field.name]) for field in _fields(stored)]
        return pa.Array.from_buffers(stored, len(values), [_validity(values)], children=children)
    large = kinds.is_large_list(stored) or kinds.is_large_list_view(stored)
    numbers = [_buffer(layout[key], "i8" if large else "i4") for key in ("offsets", "sizes") if key in layout]
    child = _child(stored.field(0).type, layout["child"])
    return pa.Array.from_buffers(stored, len(values), [_validity(values), *numbers], children=[child])


def _list_layout(stored: pa.DataType, values: Sequence[Any]) -> dict[str, Any]:
    if pa.types.is_fixed_size_list(stored):
        empty = [None] * stored.list_size
        return {"child": array_of(stored.value_type, [item for value in values for item in (value or empty)])}
    lengths = [len(value or ()) for value in values]
    offsets = list(accumulate(lengths, initial=0))
    child = array_of(stored.field(0).type, [item for value in values for item in value or ()])
    if pa.types.is_list_view(stored) or pa.types.is_large_list_view(stored):
        return {"offsets": offsets[:-1], "sizes": lengths, "child": child}
    return {"offsets": offsets, "child": child}


def _child(stored: pa.DataType, values: Any) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    return array_of(stored, [_layout_value(stored, value) for value in values])


def _layout_value(stored: pa.DataType, value: Any) -> Any:
    if isinstance(value, list):
        return [_layout_value(stored.value_type, item) for item in value]
    return value.encode() if isinstance(value, str) else value


def _words(stored: pa.DataType, values: Sequence[Any]) -> pa.Array:
    width, signed = stored.bit_width // 8, not pa.types.is_floating(stored) and not pa.types.is_unsigned_integer(stored)
    words = b"".join((value or 0).to_bytes(width, "little", signed=signed) for value in values)
    return pa.Array.from_buffers(stored, len(values), [_validity(values), pa.py_buffer(words)])


def _validity(values: Sequence[Any]) -> pa.Buffer | None:
    there = [value is not None for value in values]
    return None if all(there) else pa.py_buffer(np.packbits(there, bitorder="little").tobytes())


def _buffer(numbers: Sequence[int], dtype: str) -> pa.Buffer:
    return pa.py_buffer(np.array(numbers, dtype).tobytes())


def _fixed(stored: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(stored))


def _fields(stored: pa.DataType) -> list[pa.Field]:
    return [stored.field(number) for number in range(stored.num_fields)]
