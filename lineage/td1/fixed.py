"""Values of fixed width (numbers, dates, times, decimals) as td1 writes them: little-endian words."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from lineage.td1.floats import Floats
from lineage.td1.slots import Array, Mask, Slots, Unencodable, Values, first, room, widened, words

_INTEGERS: Final = {
    "i8": "i1",
    "i16": "i2",
    "i32": "i4",
    "i64": "i8",
    "u8": "u1",
    "u16": "u2",
    "u32": "u4",
    "u64": "u8",
}
_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
_DAY_MS: Final = 86_400_000
_I32, _I64 = np.iinfo(np.int32), np.iinfo(np.int64)

_STORED: Final[dict[type, np.dtype[Any]]] = {
    pa.Int8Array: np.dtype("i1"),
    pa.Int16Array: np.dtype("i2"),
    pa.Int32Array: np.dtype("i4"),
    pa.Int64Array: np.dtype("i8"),
    pa.UInt8Array: np.dtype("u1"),
    pa.UInt16Array: np.dtype("u2"),
    pa.UInt32Array: np.dtype("u4"),
    pa.UInt64Array: np.dtype("u8"),
    pa.FloatArray: np.dtype("f4"),
    pa.DoubleArray: np.dtype("f8"),
    pa.Date32Array: np.dtype("i4"),
    pa.TimestampArray: np.dtype("i8"),
}
"""Arrays whose memory, where nothing is missing, is td1's payload already (timestamps: in microseconds)."""


def as_stored(array: Array) -> Values | Floats | None:
    """The payload of ``array`` where it is the array's own memory: the most ordinary columns, without a detour."""
    dtype = _STORED.get(type(array))
    if dtype is None or array.null_count or not len(array):
        return None
    if isinstance(array, pa.TimestampArray) and array.type.unit != "us":
        return None
    values = np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)
    return Floats(values) if dtype.kind == "f" else values


def integers(slots: Slots, name: str) -> Values:
    """``i8`` … ``u64``."""
    return words(slots, _INTEGERS[name])


def floats(slots: Slots) -> Floats:
    """Doubles, or floats (float16 widened)."""
    width = slots.array.type.bit_width
    if width == 16:
        with np.errstate(invalid="ignore"):  # a signalling NaN widens to a quiet one
            return Floats(words(slots, "f2").astype(np.float32))
    return Floats(words(slots, "f8" if width == 64 else "f4"))


def dates(slots: Slots) -> Values:
    """Days since 1970-01-01."""
    if pa.types.is_date32(slots.array.type):
        return words(slots, "i4")
    milliseconds = words(slots, "i8")
    days = milliseconds // _DAY_MS
    partial = days * _DAY_MS != milliseconds
    outside = (days < _I32.min) | (days > _I32.max)
    _require(~(partial | outside), "not_whole_day" if _first_is(partial, outside) else "overflow")
    return days.astype(np.int32)


def microseconds(slots: Slots) -> Values:
    """Timestamps and times of day, of any unit."""
    unit = slots.array.type.unit
    values = widened(words(slots, "i4" if pa.types.is_time32(slots.array.type) else "i8"))
    if unit == "us":
        return values
    if unit == "ns":
        whole = np.floor_divide(values, 1_000, out=room(len(values), "i8"))
        _require(np.multiply(whole, 1_000, out=room(len(values), "i8")) == values, "not_whole_microsecond")
        return whole
    factor = _MICROSECONDS[unit]
    _require((values >= -(-_I64.min // factor)) & (values <= _I64.max // factor), "overflow")
    return np.multiply(values, factor, out=room(len(values), "i8"))


def decimals(slots: Slots) -> Values:
    """Unscaled integers of 256 bits, as four 64-bit words each."""
    width = slots.array.type.byte_width
    if width == 4:
        stored = words(slots, "i4").astype(np.int64).reshape(-1, 1)
    else:
        stored = words(slots, "i8", width=width // 8).reshape(-1, width // 8)
    wide = room(len(stored) * 4, "i8").reshape(-1, 4)
    sign = stored[:, -1] >> 63
    for number in range(4):  # column by column: NumPy is slow at many short rows
        wide[:, number] = stored[:, number] if number < stored.shape[1] else sign
    return wide.reshape(-1)


def _first_is(one: Mask, other: Mask) -> bool:
    position = first(one | other)
    return position is not None and bool(one[position])


def _require(fine: Mask, kind: str) -> None:
    if not fine.all():
        position = int(fine.argmin())
        raise Unencodable(kind, position, "the value is outside what td1 can say")
