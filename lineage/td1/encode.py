"""``encode(T, values)``: the bytes that td1 hashes for the values of one column in one chunk.

A column's values come as pieces, one Arrow array from each batch; the pieces may differ in Arrow
type, not in logical type. The result is a list of memory pieces to be hashed in order: where Arrow's
layout is td1's already, they are Arrow's own buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias, TypeVar, assert_never

import numpy as np

from lineage.td1 import fixed, nested
from lineage.td1.floats import Floats
from lineage.td1.slots import Array, Index, Slots, Unencodable, Values, bits, opened
from lineage.td1.types import DecimalOf, ListOf, LogicalType, MapOf, Simple, StructOf
from lineage.td1.variable import offsets_and_data, text

Parts: TypeAlias = list[Any]
"""Objects with contiguous memory, and ``Floats``, to be hashed in order."""
Pieces: TypeAlias = Sequence[Slots]
_Encoder: TypeAlias = Callable[[Pieces, Parts], None]

_Found = TypeVar("_Found")

_TIMES: Final = ("ts_us", "ts_us_utc", "time_us")


def encoded(kind: LogicalType, arrays: Sequence[Array]) -> list[Any]:
    """The encoding of all values of ``arrays`` as memory pieces. Raises as :func:`drafted`."""
    return [part.canonical if isinstance(part, Floats) else part for part in drafted(kind, arrays)]


def drafted(kind: LogicalType, arrays: Sequence[Array]) -> Parts:
    """The encoding of all values of ``arrays``, one after the other.

    Raises:
        Unencodable: the first value without an encoding, with its position among all the values.
        InvalidArrow: an array that breaks Arrow's own rules.
    """
    if len(arrays) == 1 and (values := fixed.as_stored(arrays[0])) is not None:
        return [_all_there(len(arrays[0])), values]
    parts: Parts = []
    _encoder(kind)([opened(array) for array in arrays], parts)
    return parts


@lru_cache(1024)
def _encoder(kind: LogicalType) -> _Encoder:
    """How values of ``kind`` are written: count, validity and payload."""
    return partial(_encode, _payload(kind))


def _encode(payload: _Encoder, pieces: Pieces, parts: Parts) -> None:
    _head(pieces, parts)
    payload(pieces, parts)


def _payload(kind: LogicalType) -> _Encoder:
    match kind:
        case Simple(name):
            return _simple(name)
        case DecimalOf():
            return partial(_fixed, fixed.decimals)
        case ListOf(item):
            return partial(_list, _encoder(item))
        case MapOf(key, value):
            entries = [(_encoder(kind), partial(nested.field_at, number=at)) for at, kind in enumerate((key, value))]
            # A map's entries are told by position, whatever Arrow calls them.
            return partial(_list, partial(_encode, partial(_struct, entries)))
        case StructOf(fields):
            named = [(_encoder(kind), partial(nested.field, name=name.encode())) for name, kind in fields]
            return partial(_struct, named)
        case _:
            assert_never(kind)


def _simple(name: str) -> _Encoder:
    if name == "null":
        return _nothing
    if name == "bool":
        return _bool
    if name in ("utf8", "bytes"):
        return partial(_variable, text if name == "utf8" else offsets_and_data)
    if name in _TIMES:
        return partial(_fixed, fixed.microseconds)
    if name == "date":
        return partial(_fixed, fixed.dates)
    if name in ("f32", "f64"):
        return partial(_fixed, fixed.floats)
    return partial(_fixed, partial(fixed.integers, name=name))


def _head(pieces: Pieces, parts: Parts) -> None:
    count = sum(map(len, pieces))
    if all(piece.valid is None for piece in pieces):
        parts.append(_all_there(count))
    else:
        parts.append(count.to_bytes(8, "little"))
        masks = [np.ones(len(piece), np.bool_) if piece.valid is None else piece.valid for piece in pieces]
        parts.append(np.packbits(masks[0] if len(masks) == 1 else np.concatenate(masks), bitorder="little"))


@lru_cache(16)
def _all_there(count: int) -> bytes:
    whole, rest = divmod(count, 8)
    return count.to_bytes(8, "little") + b"\xff" * whole + bytes([(1 << rest) - 1] if rest else [])


def _nothing(pieces: Pieces, parts: Parts) -> None:
    """Missing values of no type have no payload."""


def _bool(pieces: Pieces, parts: Parts) -> None:
    found = [bits(piece) for piece in pieces]
    parts.append(np.packbits(np.concatenate([np.zeros(0, np.bool_), *found]), bitorder="little"))


def _fixed(payload: Callable[[Slots], Values | Floats], pieces: Pieces, parts: Parts) -> None:
    parts.extend(_each(payload, pieces))


def _variable(encode: Callable[[Slots], tuple[Index, Values]], pieces: Pieces, parts: Parts) -> None:
    all_offsets, all_data, size = [np.zeros(1, np.int64)], [], 0
    for offsets, data in _each(encode, pieces):
        all_offsets.append(offsets[1:] + size if size else offsets[1:])
        all_data.append(data)
        size += len(data)
    parts.extend([*all_offsets, *all_data])


def _list(encode_items: _Encoder, pieces: Pieces, parts: Parts) -> None:
    lengths, children = [np.zeros(0, np.int64)], []
    for piece in pieces:
        length, child = nested.items(piece)
        lengths.append(length)
        children.append(child)
    parts.extend(lengths)
    try:
        encode_items(children, parts)
    except Unencodable as error:
        row = int(np.searchsorted(np.cumsum(np.concatenate(lengths)), error.position, side="right"))
        raise Unencodable(error.kind, row, str(error)) from error


def _struct(fields: Sequence[tuple[_Encoder, Callable[[Slots], Slots]]], pieces: Pieces, parts: Parts) -> None:
    failures = [failure for encode, field in fields if (failure := _failure(encode, field, pieces, parts))]
    if failures:
        raise min(failures, key=lambda failure: failure.position)


def _failure(encode: _Encoder, field: Callable[[Slots], Slots], pieces: Pieces, parts: Parts) -> Unencodable | None:
    """Encodes one field of a struct; a failure waits, as another field may fail in an earlier row."""
    try:
        encode([field(piece) for piece in pieces], parts)
    except Unencodable as error:
        return error
    return None


def _each(payload: Callable[[Slots], _Found], pieces: Pieces) -> Iterator[_Found]:
    """``payload`` of each piece; positions inside one piece become positions among all values."""
    base = 0
    for piece in pieces:
        try:
            yield payload(piece)
        except Unencodable as error:
            if not base:
                raise
            raise Unencodable(error.kind, base + error.position, str(error)) from error
        base += len(piece)
