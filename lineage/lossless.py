"""Casts that keep every value: what comes back from the cast type is what went in, or the cast is refused.

Arrow's own checked casts catch numbers that overflow or lose a fraction, but quietly cut a timestamp down to its
date, make any number a boolean and drop fields of a struct. So each cast between kinds is undone and compared.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from lineage.errors import LossyCast, NotDigestible
from lineage.td1 import digest_table
from lineage.td1.schema import logical_columns

Column: TypeAlias = Any
"""A ``pyarrow.ChunkedArray``."""


def lossless(name: str, column: Column, wanted: pa.DataType, *, first_row: int = 0) -> Column:
    """``column`` as ``wanted``.

    A NaN on its way into a type that has none becomes null, because pandas writes missing integers so.

    :param name: of the column, for the error
    :param first_row: number of the column's first row in the whole table, for the error
    :raises LossyCast: naming the column and the first row whose value would change.
    """
    plain = _without_nan(decoded(column)) if not pa.types.is_floating(wanted) else decoded(column)
    if plain.type == wanted:
        return plain
    if pa.types.is_null(plain.type):
        return pa.chunked_array([pa.nulls(len(plain), wanted)])
    try:
        return _cast(plain, wanted)
    except (pa.ArrowException, NotDigestible):
        row = _first_bad_row(plain, wanted, first_row)
        raise LossyCast(
            f"Column {name!r}, row {row}: {plain.type} cannot become the declared {wanted}"
            " without loss. Correct the source or the declared type of the feature."
        ) from None  # Arrow quotes the value, which may be a person's


def decoded(column: Column) -> Column:
    """``column`` without dictionary, run-end or extension around its values."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return decoded(column.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        return decoded(column.cast(kind.value_type))
    return decoded(pc.run_end_decode(column)) if pa.types.is_run_end_encoded(kind) else column


def takeable(column: Column) -> Column:
    """``column`` as a like type whose rows Arrow can pick: it cannot pick string views."""
    like = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(column.type)
    return column if like is None else column.cast(like)


def _cast(column: Column, wanted: pa.DataType) -> Column:
    if pa.types.is_nested(column.type):
        column = column.take(pa.array(range(len(column)), pa.int64()))  # Arrow casts what lies outside a slice, too
    result = column.cast(wanted)
    if _logical(column) != _logical(result) and _digest(result.cast(column.type)) != _digest(column):
        raise pa.ArrowInvalid("a value would change")
    return result


def _without_nan(column: Column) -> Column:
    if not pa.types.is_floating(column.type):
        return column
    unsigned = pc.add(column, pa.scalar(0, column.type))  # -0.0 is 0 where there is no other zero
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), unsigned)


def _logical(column: Column) -> Any:
    return logical_columns(pa.schema([("", column.type)]))


def _digest(column: Column) -> str:
    return digest_table(pa.table({"": column})).digest


def _first_bad_row(column: Column, wanted: pa.DataType, first_row: int) -> int | None:
    """The first row that cannot be cast, by halving; None in a column without rows."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _cast(column.slice(low, middle - low), wanted)
        except (pa.ArrowException, NotDigestible):
            high = middle
        else:
            low = middle
    return first_row + low if high > low else None
