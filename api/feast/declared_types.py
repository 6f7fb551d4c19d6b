"""The Arrow types that Feast's fields declare for rows of a retrieval."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from feast.types import from_feast_to_pyarrow_type
from feast.value_type import ValueType

from lineage.canonical_table import TIMESTAMP

_BYTES = {
    ValueType.BYTES: pa.binary(),
    ValueType.BYTES_LIST: pa.list_(pa.binary()),
    ValueType.BYTES_SET: pa.list_(pa.binary()),
}
"""What Feast's own translation leaves out."""

_OPEN = frozenset({ValueType.MAP, ValueType.MAP_LIST, ValueType.UNKNOWN, ValueType.NULL})
"""Feast declares a map without the types of its keys and values: a source's own types stay."""


def declared_type(field: Any) -> pa.DataType | None:
    """The Arrow type of a Feast field; None where it leaves the type to the source.

    Times are UTC microseconds. A decimal is text, as Feast declares it: its scale differs from engine to engine.
    """
    kind = field.dtype.to_value_type()
    if kind in _OPEN:
        return None
    declared = _BYTES[kind] if kind in _BYTES else from_feast_to_pyarrow_type(field.dtype)
    return TIMESTAMP if pa.types.is_timestamp(declared) else declared
