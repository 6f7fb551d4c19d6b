"""The one Arrow type in which a snapshot gives back each logical type of td1, whoever wrote it.

Columns stand in descriptor order, without metadata. So runs that gave the same rows as ``string`` or as
``large_string``, or in another order of columns, write files that can stand in for each other, and nothing that lies
in a file beside the values, such as the name of a time zone or pandas' own metadata, says how they are to be read.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, assert_never

import pyarrow as pa

from lineage.errors import NotDigestible
from lineage.lossless import decoded, lossless
from lineage.td1.schema import logical_columns
from lineage.td1.types import (
    DecimalOf,
    ListOf,
    LogicalType,
    MapOf,
    Simple,
    StructOf,
    Untypable,
    is_list,
)

Column: TypeAlias = Any
"""A ``pyarrow.ChunkedArray``."""

_SIMPLE: Final[dict[str, pa.DataType]] = {
    **{f"i{bits}": pa.type_for_alias(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"u{bits}": pa.type_for_alias(f"uint{bits}") for bits in (8, 16, 32, 64)},
    "f32": pa.float32(),
    "f64": pa.float64(),
    "bool": pa.bool_(),
    "null": pa.null(),
    "utf8": pa.string(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    "ts_us": pa.timestamp("us"),
    "ts_us_utc": pa.timestamp("us", "UTC"),
    "time_us": pa.time64("us"),
}
_SAME_IN_PARQUET: Final[dict[pa.DataType, pa.DataType]] = {
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
}
_NARROW: Final = 38
"""Digits that a decimal of 128 bits holds."""


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of ``schema`` as a snapshot gives them back.

    :raises NotDigestible: a column has no logical type, or one that Parquet does not hold; names the column
    """
    return pa.schema([(name, _typed(name, kind)) for name, kind in logical_columns(schema).items()])


def to_store(table: pa.Table) -> pa.Table:
    """``table`` as it is written. What Parquet writes as the same bytes is not copied.

    :raises NotDigestible: as :func:`stored_schema`
    :raises LossyCast: Arrow cannot decode a column; names it
    """
    wanted = stored_schema(table.schema)
    columns = [_writable(field.name, table.column(field.name), field.type) for field in wanted]
    return pa.Table.from_arrays(columns, names=wanted.names)


def as_given(table: pa.Table) -> pa.Table:
    """A chunk that was read, in the types of :func:`stored_schema`; whether these are the recorded ones is not asked.

    Raises NotDigestible, and ``pyarrow.ArrowException`` where a value does not fit.
    """
    wanted = stored_schema(table.schema)
    return pa.Table.from_arrays([_fitted(table.column(field.name), field.type) for field in wanted], schema=wanted)


def _typed(name: str, kind: LogicalType) -> pa.DataType:
    try:
        return _stored_type(kind)
    except Untypable as error:
        raise NotDigestible(error.kind, column=name, message=str(error)) from None


def _stored_type(kind: LogicalType) -> pa.DataType:
    match kind:
        case Simple(name):
            return _SIMPLE[name]
        case DecimalOf(precision, scale):
            if not 0 <= scale <= precision:
                raise Untypable(
                    "unsupported_type",
                    f"found a decimal of {precision} digits with scale {scale}; Parquet holds scales from 0 to the"
                    " number of digits; cast the column to such a one",
                )
            return _decimal(precision, scale)
        case ListOf(item):
            return pa.list_(_stored_type(item))
        case MapOf(key, value):
            return pa.map_(_stored_type(key), _stored_type(value))
        case StructOf(fields):
            if not fields:
                raise Untypable("unsupported_type", "found a struct without fields, which Parquet does not hold")
            return pa.struct([(name, _stored_type(field)) for name, field in fields])
        case _:
            assert_never(kind)


def _decimal(precision: int, scale: int) -> pa.DataType:
    return pa.decimal128(precision, scale) if precision <= _NARROW else pa.decimal256(precision, scale)


def _writable(name: str, column: Column, wanted: pa.DataType) -> Column:
    plain = column if _read_back(column.type) == wanted else decoded(column)
    return plain if _read_back(plain.type) == wanted else lossless(name, plain, wanted)


def _read_back(written: pa.DataType) -> pa.DataType:
    """The type that Parquet gives for a column written as ``written``, as far as it writes the same bytes for both."""
    if pa.types.is_timestamp(written) and written.tz is not None:
        return pa.timestamp(written.unit, "UTC")
    if pa.types.is_decimal(written):
        return _decimal(written.precision, written.scale)
    if pa.types.is_map(written):
        return pa.map_(_read_back(written.key_type), _of_field(written.item_field))
    if is_list(written):
        return pa.list_(_of_field(written.value_field))
    if pa.types.is_struct(written):
        return pa.struct([_of_field(written.field(at)) for at in range(written.num_fields)])
    return _SAME_IN_PARQUET.get(written, written)


def _of_field(field: pa.Field[Any]) -> pa.Field[Any]:
    return field.with_type(_read_back(field.type))


def _fitted(column: Column, wanted: pa.DataType) -> Column:
    """``column`` as ``wanted``, in so many pieces that offsets of 32 bits reach to the end of each."""
    plain = decoded(column)
    if plain.type == wanted:
        return plain
    try:
        return plain.cast(wanted)
    except pa.ArrowInvalid:
        if len(plain) < 2:
            raise
        halves = [range(len(plain) // 2), range(len(plain) // 2, len(plain))]
        taken = [plain.take(pa.array(half, pa.int64())) for half in halves]  # a slice would keep its large offsets
        return pa.chunked_array([piece for half in taken for piece in _fitted(half, wanted).chunks], wanted)
