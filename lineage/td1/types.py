"""The logical types of td1, and which Arrow types collapse into each.

Encodings (dictionary, run-end), widths of offsets, units, names of time zones and of list items are
how Arrow stores a value, not what it is: they vanish here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pyarrow as pa

from governance.canonical import Json


@dataclass(frozen=True, slots=True)
class Simple:
    """A type without parameters: numbers, ``bool``, ``utf8``, ``bytes``, times, ``null``."""

    name: str

    @property
    def json(self) -> Json:
        """As the descriptor writes it."""
        return self.name


@dataclass(frozen=True, slots=True)
class DecimalOf:
    """Decimals of any width, with precision and scale as declared."""

    precision: int
    scale: int

    @property
    def json(self) -> Json:
        """As the descriptor writes it."""
        return ["dec", self.precision, self.scale]


@dataclass(frozen=True, slots=True)
class ListOf:
    """Lists, views and fixed-size lists of one item type."""

    item: LogicalType

    @property
    def json(self) -> Json:
        """As the descriptor writes it."""
        return ["list", self.item.json]


@dataclass(frozen=True, slots=True)
class StructOf:
    """Named fields, sorted by the UTF-8 bytes of their names."""

    fields: tuple[tuple[str, LogicalType], ...]

    @property
    def json(self) -> Json:
        """As the descriptor writes it."""
        return ["struct", [[name, kind.json] for name, kind in self.fields]]


@dataclass(frozen=True, slots=True)
class MapOf:
    """Entries in stored order."""

    key: LogicalType
    value: LogicalType

    @property
    def json(self) -> Json:
        """As the descriptor writes it."""
        return ["map", self.key.json, self.value.json]


LogicalType: TypeAlias = Simple | DecimalOf | ListOf | StructOf | MapOf

_SIMPLE: Final[dict[pa.DataType, str]] = {
    arrow: name
    for name, arrows in {
        **{f"i{bits}": [pa.type_for_alias(f"int{bits}")] for bits in (8, 16, 32, 64)},
        **{f"u{bits}": [pa.type_for_alias(f"uint{bits}")] for bits in (8, 16, 32, 64)},
        "f32": [pa.float16(), pa.float32()],
        "f64": [pa.float64()],
        "bool": [pa.bool_()],
        "null": [pa.null()],
        "utf8": [pa.string(), pa.large_string(), pa.string_view()],
        "bytes": [pa.binary(), pa.large_binary(), pa.binary_view()],
        "date": [pa.date32(), pa.date64()],
        "time_us": [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")],
    }.items()
    for arrow in arrows
}


class Untypable(ValueError):
    """An Arrow type without a td1 type; ``kind`` is the format's name of the error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def raw_name(field: pa.Field[Any]) -> bytes:
    """The bytes of a field's name, which Arrow does not promise to be UTF-8."""
    try:
        name: str = field.name
    except UnicodeDecodeError as error:
        return error.object
    return name.encode()


def shown(name: bytes) -> str:
    """``name`` as text, with bytes that are not UTF-8 in hex."""
    return name.decode("utf-8", "backslashreplace")


def logical_type(stored: pa.DataType) -> LogicalType:
    """The logical type of an Arrow type.

    Raises:
        Untypable: ``unsupported_type`` or ``invalid_utf8`` (a field's name), whichever comes first.
    """
    stored = _decoded(stored)
    if (name := _simple(stored)) is not None:
        return Simple(name)
    if pa.types.is_decimal(stored):
        return DecimalOf(stored.precision, stored.scale)
    if pa.types.is_map(stored):
        return MapOf(logical_type(stored.key_type), logical_type(stored.item_type))
    if is_list(stored):
        return ListOf(logical_type(stored.value_type))
    if pa.types.is_struct(stored):
        return _struct(stored)
    raise Untypable("unsupported_type", f"td1 has no encoding for {stored}; cast the column or leave it out")


def has_duplicate_names(stored: pa.DataType) -> bool:
    """Whether a struct in ``stored``, at any depth, has two fields of one name."""
    return any(len(set(names)) < len(names) for names in _structs(stored))


def is_list(stored: pa.DataType) -> bool:
    """Whether ``stored`` is any of Arrow's list layouts, but not a map."""
    kinds = pa.types
    return bool(
        kinds.is_list(stored) or kinds.is_large_list(stored) or kinds.is_fixed_size_list(stored) or is_list_view(stored)
    )


def is_list_view(stored: pa.DataType) -> bool:
    """Whether ``stored`` has an offset and a size for each list."""
    return bool(pa.types.is_list_view(stored) or pa.types.is_large_list_view(stored))


def _decoded(stored: pa.DataType) -> pa.DataType:
    while True:
        if isinstance(stored, pa.BaseExtensionType):
            stored = stored.storage_type
        elif pa.types.is_dictionary(stored) or pa.types.is_run_end_encoded(stored):
            stored = stored.value_type
        else:
            return stored


def _simple(stored: pa.DataType) -> str | None:
    if pa.types.is_timestamp(stored):
        return "ts_us_utc" if stored.tz else "ts_us"
    if pa.types.is_fixed_size_binary(stored):
        return "bytes"
    return _SIMPLE.get(stored)


def _fields(stored: pa.DataType) -> list[pa.Field[Any]]:
    return [stored.field(number) for number in range(stored.num_fields)]


def _struct(stored: pa.DataType) -> StructOf:
    typed = []
    for name, field in sorted(((raw_name(field), field) for field in _fields(stored)), key=lambda pair: pair[0]):
        typed.append((checked_name(name), logical_type(field.type)))
    return StructOf(tuple(typed))


def checked_name(name: bytes) -> str:
    """``name`` as text. Raises ``Untypable`` where it is not UTF-8."""
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise Untypable("invalid_utf8", f"the name {shown(name)!r} is not UTF-8; rename it") from error


def _structs(stored: pa.DataType) -> Iterator[list[bytes]]:
    stored = _decoded(stored)
    if pa.types.is_struct(stored):
        yield [raw_name(field) for field in _fields(stored)]
    for child in _children(stored):
        yield from _structs(child)


def _children(stored: pa.DataType) -> list[pa.DataType]:
    if pa.types.is_map(stored):
        return [stored.key_type, stored.item_type]
    if pa.types.is_struct(stored) or is_list(stored):
        return [field.type for field in _fields(stored)]
    return []
