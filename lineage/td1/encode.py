"""``encode(T, values)``: the bytes that td1 hashes for the values of one column in one chunk.

A column's values come as pieces, one Arrow array from each batch; the pieces may differ in Arrow
type, not in logical type. The result is a list of memory pieces to be hashed in order: where Arrow's
layout is td1's already, they are Arrow's own buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeAlias, assert_never

import numpy as np

from lineage.td1 import fixed, nested
from lineage.td1.slots import Array, Slots, Unencodable, Values, bits, opened
from lineage.td1.types import DecimalOf, ListOf, LogicalType, MapOf, Simple, StructOf
from lineage.td1.variable import offsets_and_data, require_utf8

Parts: TypeAlias = list[Any]
"""Objects with contiguous memory, to be hashed or joined in order."""
Pieces: TypeAlias = Sequence[Slots]
_Encoder: TypeAlias = Callable[[Pieces, Parts], None]

_TIMES: Final = ("ts_us", "ts_us_utc", "time_us")


def encoded(kind: LogicalType, arrays: Iterable[Array]) -> Parts:
    """The encoding of all values of ``arrays``, one after the other.

    Raises:
        Unencodable: the first value without an encoding, with its position among all the values.
        InvalidArrow: an array that breaks Arrow's own rules.
    """
    parts: Parts = []
    _encode(kind, [opened(array) for array in arrays], parts)
    return parts


def _encode(kind: LogicalType, pieces: Pieces, parts: Parts) -> None:
    _head(pieces, parts)
    match kind:
        case Simple(name):
            _simple(name, pieces, parts)
        case DecimalOf():
            _fixed(fixed.decimals, pieces, parts)
        case ListOf(item):
            _list(partial(_encode, item), pieces, parts)
        case MapOf(key, value):
            _list(partial(_entries, key, value), pieces, parts)
        case StructOf(fields):
            _struct([(kind, partial(nested.field, name=name.encode())) for name, kind in fields], pieces, parts)
        case _:
            assert_never(kind)


def _head(pieces: Pieces, parts: Parts) -> None:
    count = sum(map(len, pieces))
    parts.append(count.to_bytes(8, "little"))
    if all(piece.valid is None for piece in pieces):
        whole, rest = divmod(count, 8)
        parts.append(b"\xff" * whole + bytes([(1 << rest) - 1] if rest else []))
    else:
        masks = [np.ones(len(piece), np.bool_) if piece.valid is None else piece.valid for piece in pieces]
        parts.append(np.packbits(np.concatenate(masks), bitorder="little"))


def _simple(name: str, pieces: Pieces, parts: Parts) -> None:
    if name == "null":
        return
    if name == "bool":
        _bool(pieces, parts)
    elif name in ("utf8", "bytes"):
        _variable(pieces, parts, text=name == "utf8")
    elif name in _TIMES:
        _fixed(fixed.microseconds, pieces, parts)
    elif name == "date":
        _fixed(fixed.dates, pieces, parts)
    elif name in ("f32", "f64"):
        _fixed(fixed.floats, pieces, parts)
    else:
        _fixed(partial(fixed.integers, name=name), pieces, parts)


def _bool(pieces: Pieces, parts: Parts) -> None:
    found = [bits(piece) for piece in pieces]
    parts.append(np.packbits(np.concatenate([np.zeros(0, np.bool_), *found]), bitorder="little"))


def _fixed(payload: Callable[[Slots], Values], pieces: Pieces, parts: Parts) -> None:
    for base, piece in _numbered(pieces):
        with _counted_from(base):
            parts.append(np.ascontiguousarray(payload(piece)))


def _variable(pieces: Pieces, parts: Parts, *, text: bool) -> None:
    all_offsets, all_data, size = [np.zeros(1, np.int64)], [], 0
    for base, piece in _numbered(pieces):
        with _counted_from(base):
            offsets, data = offsets_and_data(piece)
            if text:
                require_utf8(offsets, data)
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


def _entries(key: LogicalType, value: LogicalType, pieces: Pieces, parts: Parts) -> None:
    """A map's entries: a struct whose fields are told by position, whatever Arrow calls them."""
    _head(pieces, parts)
    _struct([(kind, partial(nested.field_at, number=at)) for at, kind in enumerate((key, value))], pieces, parts)


def _struct(fields: Sequence[tuple[LogicalType, Callable[[Slots], Slots]]], pieces: Pieces, parts: Parts) -> None:
    failures = [failure for kind, field in fields if (failure := _failure(kind, field, pieces, parts))]
    if failures:
        raise min(failures, key=lambda failure: failure.position)


def _failure(kind: LogicalType, field: Callable[[Slots], Slots], pieces: Pieces, parts: Parts) -> Unencodable | None:
    """Encodes one field of a struct; a failure waits, as another field may fail in an earlier row."""
    try:
        _encode(kind, [field(piece) for piece in pieces], parts)
    except Unencodable as error:
        return error
    return None


def _numbered(pieces: Pieces) -> Iterator[tuple[int, Slots]]:
    base = 0
    for piece in pieces:
        yield base, piece
        base += len(piece)


@contextmanager
def _counted_from(base: int) -> Iterator[None]:
    """Positions inside one piece become positions among all values."""
    try:
        yield
    except Unencodable as error:
        if not base:
            raise
        raise Unencodable(error.kind, base + error.position, str(error)) from error
