"""Lists, maps and structs of any Arrow layout, opened into the slots of their children."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lineage.td1.slots import Array, Index, Slots, memory, opened, require_valid_arrow, taken, widened
from lineage.td1.types import is_list_view, raw_name


def items(slots: Slots) -> tuple[Index, Slots]:
    """The length of each list, 0 where there is none, and all their items in row order."""
    if slots.index is None and slots.valid is None and not is_list_view(slots.array.type):
        return _end_to_end(slots.array)
    starts, lengths = (taken(found, slots.index) for found in _ranges(slots.array))
    if slots.valid is not None:
        lengths = lengths * slots.valid
    child = slots.array.values
    outside = (lengths < 0) | ((lengths > 0) & ((starts < 0) | (starts + lengths > len(child))))
    require_valid_arrow(outside, "a list that leaves its child array")
    return lengths, _joined(child, starts, lengths)


def field(slots: Slots, name: bytes) -> Slots:
    """The values of a struct's field; under a missing struct they are missing."""
    stored = slots.array.type
    number = next(at for at in range(stored.num_fields) if raw_name(stored.field(at)) == name)
    return field_at(slots, number)


def field_at(slots: Slots, number: int) -> Slots:
    """As :func:`field`, by position."""
    return opened(slots.array.field(number), slots.index, slots.valid)


def _end_to_end(array: Array) -> tuple[Index, Slots]:
    """Of lists that are all there and stand in the child one after the other."""
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        return np.full(len(array), size, np.int64), opened(array.values.slice(array.offset * size, len(array) * size))
    offsets = _offsets(array)
    lengths, start, end = np.diff(offsets), int(offsets[0]), int(offsets[-1])
    outside = start < 0 or end > len(array.values) or lengths.min(initial=0) < 0
    require_valid_arrow(np.array(outside), "a list that leaves its child array")
    return lengths, opened(array.values.slice(start, end - start))


def _offsets(array: Array) -> Index:
    large = pa.types.is_large_list(array.type)
    return widened(memory(array, 1, "i8" if large else "i4", extra=1))


def _ranges(array: Array) -> tuple[Index, Index]:
    stored = array.type
    if pa.types.is_fixed_size_list(stored):
        starts = (np.arange(len(array), dtype=np.int64) + array.offset) * stored.list_size
        return starts, np.full(len(array), stored.list_size, np.int64)
    if is_list_view(stored):
        dtype = "i8" if pa.types.is_large_list_view(stored) else "i4"
        return widened(memory(array, 1, dtype)), widened(memory(array, 2, dtype))
    offsets = _offsets(array)
    return offsets[:-1], np.diff(offsets)


def _joined(child: Array, starts: Index, lengths: Index) -> Slots:
    filled = lengths > 0
    starts, lengths = starts[filled], lengths[filled]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    if np.array_equal(starts[1:], starts[:-1] + lengths[:-1]):
        return opened(child.slice(int(starts[0]) if total else 0, total))
    return opened(child, np.repeat(starts - (ends - lengths), lengths) + np.arange(total))
