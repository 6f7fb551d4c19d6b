"""Values of fixed width (numbers, dates, times, decimals) as td1 writes them: little-endian words."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from lineage.td1.slots import Mask, Slots, Unencodable, Values, first, room, widened, words

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
_NAN: Final = {"f4": 0x7FC0_0000, "f8": 0x7FF8_0000_0000_0000}
_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
_DAY_MS: Final = 86_400_000
_I32, _I64 = np.iinfo(np.int32), np.iinfo(np.int64)


def integers(slots: Slots, name: str) -> Values:
    """``i8`` … ``u64``."""
    return words(slots, _INTEGERS[name])


def floats(slots: Slots) -> Values:
    """Doubles, or floats (float16 widened); one NaN for all NaNs."""
    stored = slots.array.type
    if pa.types.is_float16(stored):
        with np.errstate(invalid="ignore"):  # a signalling NaN widens to a quiet one
            values = words(slots, "f2").astype(np.float32)
    else:
        values = words(slots, "f8" if pa.types.is_float64(stored) else "f4")
    return _one_nan(values)


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
    wide[:, : stored.shape[1]] = stored
    wide[:, stored.shape[1] :] = stored[:, -1:] >> 63
    return wide.reshape(-1)


def _one_nan(values: Values) -> Values:
    with np.errstate(all="ignore"):
        if not np.isnan(values.max(initial=0)):  # NumPy's maximum of anything and NaN is NaN
            return values
    integer = f"u{values.dtype.itemsize}"
    result = room(len(values), integer)
    np.copyto(result, values.view(integer))
    result[np.isnan(values)] = _NAN[values.dtype.str[1:]]
    return result


def _first_is(one: Mask, other: Mask) -> bool:
    position = first(one | other)
    return position is not None and bool(one[position])


def _require(fine: Mask, kind: str) -> None:
    if not fine.all():
        position = int(fine.argmin())
        raise Unencodable(kind, position, "the value is outside what td1 can say")
