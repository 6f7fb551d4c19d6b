"""Strings and binary values of any Arrow layout as 64-bit offsets from 0 and the bytes between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.td1.slots import (
    Array,
    Index,
    InvalidArrow,
    Mask,
    Slots,
    Unencodable,
    Values,
    memory,
    require_valid_arrow,
    room,
    taken,
    widened,
)


def offsets_and_data(slots: Slots) -> tuple[Index, Values]:
    """One offset more than values, and their bytes end to end; a missing value is empty."""
    stored = slots.array.type
    if pa.types.is_fixed_size_binary(stored):
        return _fixed(slots, stored.byte_width)
    if pa.types.is_string_view(stored) or pa.types.is_binary_view(stored):
        return _views(slots)
    large = pa.types.is_large_string(stored) or pa.types.is_large_binary(stored)
    return _ranges(slots, "i8" if large else "i4")


def text(slots: Slots) -> tuple[Index, Values]:
    """As :func:`offsets_and_data`. Raises ``Unencodable("invalid_utf8")`` at the first value that is not UTF-8."""
    offsets, data = offsets_and_data(slots)
    if not _comes_from_text(slots):
        _require_utf8(offsets, data)
    return offsets, data


def _comes_from_text(slots: Slots) -> bool:
    """Whether a dictionary, shorter than what is taken from it, is UTF-8 throughout."""
    if slots.index is None or len(slots.array) > len(slots.index):
        return False
    try:
        _require_utf8(*offsets_and_data(Slots(slots.array, None, None)))
    except (Unencodable, InvalidArrow):
        return False  # in an entry that perhaps no row uses
    return True


def _require_utf8(offsets: Index, data: Values) -> None:
    if data.max(initial=0) < 0x80:
        return
    # The whole may be UTF-8 while a value begins inside a character, where another ends.
    starts = offsets[: np.searchsorted(offsets, len(data))]
    if not (np.take(data, starts, mode="clip") & 0xC0 == 0x80).any() and _is_utf8(data):
        return
    for position, (start, end) in enumerate(pairwise(offsets.tolist())):
        if not _is_utf8(data[start:end]):
            raise Unencodable("invalid_utf8", position, "the value is not UTF-8")


def _is_utf8(data: Values) -> bool:
    text = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)], np.int64)), pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _offsets(lengths: Index) -> Index:
    offsets = room(len(lengths) + 1, "i8")
    offsets[0] = 0
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _fixed(slots: Slots, width: int) -> tuple[Index, Values]:
    rows = taken(memory(slots.array, 1, "u1", width=width).reshape(len(slots.array), width), slots.index)
    if slots.valid is None:
        return np.arange(len(rows) + 1, dtype=np.int64) * width, rows.reshape(-1)
    return _offsets(slots.valid * np.int64(width)), rows[slots.valid].reshape(-1)


def _ranges(slots: Slots, dtype: str) -> tuple[Index, Values]:
    if slots.index is not None:
        return _taken(slots, slots.index, dtype)
    offsets = memory(slots.array, 1, dtype, extra=1)
    data = _data(slots.array)
    backwards = offsets[1:] < offsets[:-1]
    if backwards.any() or offsets[0] < 0 or offsets[-1] > len(data):
        raise InvalidArrow("found offsets of strings that run backwards or leave their buffer")
    if slots.valid is not None and (offsets[1:] > offsets[:-1])[~slots.valid].any():
        return _gathered(slots.array, offsets, np.arange(len(slots)), slots.valid)
    start, end = int(offsets[0]), int(offsets[-1])
    if start:
        from_zero = room(len(offsets), "i8")
        return np.subtract(offsets, offsets[0], out=from_zero), data[start:end]
    return widened(offsets), data[:end]


def _taken(slots: Slots, index: Index, dtype: str) -> tuple[Index, Values]:
    """The values at ``index``: by Arrow's own means where all of the array is sound and not longer than the index."""
    whole = _sound(slots.array, dtype) if len(slots.array) <= len(index) else None
    if whole is None:
        return _gathered(slots.array, memory(slots.array, 1, dtype, extra=1), index, slots.valid)
    source = pa.Array.from_buffers(pa.large_binary(), len(slots.array), [None, *map(pa.py_buffer, whole)])
    there = pa.array(index, mask=None if slots.valid is None else ~slots.valid)
    found = pc.take(source, there, boundscheck=False)  # every index was checked
    offsets = memory(found, 1, "i8", extra=1)
    return offsets, _data(found)[: offsets[-1]]


def _sound(array: Array, dtype: str) -> tuple[Index, Values] | None:
    """All of a dictionary; None where one of its entries, perhaps one that no row uses, breaks Arrow's rules."""
    try:
        return _ranges(Slots(array, None, None), dtype)
    except InvalidArrow:
        return None


def _gathered(array: Array, offsets: Values, index: Index, valid: Mask | None) -> tuple[Index, Values]:
    starts, ends = widened(taken(offsets[:-1], index)), widened(taken(offsets[1:], index))
    there = np.ones(len(index), np.bool_) if valid is None else valid
    outside = (ends < starts) | (starts < 0) | (ends > len(_data(array)))
    require_valid_arrow(outside & there, "an offset of a string that runs backwards or leaves its buffer")
    lengths = np.subtract(ends, starts, out=ends)
    if valid is not None:
        np.multiply(lengths, valid, out=lengths)
    wanted = lengths > 0
    result = _offsets(lengths)
    if result[-1] >= 1 << 31 and offsets.dtype.itemsize == 4:
        offsets = widened(offsets)
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), array.buffers()[2]]
    stored = pa.large_binary() if offsets.dtype.itemsize == 8 else pa.binary()
    source = pa.Array.from_buffers(stored, len(offsets) - 1, buffers)
    found = source.take(pa.array(index if wanted.all() else index[wanted]))
    return result, _data(found)[: result[-1]]


def _data(array: Array) -> Values:
    """All bytes that a string or binary array's offsets may point into."""
    buffer = array.buffers()[2]
    return np.frombuffer(b"" if buffer is None else buffer, np.uint8)


def _views(slots: Slots) -> tuple[Index, Values]:
    views = taken(memory(slots.array, 1, "i4", width=4).reshape(-1, 4), slots.index)
    if slots.valid is not None:
        views = views * slots.valid[:, np.newaxis].astype(np.int32)
    buffers = slots.array.buffers()[2:]
    _require_views_inside(views, buffers)
    chosen = pa.Array.from_buffers(pa.binary_view(), len(views), [None, pa.py_buffer(views), *buffers])
    offsets = _offsets(views[:, 0].astype(np.int64))
    return offsets, _data(chosen.cast(pa.large_binary()))[: offsets[-1]]


def _require_views_inside(views: Values, buffers: list[pa.Buffer]) -> None:
    length, _, number, start = views.astype(np.int64).T
    sizes = np.array([0 if buffer is None else buffer.size for buffer in buffers] or [0], np.int64)
    known = (number >= 0) & (number < len(buffers))
    inside = known & (start >= 0) & (start + length <= sizes[number * known])
    require_valid_arrow((length < 0) | ((length > 12) & ~inside), "a view that leaves its buffers")
