from __future__ import annotations

import math
import struct
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.canonical_table import ROW, TIMESTAMP, canonical_table
from lineage.errors import LossyCast, RetrievalBroken
from lineage.td1 import digest_table

NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_1234))[0]
CELLS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "floats": (pa.float64(), [None, math.nan, NAN_WITH_PAYLOAD, -0.0, 0.0, 1.5, -math.inf]),
    "halves": (pa.float16(), [None, math.nan, -0.0, 0.0, 1.5]),
    "strings": (pa.string(), [None, "", "a", "A", "ä", "z", "\U0001f600", "\uffff"]),
    "views": (pa.string_view(), [None, "", "b", "a"]),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), [None, "b", "a"]),
    "booleans": (pa.bool_(), [None, True, False]),
    "decimals": (pa.decimal128(9, 2), [None, Decimal("1.50"), Decimal("-2.00")]),
    "lists": (pa.list_(pa.float64()), [None, [], [1.0], [0.0], [None]]),
    "structs": (pa.struct([("a", pa.int64())]), [None, {"a": None}, {"a": 1}, {"a": 2}]),
    "nulls": (pa.null(), [None]),
    "bytes": (pa.binary(2), [None, b"ab", b"aa"]),
}


def table(**columns: pa.Array) -> pa.Table:
    return pa.table(columns)


def cast(values: Any, declared: pa.DataType, **options: Any) -> list[Any]:
    found = canonical_table(table(x=values), types={"x": declared}, rows=None, keys=(), **options)
    result: list[Any] = found.column("x").to_pylist()
    return result


def picked(rows: pa.Table, order: Sequence[int]) -> pa.Table:
    """The rows in that order; ``take`` knows no string views."""
    return pa.concat_tables([rows.slice(0, 0), *(rows.slice(at, 1) for at in order)])


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    count = draw(st.integers(0, 8))
    columns = {}
    for at, kind in enumerate(kinds):
        values = draw(st.lists(st.sampled_from(CELLS[kind][1]), min_size=count, max_size=count))
        columns[f"{'zab'[at % 3]}{at}"] = pa.array(values, CELLS[kind][0])
    return pa.table(columns)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), rows=tables(), keyed=st.booleans())
def test_without_a_spine_any_permutation_gives_the_same_table(data: st.DataObject, rows: pa.Table, keyed: bool) -> None:  # noqa: FBT001
    keys = rows.column_names[-1:] if keyed else []
    order = data.draw(st.permutations(range(rows.num_rows)))
    first = canonical_table(rows, types={}, rows=None, keys=keys)
    second = canonical_table(picked(rows, order), types={}, rows=None, keys=keys)
    assert digest_table(first) == digest_table(second)
    assert first.num_rows == rows.num_rows


