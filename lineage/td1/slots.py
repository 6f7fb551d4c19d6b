"""Which slots of which Arrow array hold some values, and their raw memory as NumPy arrays.

A dictionary or run-end encoded array is opened into its values and an index into them, a list into
its child and an index, so that each level reads plain memory and only the slots that count. NumPy
checks every index against the memory it reads; what Arrow alone would trust (offsets, codes, sizes)
is checked here first. Layouts: https://arrow.apache.org/docs/format/Columnar.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Array: TypeAlias = Any
"""A ``pyarrow.Array`` of any type: pyarrow has no useful static type for it."""
Index: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[Any]


class Unencodable(ValueError):
    """A value that td1 has no encoding for: the format's name of the error and the value's position."""

    def __init__(self, kind: str, position: int, message: str) -> None:
        super().__init__(message)
        self.kind, self.position = kind, position


class InvalidArrow(ValueError):
    """An array that breaks Arrow's rules, so that reading on would leave its buffers."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Values of one level of one Arrow array, in row order."""

    array: Array
    """Plain storage: neither dictionary nor run-end encoded, nor an extension."""
    index: Index | None
    """For each value its slot, counted from the array's own start; None: all slots as they stand."""
    valid: Mask | None
    """Whether each value is there; the index of one that is not is 0. None: all are."""

    def __len__(self) -> int:
        return len(self.array) if self.index is None else len(self.index)


def opened(array: Array, index: Index | None = None, valid: Mask | None = None) -> Slots:
    """``array``, without its encodings, at ``index`` where ``valid``."""
    if isinstance(array, pa.ExtensionArray):
        return opened(array.storage, index, valid)
    if isinstance(array, pa.DictionaryArray):
        return _dictionary(array, index, valid)
    if isinstance(array, pa.RunEndEncodedArray):
        return _runs(array, index, valid)
    return _plain(array, index, valid)


def room(count: int, dtype: str) -> Values:
    """Memory for ``count`` numbers, contents undefined.

    It comes from Arrow's pool, which keeps what is freed. NumPy's own arrays of this size go back to
    the operating system and fault in again page by page, which costs as much as the hashing.
    """
    return np.frombuffer(pa.allocate_buffer(count * np.dtype(dtype).itemsize), dtype)


def widened(values: Values) -> Index:
    """``values`` as 64-bit integers."""
    if values.dtype == np.int64:
        return values
    wide = room(len(values), "i8")
    np.copyto(wide, values, casting="unsafe")
    return wide


def words(slots: Slots, dtype: str, *, width: int = 1) -> Values:
    """The fixed-width values, ``width`` numbers of ``dtype`` each in one flat array; 0 where there is none."""
    values = memory(slots.array, 1, dtype, width=width)
    if slots.index is None and slots.valid is None:
        return values
    if width > 1:
        values = values.reshape(-1, width)
    return _zeroed(taken(values, slots.index), slots.valid).reshape(-1)


def bits(slots: Slots) -> Mask:
    """The values of a boolean array; False where there is none."""
    found = taken(_bitmap(slots.array, 1), slots.index)
    return found if slots.valid is None else found & slots.valid


def memory(array: Array, number: int, dtype: str, *, width: int = 1, extra: int = 0) -> Values:
    """Buffer ``number`` of ``array``, from its own start, as ``len(array) * width + extra`` numbers."""
    size = np.dtype(dtype).itemsize
    count = len(array) * width + extra
    buffer = array.buffers()[number]
    if len(array) * width == 0 or buffer is None:
        return np.zeros(count, dtype)
    return np.frombuffer(buffer, dtype, count, array.offset * width * size)


def taken(values: Values, index: Index | None) -> Values:
    """``values`` at ``index``; only values that are not there have an index into nothing."""
    if index is None:
        return values
    if len(values) == 0:
        return np.zeros((len(index), *values.shape[1:]), values.dtype)
    found = room(len(index) * values[0].size, values.dtype.str).reshape(len(index), *values.shape[1:])
    # Every index was checked; "clip" only lets NumPy write straight into `found`.
    return np.take(values, index, axis=0, out=found, mode="clip")


def first(wrong: Mask) -> int | None:
    """The position of the first True."""
    position = int(wrong.argmax()) if len(wrong) else 0
    return position if len(wrong) and wrong[position] else None


def require_valid_arrow(wrong: Mask, what: str) -> None:
    """Raises ``InvalidArrow`` where any is True."""
    if wrong.any():
        raise InvalidArrow(f"found {what}; the program that wrote this array is broken")


def _plain(array: Array, index: Index | None, valid: Mask | None) -> Slots:
    valid = _narrowed(array, index, valid)
    if valid is not None and index is not None:
        index = index * valid
    return Slots(array, index, valid)


def _dictionary(array: Array, index: Index | None, valid: Mask | None) -> Slots:
    codes = opened(array.indices, index, valid)
    dtype = str(np.dtype(array.indices.type.to_pandas_dtype()))
    positions = widened(words(codes, dtype))
    wrong = (positions < 0) | (positions >= len(array.dictionary))
    require_valid_arrow(wrong if codes.valid is None else wrong & codes.valid, "an index outside its dictionary")
    return opened(array.dictionary, positions, codes.valid)


def _runs(array: Array, index: Index | None, valid: Mask | None) -> Slots:
    ends = opened(array.run_ends)
    rows = array.offset + (np.arange(len(array)) if index is None else index)
    dtype = str(np.dtype(array.run_ends.type.to_pandas_dtype()))
    positions = np.searchsorted(words(ends, dtype), rows, side="right").astype(np.int64)
    wrong = positions >= len(array.values)
    require_valid_arrow(wrong if valid is None else wrong & valid, "a row after the last run")
    return opened(array.values, positions if valid is None else positions * valid, valid)


def _narrowed(array: Array, index: Index | None, valid: Mask | None) -> Mask | None:
    if array.null_count == 0:
        return valid
    if pa.types.is_null(array.type):
        return np.zeros(len(array) if index is None else len(index), np.bool_)
    if array.buffers()[0] is None:
        return valid
    own = taken(_bitmap(array, 0), index)
    return own if valid is None else own & valid


def _bitmap(array: Array, number: int) -> Mask:
    buffer = array.buffers()[number]
    if len(array) == 0 or buffer is None:
        return np.zeros(len(array), np.bool_)
    start, skipped = divmod(array.offset, 8)
    packed = np.frombuffer(buffer, np.uint8, (skipped + len(array) + 7) // 8, start)
    return np.unpackbits(packed, count=skipped + len(array), bitorder="little")[skipped:].view(np.bool_)


def _zeroed(values: Values, valid: Mask | None) -> Values:
    if valid is None:
        return values
    whole = values.view(f"u{values.dtype.itemsize}")
    result = room(whole.size, whole.dtype.str).reshape(whole.shape)
    # A product with 0 or 1 is several times as fast as a choice by mask, and exact on unsigned numbers.
    np.multiply(whole, valid.reshape(-1, *(1,) * (values.ndim - 1)), out=result)
    return result.view(values.dtype)
