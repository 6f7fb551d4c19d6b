"""Casts that keep every value: what comes back from the cast type is what went in, or the cast is refused.

Arrow's own checked casts catch numbers that overflow or lose a fraction, but quietly cut a timestamp down to its
date, make any number a boolean and drop fields of a struct. So each cast between kinds is undone and compared.

That does not tell what a number or a text means as a time: it depends on the unit or the zone that the time happens to
be in. So times and what are none do not become each other, but for one case, as Feast has it: an integer declared a
timestamp is seconds since 1970 (``feast.type_map``, ``_python_datetime_to_int_timestamp``).
"""

from __future__ import annotations

from collections.abc import Iterator
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

    A NaN on its way into a type that has none becomes null, because pandas writes missing integers so. A column of
    nulls alone becomes anything. An integer becomes a timestamp as seconds since 1970.

    :param name: of the column, for the error
    :param first_row: number of the column's first row in the whole table, for the error
    :raises LossyCast: naming the column, and the first row whose value would change, if not all of them would.
    """
    plain = _without_nan(decoded(column)) if not pa.types.is_floating(wanted) else decoded(column)
    if plain.type == wanted:
        return plain
    if plain.null_count == len(plain):
        return pa.chunked_array([pa.nulls(len(plain), wanted)])
    if _changes_meaning(plain.type, wanted) and not _is_seconds(plain.type, wanted):
        raise LossyCast(
            f"Column {name!r} is {plain.type} where {wanted} is declared. What is no time becomes none, and the other"
            " way round, but for whole numbers as timestamps: those are seconds since 1970. Correct the source or the"
            " declared type of the feature."
        )
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
    if _is_seconds(column.type, wanted):
        column = column.cast(pa.int64()).cast(pa.timestamp("s"))
    if pa.types.is_nested(column.type):
        column = column.take(pa.array(range(len(column)), pa.int64()))  # Arrow casts what lies outside a slice, too
    result = pa.chunked_array([part for chunk in column.chunks for part in _apart(chunk)], column.type).cast(wanted)
    if _logical(column) != _logical(result) and _digest(result.cast(column.type)) != _digest(column):
        raise pa.ArrowInvalid("a value would change")
    return result


def _apart(array: Any) -> Iterator[Any]:
    """An array in pieces below 2 GiB: what counts with 32 bits holds no more."""
    if array.nbytes < 2**31 or len(array) < 2:
        yield array
        return
    middle = len(array) // 2
    for rows in (range(middle), range(middle, len(array))):
        yield from _apart(array.take(pa.array(rows)))  # a slice would count from where the whole begins


def _is_seconds(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether these are integers as timestamps; pandas makes floats of integers where some are missing."""
    return bool(pa.types.is_timestamp(wanted) and (pa.types.is_integer(found) or pa.types.is_floating(found)))


def _changes_meaning(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether there is a time on one side only, anywhere in nested types."""
    ours, theirs = dict(_leaves(found)), dict(_leaves(wanted))
    return any(pa.types.is_temporal(ours[path]) != pa.types.is_temporal(theirs[path]) for path in ours.keys() & theirs)


def _leaves(kind: pa.DataType, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
    """The types of the values themselves, by the fields that lead to them."""
    if not pa.types.is_nested(kind):
        yield path, kind
        return
    if pa.types.is_map(kind):
        parts = {"key": kind.key_type, "value": kind.item_type}
    else:
        fields = [kind.field(at) for at in range(kind.num_fields)]
        parts = {field.name if pa.types.is_struct(kind) else "": field.type for field in fields}
    for name, part in parts.items():
        yield from _leaves(part, (*path, name))


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