@settings(max_examples=80, deadline=None)
@given(data=st.data(), rows=tables(), cuts=st.integers(1, 3))
def test_with_a_spine_any_permutation_gives_the_spine_order(data: st.DataObject, rows: pa.Table, cuts: int) -> None:
    numbered = rows.append_column(ROW, pa.array(range(rows.num_rows), pa.int64()))
    mixed = picked(numbered, data.draw(st.permutations(range(rows.num_rows))))
    pieces = pa.concat_tables([mixed.slice(at * len(mixed) // cuts, len(mixed) // cuts) for at in range(cuts)])
    if len(pieces) == len(mixed):
        mixed = pieces
    found = canonical_table(mixed, types={}, rows=rows.num_rows, keys=())
    assert found.column_names == rows.column_names
    assert digest_table(found) == digest_table(rows)


@pytest.mark.parametrize(
    "numbers",
    [[0, 1], [0, 1, 1], [0, 1, 2, 2], [0, 1, 3], [0, 1, None], [-1, 0, 1], [0.0, 1.0, math.nan], ["0", "one", "2"], []],
    ids=["lost", "doubled", "one too many", "invented", "invented null", "negative", "pandas null", "strings", "none"],
)
def test_rows_that_are_not_the_spines_are_refused(numbers: list[Any]) -> None:
    answer = pa.table({"x": pa.array([1] * len(numbers), pa.int64()), ROW: pa.array(numbers)})
    with pytest.raises(RetrievalBroken):
        canonical_table(answer, types={}, rows=3, keys=())


def test_an_answer_without_row_numbers_or_keys_or_with_one_column_twice_is_refused() -> None:
    one = table(x=pa.array([1]))
    with pytest.raises(RetrievalBroken, match=ROW):
        canonical_table(one, types={}, rows=1, keys=())
    with pytest.raises(RetrievalBroken, match="patient"):
        canonical_table(one, types={}, rows=None, keys=["patient"])
    with pytest.raises(RetrievalBroken, match="'x'"):
        canonical_table(one.append_column("x", pa.array([2])), types={}, rows=None, keys=())


def test_float_row_numbers_of_pandas_are_numbers() -> None:
    answer = pa.table({"x": pa.array([2, 1]), ROW: pa.array([1.0, 0.0])})
    assert canonical_table(answer, types={}, rows=2, keys=()).column("x").to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("values", "declared", "expected"),
    [
        (pa.array([1.0, math.nan, None, -0.0]), pa.int64(), [None, None, 0, 1]),
        (pa.array([1, 2], pa.int8()), pa.float32(), [1.0, 2.0]),
        (pa.array([0.5], pa.float32()), pa.float64(), [0.5]),
        (pa.array([0.5, math.nan]), pa.float32(), [0.5, math.nan]),
        (pa.array([], pa.float64()), pa.float32(), []),
        (pa.array([None, None], pa.float64()), pa.string(), [None, None]),
        (pa.nulls(2), pa.list_(pa.int64()), [None, None]),
        (pa.nulls(1), pa.dictionary(pa.int8(), pa.string()), [None]),
        (pa.array(["a", "b"]).dictionary_encode(), pa.string(), ["a", "b"]),
        (pa.array([[1], [2, None]], pa.list_(pa.int32())), pa.list_(pa.int64()), [[1], [2, None]]),
        (pa.array([0], pa.timestamp("ns", "Asia/Tokyo")), TIMESTAMP, [datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))]),
        (pa.array([1, 0]), pa.bool_(), [False, True]),
        (pa.array(["7"]), pa.int64(), [7]),
        (pa.array([Decimal("1.5")]), pa.float64(), [1.5]),
        (pa.array([86400 * 10**6], pa.timestamp("us")), pa.date32(), [datetime(1970, 1, 2, tzinfo=UTC).date()]),
        (pa.array([None], pa.int64()), pa.list_(TIMESTAMP), [None]),
        (pa.array([math.nan]), TIMESTAMP, [None]),
    ],
)
def test_casts_that_lose_nothing_are_made(values: Any, declared: pa.DataType, expected: list[Any]) -> None:
    assert str(cast(values, declared)) == str(expected)


@pytest.mark.parametrize(
    ("values", "declared"),
    [
        (pa.array([1, 2.0, 2.5]), pa.int64()),
        (pa.array([1, 2, 2**53 + 1]), pa.float64()),
        (pa.array([0.5, 0.25, 0.1]), pa.float32()),
        (pa.array([1, 2, 300]), pa.int8()),
        (pa.array([0, 1, 2]), pa.bool_()),
        (pa.array(["1", "2", "007"]), pa.int64()),
        (pa.array(["1", "2", "x"]), pa.int64()),
        (pa.array([0, 0, 1], pa.timestamp("us")), pa.date32()),
        (pa.array([0, 1000, 1], pa.timestamp("ns")), TIMESTAMP),
        (pa.array([0, 1, 2**62], pa.timestamp("s")), TIMESTAMP),
        (pa.array([[1.0], [2.0], [2.5]]), pa.list_(pa.int64())),
        (pa.array([{"a": 1}, {"a": 2}, {"a": 3, "b": 4}]), pa.struct([("a", pa.int64())])),
        (pa.array([Decimal(1), Decimal(2), Decimal("12345678901234567890.5")]), pa.float64()),
        (pa.array([b"a", b"b", b"\xff"]), pa.string()),
    ],
)
def test_a_lossy_cast_names_column_and_row(values: Any, declared: pa.DataType) -> None:
    numbered = pa.table({"bili": values, ROW: pa.array([2, 1, 0])})
    with pytest.raises(LossyCast, match=r"'bili', row 0"):
        canonical_table(numbered, types={"bili": declared}, rows=3, keys=())
    with pytest.raises(LossyCast, match=r"'bili', row 2"):
        canonical_table(table(bili=values), types={"bili": declared}, rows=None, keys=())


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.uint64(), pa.float64()])
def test_an_integer_that_is_declared_a_timestamp_is_seconds_as_feast_has_it(kind: pa.DataType) -> None:
    values = pa.array([1_700_000_000, None]).cast(kind)
    assert cast(values, TIMESTAMP) == [None, datetime(2023, 11, 14, 22, 13, 20, tzinfo=ZoneInfo("UTC"))]
    for wrong in (2**62, 0.5):
        with pytest.raises(LossyCast, match="'x', row 1"):
            cast(pa.array([0, wrong]), TIMESTAMP)


