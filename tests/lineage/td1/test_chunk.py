"""Chunks hashed apart, where an engine has them, give the digest of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import NotDigestible, RetrievalBroken, SnapshotCorrupt
from lineage.td1 import CHUNK_ROWS, TableDigest, chunk_leaves, combine, digest_table
from tests.lineage.td1.tables import NAMES, Column, columns

ROWS = 9
tables = st.dictionaries(NAMES, columns(rows=ROWS), max_size=3).map(
    lambda named: pa.table([column.array for column in named.values()], names=list(named))
)


def apart(schema: pa.Schema, table: pa.Table) -> TableDigest:
    starts = range(0, table.num_rows, CHUNK_ROWS)
    leaves = [chunk_leaves(schema, table.slice(start, CHUNK_ROWS), first_row=start) for start in starts]
    return combine(schema, leaves, rows=table.num_rows)


@given(tables.filter(lambda table: table.num_columns))
@settings(max_examples=60, deadline=None)
def test_one_chunk_of_any_columns_gives_the_digest_of_the_table(table: pa.Table) -> None:
    assert apart(table.schema, table) == digest_table(table)


@given(st.integers(1, 2 * CHUNK_ROWS + 5), st.permutations(["n", "s", "x"]))
@settings(max_examples=10, deadline=None)
def test_many_chunks_give_the_digest_of_the_table_in_any_order_of_columns(rows: int, order: list[str]) -> None:
    numbers = np.arange(rows)
    table = pa.table({"n": numbers, "s": pa.array(numbers).cast(pa.string()), "x": numbers / 7})
    assert apart(table.schema, table.select(order)) == digest_table(table)


def test_a_chunk_may_be_a_record_batch_stored_in_other_arrow_types() -> None:
    table = pa.table({"s": pa.array(["a", None, "b"])})
    coded = pa.record_batch({"s": table["s"].combine_chunks().dictionary_encode()})
    assert combine(table.schema, [chunk_leaves(table.schema, coded, first_row=0)], rows=3) == digest_table(table)


@pytest.mark.parametrize("table", [pa.table({}), pa.table({"a": pa.nulls(0, pa.int8())})], ids=["columns", "rows"])
def test_a_table_with_nothing_has_no_chunks(table: pa.Table) -> None:
    assert combine(table.schema, [], rows=0) == digest_table(table)


def test_an_error_names_the_row_of_the_whole_table() -> None:
    times = pa.table({"t": pa.array([0, 1000, 1], pa.timestamp("ns"))})
    with pytest.raises(NotDigestible) as raised:
        chunk_leaves(times.schema, times, first_row=3 * CHUNK_ROWS)
    assert (raised.value.kind, raised.value.column, raised.value.row) == (
        "not_whole_microsecond",
        "t",
        3 * CHUNK_ROWS + 2,
    )


def test_a_worker_whose_types_are_not_the_tables_is_told() -> None:
    table = pa.table({"a": pa.array([1], pa.int64())})
    with pytest.raises(NotDigestible) as raised:
        chunk_leaves(table.schema, pa.table({"a": pa.array([1], pa.int32())}), first_row=0)
    assert (raised.value.kind, raised.value.column) == ("schema_change", "a")


@pytest.mark.parametrize(("rows", "first"), [(0, 0), (CHUNK_ROWS + 1, 0), (1, 1), (1, -CHUNK_ROWS)])
def test_only_a_chunk_has_leaves(rows: int, first: int) -> None:
    table = pa.table({"a": Column(pa.int8(), [0] * rows).array})
    with pytest.raises(ValueError, match="expected one chunk"):
        chunk_leaves(table.schema, table, first_row=first)


@pytest.mark.parametrize(
    ("chunks", "rows", "error"),
    [
        pytest.param([{"a": "0" * 64}], CHUNK_ROWS + 1, RetrievalBroken, id="a chunk is missing"),
        pytest.param([{"a": "0" * 64}] * 2, CHUNK_ROWS, RetrievalBroken, id="a chunk is there twice"),
        pytest.param([{"b": "0" * 64}], 1, RetrievalBroken, id="another column"),
        pytest.param([{"a": "0" * 63}], 1, SnapshotCorrupt, id="no hash"),
    ],
)
def test_leaves_that_are_not_the_tables_are_refused(chunks: Any, rows: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        combine(pa.schema([("a", pa.int8())]), chunks, rows=rows)
