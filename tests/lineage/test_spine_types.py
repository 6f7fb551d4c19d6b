"""What a snapshot cast to declared types becomes again what was given: to the td1 digest."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.canonical_table import TIMESTAMP
from lineage.entity_rows import spine_digest
from lineage.errors import LossyCast
from lineage.lossless import lossless
from lineage.spine_types import stated_types, with_types

CASTS: list[tuple[pa.DataType, pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int64(), pa.string(), st.integers(-(2**63), 2**63 - 1)),
    (pa.int32(), pa.int64(), st.integers(-(2**31), 2**31 - 1)),
    (pa.uint8(), pa.int32(), st.integers(0, 255)),
    (pa.float64(), pa.int64(), st.integers(-(2**53), 2**53).map(float)),
    (pa.string(), pa.int64(), st.integers(-(2**63), 2**63 - 1).map(str)),
    (pa.string(), pa.binary(), st.text(max_size=5)),
    (pa.decimal128(10, 2), pa.string(), st.integers(-(10**9), 10**9).map(lambda cents: Decimal(cents).scaleb(-2))),
    (pa.date32(), TIMESTAMP, st.dates(date(1900, 1, 1), date(2200, 1, 1))),
    (pa.dictionary(pa.int8(), pa.string()), pa.string(), st.sampled_from(["a", "b"])),
]


@pytest.mark.parametrize(("given_as", "declared", "values"), CASTS, ids=[f"{one[0]} to {one[1]}" for one in CASTS])
def test_cast_rows_become_again_what_was_given(given_as: Any, declared: Any, values: Any) -> None:
    @settings(deadline=None)  # the first call imports pandas
    @given(st.lists(st.none() | values, max_size=20))
    def law(cells: list[Any]) -> None:
        rows = pa.table({"key": pa.array(cells, given_as), "other": pa.array([True] * len(cells))})
        cast = rows.set_column(0, "key", lossless("key", rows.column("key"), declared))
        again = with_types(cast, stated_types(rows.schema))
        assert spine_digest(again) == spine_digest(rows)
        assert again.column("other").equals(rows.column("other"))

    law()


def test_each_type_that_a_key_may_have_is_stated_and_found_again() -> None:
    cells = {
        **{f"i{bits}": pa.array([1], pa.type_for_alias(f"int{bits}")) for bits in (8, 16, 32, 64)},
        **{f"u{bits}": pa.array([1], pa.type_for_alias(f"uint{bits}")) for bits in (8, 16, 32, 64)},
        "f32": pa.array([1], pa.float32()),
        "f64": pa.array([1.0]),
        "bool": pa.array([True]),
        "utf8": pa.array(["1"]),
        "bytes": pa.array([b"1"]),
        "date": pa.array([date(2026, 1, 1)]),
        "time_us": pa.array([time(1)]),
        "ts_us": pa.array([datetime(2026, 1, 1)]),  # noqa: DTZ001 - a time without a zone is the point
        "ts_us_utc": pa.array([0], TIMESTAMP),
        "null": pa.nulls(1),
    }
    schema = pa.table(cells).schema
    assert stated_types(schema) == {name: name for name in cells}
    nothing = pa.table({name: pa.array([None], pa.int64() if name[0] in "iuf" else cells[name].type) for name in cells})
    assert stated_types(with_types(nothing, stated_types(schema)).schema) == {name: name for name in cells}


def test_what_is_no_key_stays_as_it_is() -> None:
    table = pa.table({"list": [[1]], "unsaid": [1], "span": pa.array([1], pa.duration("s"))})
    assert stated_types(table.schema)["span"] is None
    stated = {"list": ["list", "i8"], "span": None}
    assert with_types(table, stated).equals(table)
    assert with_types(table, {}).equals(table)


def test_rows_that_are_not_of_the_stated_type_are_refused_without_their_values() -> None:
    with pytest.raises(LossyCast, match="'key', row 1") as refusal:
        with_types(pa.table({"key": ["1", "Maria"]}), {"key": "i64"})
    assert "Maria" not in str(refusal.value)
