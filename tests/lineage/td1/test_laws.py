"""The laws of td1: what must not change a digest, and what must."""

from __future__ import annotations

import decimal
import io
import math
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather

from lineage.td1 import CHUNK_ROWS, Digester, digest_batches, digest_table
from tests.lineage.td1.tables import NAMES, Column, columns, flat_types, values_of

ROWS = 9

examples = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
tables = st.dictionaries(NAMES, columns(rows=ROWS), min_size=1, max_size=3).map(
    lambda named: pa.table([column.array for column in named.values()], names=list(named))
)


def digest(*arrays: pa.Array, names: str = "abcdef") -> str:
    return digest_table(pa.table(list(arrays), names=list(names[: len(arrays)]))).digest


@given(tables, st.lists(st.integers(0, ROWS), max_size=4))
@examples
def test_any_batching_gives_one_digest(table: pa.Table, cuts: list[int]) -> None:
    edges = sorted([0, *cuts, ROWS])
    pieces = [table.slice(start, end - start).combine_chunks().to_batches() for start, end in pairwise(edges)]
    assert digest_batches(table.schema, [batch for piece in pieces for batch in piece]) == digest_table(table)


@given(tables, st.permutations(range(3)))
@examples
def test_the_order_of_columns_is_not_content_even_from_batch_to_batch(table: pa.Table, order: list[int]) -> None:
    names = [table.column_names[number] for number in order if number < table.num_columns]
    first, rest = table.slice(0, 4), table.slice(4).select(names)
    assert digest_batches(table.schema, [*first.to_batches(), *rest.to_batches()]) == digest_table(table)


@given(columns(), st.data())
@examples
def test_a_slice_of_a_longer_array_is_only_its_rows(column: Column, data: st.DataObject) -> None:
    before, after = (data.draw(st.lists(values_of(column.stored), max_size=9)) for _ in range(2))
    whole = Column(column.stored, [*before, *column.values, *after]).array
    assert digest(whole.slice(len(before), len(column.values))) == digest(column.array)


@given(columns(flat_types.filter(lambda kind: not pa.types.is_null(kind))), st.integers(0, 5))
@examples
def test_dictionary_encoding_gives_the_same_digest_also_sliced(column: Column, skipped: int) -> None:
    distinct = list(dict.fromkeys(value for value in column.values if value is not None))
    unused = [None, *distinct]
    codes = pa.array([None if value is None else unused.index(value) for value in column.values], pa.uint16())
    coded = pa.DictionaryArray.from_arrays(codes, Column(column.stored, unused).array)
    assert digest(coded) == digest(column.array)
    assert digest(coded.slice(skipped)) == digest(column.array.slice(skipped))


@given(columns(flat_types), st.integers(0, 5))
@examples
def test_run_end_encoding_gives_the_same_digest_also_sliced(column: Column, skipped: int) -> None:
    ends = pa.array(range(1, len(column.values) + 1), pa.int32())
    kind = pa.run_end_encoded(ends.type, column.stored)
    coded = pa.Array.from_buffers(kind, len(ends), [None], children=[ends, column.array])
    assert digest(coded) == digest(column.array)
    assert digest(coded.slice(skipped)) == digest(column.array.slice(skipped))


def test_runs_inside_lists_are_opened_too() -> None:
    runs = pc.run_end_encode(pa.array([1, 1, 1, None, None, 2, 2], pa.int64()))
    coded = pa.LargeListArray.from_arrays(pa.array([0, 2, 2, 5, 7], pa.int64()), runs).slice(1)
    assert digest(coded) == digest(pa.array([[], [1, None, None], [2, 2]], pa.list_(pa.int64())))


PARQUET = flat_types.filter(
    lambda kind: not pa.types.is_decimal(kind) and not pa.types.is_float16(kind) and str(kind) != "timestamp[ns, tz=]"
)


@given(columns(PARQUET))
@examples
def test_parquet_gives_back_the_same_digest(column: Column) -> None:
    table, file = pa.table({"a": column.array}), io.BytesIO()
    pq.write_table(table, file, row_group_size=3, compression="zstd")
    assert digest_table(pq.read_table(file)) == digest_table(table)


