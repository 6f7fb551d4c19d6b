"""Hypothesis strategies: columns of any type td1 knows, with the values they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from tests.lineage.td1.arrays import array_of
from tests.lineage.td1.neutral import neutral


@dataclass(frozen=True)
class Column:
    """A type and values as ``arrays.array_of`` takes them."""

    stored: pa.DataType
    values: list[Any]

    @property
    def array(self) -> pa.Array:
        return array_of(self.stored, self.values)

    @property
    def meaning(self) -> list[Any]:
        return [neutral(self.stored, value) for value in self.values]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)

_INTEGERS = [pa.type_for_alias(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)]
_TIMES = [
    *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "", "UTC", "Asia/Tokyo")),
    *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
]
_STRINGS = [pa.string(), pa.large_string(), pa.string_view()]
_BINARIES = [pa.binary(), pa.large_binary(), pa.binary_view()]
_DECIMALS = [pa.decimal32(9, 2), pa.decimal64(18, -3), pa.decimal128(38, 10), pa.decimal256(76, 0)]
_DATES = [pa.date32(), pa.date64()]
_FLOATS = [pa.float16(), pa.float32(), pa.float64()]

flat_types = st.sampled_from(
    [*_INTEGERS, *_TIMES, *_STRINGS, *_BINARIES, *_DECIMALS, *_DATES, *_FLOATS, pa.bool_(), pa.null(), pa.binary(3)]
)


def _nested(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    structs = st.dictionaries(NAMES, inner, max_size=3).map(lambda fields: pa.struct(list(fields.items())))
    keys = st.sampled_from([pa.string(), pa.int8()])
    return st.one_of(
        inner.flatmap(
            lambda item: st.sampled_from([pa.list_(item), pa.large_list(item), pa.list_view(item), pa.list_(item, 2)])
        ),
        structs,
        st.builds(pa.map_, keys, inner),
    )


types = st.recursive(flat_types, _nested, max_leaves=4)


def values_of(stored: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of ``stored``, None among them."""
    return st.none() if pa.types.is_null(stored) else st.none() | there(stored)


def there(stored: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of ``stored`` that are not null."""
    kinds = pa.types
    if stored in _INTEGERS:
        low = -(1 << stored.bit_width - 1) if kinds.is_signed_integer(stored) else 0
        return st.integers(low, low + (1 << stored.bit_width) - 1)
    if kinds.is_decimal(stored):
        return st.integers(-(10**stored.precision) + 1, 10**stored.precision - 1)
    if kinds.is_floating(stored):
        return st.integers(0, (1 << stored.bit_width) - 1)
    if kinds.is_temporal(stored):
        factor = 86_400_000 if stored == pa.date64() else 1_000 if getattr(stored, "unit", "") == "ns" else 1
        return st.integers(-(10**4), 10**4).map(lambda number: number * factor)
    if kinds.is_boolean(stored):
        return st.booleans()
    if stored in _STRINGS:
        return st.text(max_size=20).map(str.encode)
    if kinds.is_fixed_size_binary(stored):
        return st.binary(min_size=stored.byte_width, max_size=stored.byte_width)
    return st.binary(max_size=20) if stored in _BINARIES else _nested_values(stored)


def _nested_values(stored: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_struct(stored):
        fields = [stored.field(number) for number in range(stored.num_fields)]
        return st.fixed_dictionaries({field.name: values_of(field.type) for field in fields})
    if pa.types.is_map(stored):
        return st.lists(
            st.fixed_dictionaries({"key": there(stored.key_type), "value": values_of(stored.item_type)}), max_size=3
        )
    size = stored.list_size if pa.types.is_fixed_size_list(stored) else None
    return st.lists(values_of(stored.value_type), min_size=size or 0, max_size=3 if size is None else size)


@st.composite
def columns(draw: st.DrawFn, kinds: st.SearchStrategy[pa.DataType] = types, *, rows: int | None = None) -> Column:
    """A column of up to twelve values."""
    stored = draw(kinds)
    low, high = (0, 12) if rows is None else (rows, rows)
    return Column(stored, draw(st.lists(values_of(stored), min_size=low, max_size=high)))