def test_maps_and_structs_of_times_become_their_like() -> None:
    found, declared = (
        pa.map_(pa.string(), pa.struct([("at", one)])) for one in (pa.timestamp("ms"), pa.timestamp("us", "UTC"))
    )
    values = pa.array([[("a", {"at": datetime(2024, 1, 1, tzinfo=UTC)})]], declared)
    assert cast(values.cast(found), declared) == values.to_pylist()


@pytest.mark.parametrize(
    ("values", "declared"),
    [
        (pa.array([0], pa.timestamp("us")), pa.int64()),
        (pa.array([0], pa.timestamp("ns")), pa.int64()),
        (pa.array([0], pa.timestamp("us", "Europe/Paris")), pa.string()),
        (pa.array(["1970-01-01 00:00:00.000000Z"]), TIMESTAMP),
        (pa.array(["1970-01-01"]), pa.date32()),
        (pa.array([0], pa.date32()), pa.large_string()),
        (pa.array([0], pa.int32()), pa.date32()),
        (pa.array([0], pa.date32()), pa.int32()),
        (pa.array([0], pa.time64("us")), pa.int64()),
        (pa.array([[0]], pa.list_(pa.int64())), pa.list_(TIMESTAMP)),
        (pa.array([{"a": [0]}], pa.struct([("a", pa.list_(TIMESTAMP))])), pa.struct([("a", pa.list_(pa.string()))])),
        (pa.array([[("a", 0)]], pa.map_(pa.string(), TIMESTAMP)), pa.map_(pa.string(), pa.int64())),
    ],
)
def test_a_time_becomes_no_number_or_text_and_comes_of_none(values: Any, declared: pa.DataType) -> None:
    with pytest.raises(LossyCast, match="'x' is"):
        cast(values, declared)


@pytest.mark.parametrize(
    ("values", "declared"),
    [(pa.array(["1", "Maria Muster"]), pa.int64()), (pa.array([1.0, 4711.5]), pa.int64())],
)
def test_the_value_itself_is_not_told(values: Any, declared: pa.DataType) -> None:
    with pytest.raises(LossyCast, match="'x', row 1") as refusal:
        cast(values, declared)
    told = "".join(traceback.format_exception(refusal.value))
    assert "Muster" not in told
    assert "4711" not in told


def test_a_cast_that_nobody_knows_is_lossy() -> None:
    with pytest.raises(LossyCast, match="'x'"):
        cast(pa.array([True]), pa.list_(pa.bool_()))


def test_timestamps_without_a_declaration_become_utc_microseconds_and_naive_means_utc() -> None:
    naive = canonical_table(table(t=pa.array([1], pa.timestamp("ms"))), types={}, rows=None, keys=())
    zoned = canonical_table(table(t=pa.array([1], pa.timestamp("ms", "+05:45"))), types={}, rows=None, keys=())
    assert naive.schema.field("t").type == TIMESTAMP
    assert digest_table(naive) == digest_table(zoned)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None, -1]), [None, -1, 1]),
        (pa.array([math.nan, 1.0, None, math.inf, -math.inf]), [None, -math.inf, 1.0, math.inf, math.nan]),
        (pa.array([0.0, -0.0]), [-0.0, 0.0]),
        (pa.array(["\U0001f600", "\uffff", "b", "B", "", None]), [None, "", "B", "b", "\uffff", "\U0001f600"]),
        (pa.array([True, None, False]), [None, False, True]),
        (pa.array(["b", "a"]).dictionary_encode(), ["a", "b"]),
    ],
)
def test_without_a_spine_nulls_come_first_nan_last_and_strings_go_by_bytes(values: Any, expected: list[Any]) -> None:
    found = canonical_table(table(x=values), types={}, rows=None, keys=())
    assert str(found.column("x").to_pylist()) == str(expected)


def test_keys_order_before_columns_and_columns_by_name() -> None:
    rows = table(b=pa.array([1, 1, 0, 0]), a=pa.array([2, 1, 4, 3]), when=pa.array([5, 5, 5, 4]))
    found = canonical_table(rows, types={}, rows=None, keys=["when", "b"])
    assert found.column("a").to_pylist() == [3, 4, 1, 2]
    assert canonical_table(rows, types={}, rows=None, keys=()).column("a").to_pylist() == [1, 2, 3, 4]