COMMON = pa.table(
    {
        "i": pa.array([1, None, -3], pa.int32()),
        "u": pa.array([2**64 - 1, None, 0], pa.uint64()),
        "x": pa.array([math.nan, -0.0, None]),
        "s": pa.array(["é", "", None]),
        "t": pa.array([0, None, -1], pa.timestamp("us")),
        "z": pa.array([0, None, 1_700_000_000_000_001], pa.timestamp("us", "UTC")),
        "d": pa.array([None, 5, 6], pa.date32()),
        "l": pa.array([["a", None], None, []], pa.list_(pa.string())),
        "r": pa.array([{"k": 1, "j": True}, None, {"k": None, "j": False}]),
        "b": pa.array([b"\xff", None, b""], pa.binary()),
        "m": pa.array([decimal.Decimal("-1.25"), None, decimal.Decimal(0)], pa.decimal128(20, 2)),
    }
)


def through_duckdb(table: pa.Table) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("given", table)
        connection.execute("create table stored as from given")
        return connection.sql("from stored").to_arrow_table()


def written_by_duckdb(table: pa.Table, path: Path) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("given", table)
        connection.sql("from given").write_parquet(str(path), compression="zstd", row_group_size=2048)
    return pq.read_table(path)


def written_by_polars(table: pa.Table, path: Path) -> pa.Table:
    pl.DataFrame(table).write_parquet(path, compression="lz4", row_group_size=2)
    return pq.read_table(path)


def through_polars(table: pa.Table) -> pa.Table:
    return pl.DataFrame(table).rechunk().to_arrow()


def written_as_feather(table: pa.Table, path: Path) -> pa.Table:
    feather.write_feather(table, path, compression="zstd", chunksize=2)
    return feather.read_table(path)


@pytest.mark.parametrize("written", [written_by_duckdb, written_by_polars, written_as_feather])
def test_every_writer_gives_back_the_same_digest(written: Callable[[pa.Table, Path], pa.Table], tmp_path: Path) -> None:
    assert digest_table(written(COMMON, tmp_path / "table")) == digest_table(COMMON)


@pytest.mark.parametrize("through", [through_duckdb, through_polars])
def test_every_engine_gives_back_the_same_digest(through: Callable[[pa.Table], pa.Table]) -> None:
    assert digest_table(through(COMMON)) == digest_table(COMMON)


ENGINES = st.sampled_from([pa.int8(), pa.uint32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_(), pa.string()])


@given(columns(ENGINES), st.sampled_from([through_duckdb, through_polars]))
@examples
def test_engines_give_back_the_same_digest_of_any_values(
    column: Column, through: Callable[[pa.Table], pa.Table]
) -> None:
    table = pa.table({"a": column.array})
    assert digest_table(through(table)) == digest_table(table)


@pytest.mark.parametrize("size", [1, 100, 65_535, 65_536, 65_537, 200_000])
def test_chunks_are_cut_by_rows_whatever_the_batches(size: int) -> None:
    rows = 2 * CHUNK_ROWS + 3 if size > 1 else CHUNK_ROWS + 3
    numbers = pa.table({"n": pa.array(np.arange(rows)), "s": pa.array([str(number) for number in range(rows)])})
    digester = Digester(numbers.schema)
    for start in range(0, rows, size):
        digester.update(
            pa.RecordBatch.from_arrays([column.chunk(0).slice(start, size) for column in numbers.columns], ["n", "s"])
        )
    assert digester.finish() == digest_table(numbers)
    assert digester.finish() is digester.finish()


def test_two_threads_give_the_digest_of_one() -> None:
    table = pa.table({name: np.arange(100_000) * 0.5 for name in "abcd"})
    assert digest_table(table, threads=2) == digest_table(table)


