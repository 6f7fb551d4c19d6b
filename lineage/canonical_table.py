"""The canonical snapshot: declared types, the spine's row order, nothing rounded (``docs/formats/snapshot.md``).

Whatever engine ran a retrieval, the same data comes out of :func:`canonical_table` as the same rows of the
same types in the same order, and therefore with the same td1 digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lineage.errors import RetrievalBroken
from lineage.lossless import lossless, takeable
from lineage.row_order import sorted_rows

ROW = "__provender_row"
"""The int64 column that numbers the rows of a spine on their way through an engine."""

TIMESTAMP = pa.timestamp("us", "UTC")


def canonical_table(
    table: pa.Table, *, types: Mapping[str, pa.DataType], rows: int | None, keys: Sequence[str]
) -> pa.Table:
    """``table`` with every column in its declared type, in the order of the spine.

    :param types: declared Arrow type of each column; others keep theirs (timestamps become UTC microseconds).
    :param rows: number of rows of the spine, numbered in ``ROW``; None for a retrieval without a spine,
        which is sorted by ``keys`` (event timestamp first) and then by all columns in name order.
    :raises RetrievalBroken: a spine row is missing, doubled or invented, or a column is there twice.
    :raises LossyCast: naming column and row.
    """
    columns_once(table)
    plain = pa.table({name: takeable(table.column(name)) for name in table.column_names})
    ordered = plain if rows is None else _spine_order(plain, rows)
    typed = pa.table({name: _typed(name, ordered.column(name), types.get(name)) for name in ordered.column_names})
    return typed if rows is not None else sorted_rows(typed, keys)


def columns_once(table: pa.Table) -> None:
    """Raise RetrievalBroken where two columns of an engine's answer have one name."""
    if len(set(table.column_names)) != table.num_columns:
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        raise RetrievalBroken(
            f"The engine's answer has more than one column named {twice}. Ask with full_feature_names=True."
        )


def _spine_order(table: pa.Table, rows: int) -> pa.Table:
    numbers = _numbers(table)
    expected = pa.array(range(rows), pa.int64())
    if not numbers.equals(expected):
        order = pc.sort_indices(numbers)
        if not numbers.take(order).equals(expected):
            raise RetrievalBroken(
                f"The engine answered {len(numbers)} rows for a spine of {rows}, or not each of them once. Expected one"
                " row for each entity row; nothing was recorded as a snapshot. Use another offline store, or report the"
                " engine."
            )
        table = table.take(order)
    return table.drop_columns([ROW])


def _numbers(table: pa.Table) -> Any:
    """The row numbers that came back. pandas engines make them floats where they invented a row."""
    if ROW not in table.column_names:
        raise RetrievalBroken(
            f"The engine lost the column {ROW} that numbers the entity rows, so nobody can tell which row is which."
            " Use another offline store, or report the engine."
        )
    try:
        return table.column(ROW).combine_chunks().cast(pa.int64())
    except pa.ArrowException:
        raise RetrievalBroken(
            f"The engine made {table.column(ROW).type} of the row numbers, so rows were invented or mixed up."
            " Use another offline store, or report the engine."
        ) from None  # Arrow quotes a value; an engine that mixes rows up may have put any there


def _typed(name: str, column: Any, declared: pa.DataType | None) -> Any:
    wanted = declared or (TIMESTAMP if pa.types.is_timestamp(column.type) else column.type)
    return column if column.type == wanted else lossless(name, column, wanted)
