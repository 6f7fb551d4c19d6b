"""The order of rows that no spine orders: by keys, then by all columns in name order.

Within a column: nulls first, then values (strings and bytes by their bytes, -0.0 before 0.0), NaN last. A list,
struct or map has no order of its own and goes by the bytes of its td1 encoding. Rows that are equal here are
equal in every column, so that the same rows always give the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lineage.errors import NotDigestible, RetrievalBroken
from lineage.lossless import decoded, takeable
from lineage.td1.encode import encoded
from lineage.td1.schema import logical_columns
from lineage.td1.slots import Unencodable


def sorted_rows(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """``table`` sorted by ``keys``, then by all other columns in name order. Raises RetrievalBroken for a lost key."""
    if missing := [name for name in keys if name not in table.column_names]:
        raise RetrievalBroken(
            f"The engine's answer lacks the columns {missing}. Expected every join key and the event timestamp;"
            " use another offline store, or report the engine."
        )
    by: dict[str, Any] = {}
    for at, name in enumerate(_order(table, keys)):
        column = table.column(name)
        if pa.types.is_nested(decoded(column).type):
            if by and _tell_apart(by):
                break  # the columns before this one already order every row
            column = _as_bytes(name, column)
        by.update((f"{at}.{part}", values) for part, values in _sort_keys(column))
    if not by:
        return table
    return table.take(pc.sort_indices(pa.table(by), sort_keys=[(name, "ascending") for name in by]))


def _order(table: pa.Table, keys: Sequence[str]) -> list[str]:
    rest = (name for name in sorted(table.column_names, key=str.encode) if name not in keys)
    return [*dict.fromkeys(keys), *rest]


def _sort_keys(column: Any) -> Iterator[tuple[str, Any]]:
    plain = takeable(decoded(column))
    if pa.types.is_float16(plain.type):
        plain = plain.cast(pa.float32())  # Arrow has no order for halves
    if pa.types.is_null(plain.type):
        return
    yield "0", pc.is_valid(plain)
    if not pa.types.is_floating(plain.type):
        yield "1", plain
        return
    nan, zero = pc.is_nan(plain), pa.scalar(0, plain.type)
    yield "1", pc.fill_null(nan, fill_value=False)
    yield "2", pc.if_else(nan, zero, plain)
    yield "3", pc.fill_null(pc.greater(pc.divide(pa.scalar(1, plain.type), plain), zero), fill_value=False)


def _tell_apart(by: dict[str, Any]) -> bool:
    table = pa.table(by)
    return bool(table.group_by(table.column_names).aggregate([]).num_rows == table.num_rows)


def _as_bytes(name: str, column: Any) -> Any:
    (kind,) = logical_columns(pa.schema([(name, column.type)])).values()
    rows = [chunk.slice(at, 1) for chunk in column.chunks for at in range(len(chunk))]
    try:
        values = [b"".join(encoded(kind, [row])) if row.null_count == 0 else None for row in rows]
    except Unencodable as error:
        raise NotDigestible(error.kind, column=name, message=str(error)) from error
    return pa.chunked_array([pa.array(values, pa.large_binary())])
