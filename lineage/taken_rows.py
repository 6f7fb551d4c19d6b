"""Rows of a column by their numbers, also where the answer is larger than one Arrow array may be.

Text, bytes and lists count with 32 bits where they begin, so that one array of text ends at 2 GiB. A column is several
arrays and has no such end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.lossless import Column, takeable


def taken(column: Column, numbers: pa.Array[Any]) -> Column:
    """The rows of ``column`` with these numbers, in their order and as often; null where the number is null.

    The type is the column's, or the like one of :func:`lineage.lossless.takeable`.
    """
    plain = takeable(column)
    return pa.chunked_array(_pieces(plain, numbers), plain.type)


def _pieces(column: Column, numbers: Any) -> list[Any]:
    """One array, or those of the two halves of what does not fit into one."""
    try:
        return [column.combine_chunks().take(numbers)]
    except pa.ArrowInvalid:
        if len(column) < 2 and len(numbers) < 2:
            raise  # not for its length
    middle = len(numbers) // 2
    halves = [numbers.slice(0, middle), numbers.slice(middle)]
    return [piece for half in halves for piece in _pieces(*_needed(column, half))]


def _needed(column: Column, numbers: Any) -> tuple[Column, Any]:
    """Only those rows of ``column`` that are asked for, and their numbers there."""
    wanted = np.unique(numbers.drop_null().to_numpy())
    ends = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])
    cuts = np.searchsorted(wanted, ends)
    chunks = [
        chunk.take(pa.array(wanted[cuts[at] : cuts[at + 1]] - ends[at])) for at, chunk in enumerate(column.chunks)
    ]
    return pa.chunked_array(chunks, column.type), pc.index_in(numbers, pa.array(wanted))
