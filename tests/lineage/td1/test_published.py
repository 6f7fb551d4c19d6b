"""The Parquet vectors that come with the project, by both implementations; ``make_vectors`` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineage.td1 import digest_table
from tests.lineage.td1.duckdb_reading import read_parquet
from tests.lineage.td1.make_vectors import DIGESTS, FOLDER, TABLES
from tests.lineage.td1.reference import column_root, table_root
from tests.lineage.td1.vectors import FOLDER as SHARED
from tests.lineage.td1.vectors import batch_of, vectors

STATED: dict[str, Any] = json.loads(DIGESTS.read_text("utf-8"))
each = pytest.mark.parametrize("name", sorted(STATED))


def test_every_file_is_stated_and_small() -> None:
    files = sorted(FOLDER.glob("*.parquet"))
    assert [path.stem for path in files] == sorted(STATED) == sorted(TABLES)
    assert sum(path.stat().st_size for path in files) < 16_384


@each
def test_arrow_gives_the_stated_digest(name: str) -> None:
    found = digest_table(pq.read_table(FOLDER / f"{name}.parquet"))
    roots = {column.name: column.root for column in found.columns}
    assert {"rows": found.rows, "column_roots": roots, "digest": found.digest} == STATED[name]


@each
def test_duckdb_and_the_standard_library_give_the_stated_digest(name: str) -> None:
    columns, rows = read_parquet(FOLDER / f"{name}.parquet")
    roots = {column: column_root(*typed).hex() for column, typed in columns.items()}
    assert {"rows": rows, "column_roots": roots, "digest": table_root(columns, rows)} == STATED[name]


@each
def test_the_file_holds_the_table_that_it_was_made_from(name: str) -> None:
    assert digest_table(TABLES[name]).digest == STATED[name]["digest"]


IN_PARQUET = [
    "all-null",
    "bool-padding",
    "bytes-columns",
    "float16",
    "float32",
    "float64",
    "float64-nans",
    "integers",
    "list-hidden",
    "list-of-list",
    "list-types",
    "one-value",
    "rows-65536",
    "rows-65539",
    "rows-three-chunks",
    "struct-under-null",
    "utf8",
    "utf8-boundary",
]
"""Those that DuckDB reads from Parquet as they were; ``reference`` alone gives all of them (``test_reference``)."""


@pytest.mark.skipif(not SHARED.is_dir(), reason="the td1 vectors are not beside this checkout")
@pytest.mark.parametrize("name", IN_PARQUET)
def test_duckdb_and_the_standard_library_give_the_shared_vectors_roots(name: str, tmp_path: Path) -> None:
    vector = vectors()[name]
    path = tmp_path / "vector.parquet"
    pq.write_table(pa.Table.from_batches([batch_of(vector)]), path, store_schema=False)
    assert table_root(*read_parquet(path)) == vector["root"]
