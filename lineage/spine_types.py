"""The types that entity rows had before a snapshot cast their columns to declared types, stated and given back.

    stated_types(table.schema)              # {"patient": "i64", "event_timestamp": "ts_us_utc", ...}
    with_types(rows_of_the_snapshot, stated)

A key may be declared as text and given as a number; the join compares what was given, so who joins again needs it.
Types are td1's logical ones: how Arrow, pandas or Polars store a value is not what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from governance.canonical import Json
from lineage.canonical_table import TIMESTAMP
from lineage.lossless import lossless
from lineage.td1.types import Untypable, logical_type

_ARROW: Mapping[str, pa.DataType] = {
    **{f"i{bits}": pa.type_for_alias(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"u{bits}": pa.type_for_alias(f"uint{bits}") for bits in (8, 16, 32, 64)},
    "f32": pa.float32(),
    "f64": pa.float64(),
    "bool": pa.bool_(),
    "utf8": pa.large_string(),
    "bytes": pa.large_binary(),
    "date": pa.date32(),
    "time_us": pa.time64("us"),
    "ts_us": pa.timestamp("us"),
    "ts_us_utc": TIMESTAMP,
}
"""One Arrow type for each logical type that a key may have."""

_WIDEST_128 = 38
"""Digits of the largest 128-bit decimal."""


def stated_types(schema: pa.Schema) -> dict[str, Json]:
    """Column → logical type as td1's descriptor writes it; None for one that td1 has no encoding for."""
    return {field.name: _stated(field.type) for field in schema}


def with_types(table: pa.Table, stated: Mapping[str, Json]) -> pa.Table:
    """``table`` with each column in the type that ``stated`` has for it.

    Lists, structs and maps are no keys, so no snapshot casts them: they stay. Raises LossyCast where a column does not
    hold values of that type.
    """
    for at, field in enumerate(table.schema):
        said = stated.get(field.name)
        if said != _stated(field.type):
            table = table.set_column(at, field.name, _restored(field.name, table.column(at), said))
    return table


def _stated(kind: pa.DataType) -> Json:
    try:
        return logical_type(kind).json
    except Untypable:
        return None


def _restored(name: str, column: Any, said: Json) -> Any:
    if said == "null" and column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])
    wanted = _arrow(said)
    return column if wanted is None else lossless(name, column, wanted)


def _arrow(said: Json) -> pa.DataType | None:
    match said:
        case str():
            return _ARROW.get(said)
        case ["dec", int(precision), int(scale)]:
            kind = pa.decimal128 if precision <= _WIDEST_128 else pa.decimal256
            return kind(precision, scale)
    return None
