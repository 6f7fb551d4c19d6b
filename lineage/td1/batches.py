"""Many small arrays made into few, because each array costs the same time however short it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import pyarrow as pa

from lineage.td1.slots import Array, InvalidArrow

_FEW: Final = 8
_SMALL_BYTES: Final = 1 << 30


def coalesced(arrays: Sequence[Array]) -> Sequence[Array]:
    """``arrays`` with neighbours of one plain type joined, where there are many."""
    if len(arrays) <= _FEW:
        return arrays
    joined: list[Array] = []
    for stored, group in groupby(arrays, key=lambda array: array.type):
        joined.extend(_joined(stored, list(group)))
    return joined


def _joined(stored: pa.DataType, arrays: list[Array]) -> list[Array]:
    if not _is_plain(stored) or sum(array.nbytes for array in arrays) > _SMALL_BYTES:
        return arrays
    try:
        for array in arrays:
            array.validate()  # cheap: joining copies from a slice's first to its last offset, unchecked
    except pa.ArrowInvalid as error:
        raise InvalidArrow(str(error)) from error
    return [pa.concat_arrays(arrays)]


def _is_plain(stored: pa.DataType) -> bool:
    """Types that Arrow joins by copying memory: no offsets that could overflow, no dictionaries to unify."""
    kinds = pa.types
    return bool(
        kinds.is_primitive(stored)
        or kinds.is_decimal(stored)
        or kinds.is_string(stored)
        or kinds.is_large_string(stored)
        or kinds.is_binary(stored)
        or kinds.is_large_binary(stored)
    )
