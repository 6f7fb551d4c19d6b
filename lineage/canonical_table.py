"""The canonical snapshot: declared types, the spine's row order, nothing rounded (DESIGN "Canonical snapshot").

Whatever engine ran a retrieval, the same data comes out of :func:`canonical_table` as the same rows of the
same types in the same order, and therefore with the same td1 digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lineage.errors import LossyCast, RetrievalBroken

ROW = "__provender_row"
"""The int64 column that numbers the rows of a spine on their way through an engine."""

TIMESTAMP = pa.timestamp("us", "UTC")


def canonical_table(table: pa.Table, *, types: Mapping[str, pa.DataType], rows: int | None, keys: Sequence[str]) -> pa.Table:
    """``table`` with every column in its declared type, in the order of the spine.

    :param types: declared Arrow type of each column; columns not named keep theirs (timestamps become UTC microseconds).
    :param rows: number of rows of the spine, numbered in ``ROW``; None for a retrieval without a spine,
        which is sorted by ``keys`` and then by all columns in name order.
    :raises RetrievalBroken: a spine row is missing, doubled or invented.
    :raises LossyCast: naming column and row.
    """
    ordered = table if rows is None else _spine_order(table, rows)
    columns = {name: _cast(name, ordered.column(name), types.get(name)) for name in ordered.column_names}
    typed = pa.table(columns)
    return typed if rows is not None else typed.take(_sort_indices(typed, keys))


def _spine_order(table: pa.Table, rows: int) -> pa.Table:
    numbers = table.column(ROW).combine_chunks().cast(pa.int64())
    order = pc.sort_indices(numbers)
    if len(numbers) != rows or not numbers.take(order).equals(pa.array(range(rows), pa.int64())):
        raise RetrievalBroken(
            f"The engine answered {len(numbers)} rows for a spine of {rows}, or not each of them once. Expected one row for each"
            " entity row; nothing was recorded as a snapshot. Use another offline store, or report the engine."
        )
    return table.take(order).drop_columns([ROW])


def _cast(name: str, column: pa.ChunkedArray, declared: pa.DataType | None) -> pa.ChunkedArray:
    wanted = declared or (TIMESTAMP if pa.types.is_timestamp(column.type) else column.type)
    if column.type == wanted:
        return column
    if pa.types.is_null(column.type):
        return pa.chunked_array([pa.nulls(len(column), wanted)])
    source = _nan_is_null(column) if pa.types.is_floating(column.type) and not pa.types.is_floating(wanted) else column
    try:
        result = source.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _lossy(name, source, wanted, str(error).splitlines()[0]) from error
    if pa.types.is_floating(source.type) and pa.types.is_floating(wanted):
        _check_round_trip(name, source, result)
    return result


def _nan_is_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """pandas writes a null integer as NaN; nullable integers stay integers."""
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _check_round_trip(name: str, source: pa.ChunkedArray, result: pa.ChunkedArray) -> None:
    back = result.cast(source.type)
    same = pc.or_(pc.equal(back, source), pc.and_(pc.is_nan(back), pc.is_nan(source)))
    if not pc.all(pc.fill_null(same, fill_value=True)).as_py():
        raise _lossy(name, source, result.type, "a value would be rounded", row=pc.index(same, pa.scalar(value=False)).as_py())


def _lossy(name: str, column: pa.ChunkedArray, wanted: pa.DataType, reason: str, *, row: int | None = None) -> LossyCast:
    at = row if row is not None else _first_bad_row(column, wanted)
    return LossyCast(
        f"Column {name!r}, row {at}: {column.type} cannot become the declared {wanted} without loss ({reason})."
        " Correct the source or the declared type of the feature."
    )


def _first_bad_row(column: pa.ChunkedArray, wanted: pa.DataType) -> int | None:
    """The first row that cannot be cast, by halving."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            column.slice(low, middle - low).cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
        else:
            low = middle
    return low if high > low else None


def _sort_indices(table: pa.Table, keys: Sequence[str]) -> pa.Array:
    """Order of rows by ``keys``, then all columns by name: nulls first, strings by UTF-8 bytes, NaN last."""
    names = [*keys, *(name for name in sorted(table.column_names, key=str.encode) if name not in keys)]
    by: dict[str, pa.ChunkedArray] = {}
    for at, name in enumerate(names):
        column = table.column(name)
        if pa.types.is_nested(column.type):
            continue  # rows that differ in nothing else are equal to the eye of an order
        by[f"{at}.0"] = pc.invert(pc.is_null(column))
        if pa.types.is_floating(column.type):
            by[f"{at}.1"] = pc.fill_null(pc.is_nan(column), fill_value=False)
        by[f"{at}.2"] = column
    return pc.sort_indices(pa.table(by), sort_keys=[(name, "ascending") for name in by])