def test_arrow_types_may_change_from_batch_to_batch() -> None:
    text = ["a", None, "é" * 20, "", "a"]
    stored = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
    batches = [pa.record_batch({"s": pa.array(text).cast(kind)}) for kind in stored]
    assert digest_batches(batches[0].schema, batches).digest == digest(pa.array(text * 4), names="s")


def test_a_table_without_columns_still_has_its_rows() -> None:
    batch = pa.RecordBatch.from_struct_array(pa.array([{}] * 5, pa.struct([])))
    twice = digest_batches(batch.schema, [batch, batch])
    assert twice.rows == 10
    assert twice.digest != digest_batches(batch.schema, [batch]).digest


@given(st.floats(allow_nan=False, allow_infinity=False))
@examples
def test_one_unit_in_the_last_place_is_another_digest(value: float) -> None:
    above = math.nextafter(value, math.inf)
    assert digest(pa.array([value])) != digest(pa.array([above]))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(pa.array([0]), pa.array([None], pa.int64()), id="null for 0"),
        pytest.param(pa.array([""]), pa.array([None], pa.string()), id="null for an empty string"),
        pytest.param(
            pa.array([[]], pa.list_(pa.int8())), pa.array([None], pa.list_(pa.int8())), id="null for an empty list"
        ),
        pytest.param(pa.array(["a", "b"]), pa.array(["ab", ""]), id="a shifted boundary"),
        pytest.param(pa.array([[1], [2]]), pa.array([[1, 2], []]), id="a shifted list boundary"),
        pytest.param(pa.array([1, 2]), pa.array([2, 1]), id="swapped rows"),
        pytest.param(pa.array([0.0]), pa.array([-0.0]), id="the sign of zero"),
        pytest.param(pa.array([1], pa.int32()), pa.array([1], pa.int64()), id="another width"),
        pytest.param(pa.array(["a"]), pa.array([b"a"]), id="bytes for a string"),
        pytest.param(pa.array([0], pa.timestamp("us")), pa.array([0], pa.timestamp("us", "UTC")), id="a time zone"),
        pytest.param(pa.array([{"a": 1}]), pa.array([{"b": 1}]), id="a renamed field"),
        pytest.param(pa.array(["é"]), pa.array(["e\u0301"]), id="another normalisation"),
        pytest.param(pa.nulls(1, pa.int8()), pa.nulls(2, pa.int8()), id="one row more"),
    ],
)
def test_another_content_is_another_digest(left: pa.Array, right: pa.Array) -> None:
    assert digest(left) != digest(right)


def test_a_renamed_column_is_another_digest() -> None:
    assert digest(pa.array([1]), names="a") != digest(pa.array([1]), names="b")


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
@examples
def test_all_nans_are_one_nan_and_no_other_float_changes(bits: list[int]) -> None:
    made = pa.array(bits, pa.uint64()).view(pa.float64())
    one: Any = [struct.unpack("<d", struct.pack("<Q", number))[0] for number in bits]
    usual = pa.array([float("nan") if math.isnan(value) else value for value in one])
    assert digest(made) == digest(usual)


@given(
    places=st.lists(st.sampled_from([32_767, 32_768, 65_535, 0, 70_000, 131_000]), max_size=3),
    stored=st.sampled_from([pa.float32(), pa.float64()]),
    nulls=st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_a_nan_counts_as_one_wherever_in_a_long_column_it_is(
    *, places: list[int], stored: pa.DataType, nulls: bool
) -> None:
    rows = 2 * CHUNK_ROWS
    integer = np.uint32 if stored == pa.float32() else np.uint64
    usual = np.arange(rows).astype(stored.to_pandas_dtype())
    usual[places] = math.nan
    odd = usual.copy()
    odd.view(integer)[places] = np.iinfo(integer).max  # another NaN
    mask = np.arange(rows) % 7 == 3 if nulls else None
    assert digest(pa.array(odd, stored, mask=mask)) == digest(pa.array(usual, stored, mask=mask))
    assert places == [] or digest(pa.array(odd, stored, mask=mask)) != digest(
        pa.array(np.nan_to_num(usual), stored, mask=mask)
    )
