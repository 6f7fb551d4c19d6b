"""td1 against a second implementation that shares nothing with it: on the vectors, on random columns, behind DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from lineage.td1 import digest_table
from lineage.td1.encode import encoded
from lineage.td1.types import logical_type
from tests.lineage.td1 import reference
from tests.lineage.td1.arrays import python_value
from tests.lineage.td1.neutral import neutral
from tests.lineage.td1.tables import Column, columns
from tests.lineage.td1.vectors import FOLDER, arrow_type, generated, vectors


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the td1 vectors are not beside this checkout")
@pytest.mark.parametrize("vector", [pytest.param(v, id=name) for name, v in vectors().items() if "error" not in v])
def test_the_reference_gives_the_vectors_roots(vector: Any) -> None:
    meant = {column["name"]: (column["type"], _meant(column, vector["rows"])) for column in vector["columns"]}
    assert reference.table_root(meant, vector["rows"]) == vector["root"]


def _meant(column: Any, rows: int) -> list[Any]:
    if "generator" in column:
        made = generated(column["generator"]["formula"], rows)
        return [value.encode() if isinstance(value, str) else value for value in made]
    stored = arrow_type(column)
    if pa.types.is_dictionary(stored) or pa.types.is_run_end_encoded(stored):
        stored = stored.value_type
    return [neutral(stored, python_value(stored, value)) for value in column["values"]]


@given(columns())
@settings(max_examples=200, deadline=None)
def test_any_column_is_encoded_as_the_reference_encodes_it(column: Column) -> None:
    kind = logical_type(column.stored)
    assert b"".join(encoded(kind, [column.array])) == reference.encode(kind.json, column.meaning)


def test_duckdb_and_the_standard_library_alone_recompute_the_digest_of_a_parquet_file(tmp_path: Path) -> None:
    rows = 70_000
    table = pa.table(
        {
            "patient": pa.array([number % 312 for number in range(rows)], pa.int64()),
            "bilirubin": pa.array([None if number % 9 == 0 else number / 7 for number in range(rows)]),
            "site": pa.array(["DE" if number % 3 else "FR é" for number in range(rows)]).dictionary_encode(),
            "time": pa.array([number * 86_400_000_001 for number in range(rows)], pa.timestamp("us")),
            "dead": pa.array([None if number % 5 == 0 else number % 2 == 0 for number in range(rows)]),
            "visits": pa.array([list(range(number % 4)) for number in range(rows)], pa.list_(pa.int32())),
        }
    )
    pq.write_table(table, tmp_path / "table.parquet", row_group_size=1_000)
    query = "select patient, bilirubin, encode(site), epoch_us(time), dead, visits from read_parquet(?)"
    values = list(zip(*duckdb.connect().execute(query, [str(tmp_path / "table.parquet")]).fetchall(), strict=True))
    kinds = ["i64", "f64", "utf8", "ts_us", "bool", ["list", "i32"]]
    meant = {name: (kind, column) for name, kind, column in zip(table.column_names, kinds, values, strict=True)}
    assert digest_table(table).digest == reference.table_root(meant, rows)
