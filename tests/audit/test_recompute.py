"""Recomputing from a data directory: found in DIR or DIR/objects, absent is None, unreadable is an error."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.recompute import DataDirectory
from audit.verify.errors import Malformed
from lineage.td1 import CHUNK_ROWS, digest_table
from tests.audit.chain_fixture import SyntheticChain, snapshot_data


def test_rows_and_files_are_found_in_the_directory_and_in_its_objects(chain: SyntheticChain) -> None:
    for directory in (chain.directory, chain.directory / "objects"):
        table = DataDirectory(directory).table(chain.snapshot.id)
        assert table is not None
        assert table.digest == chain.snapshot.digest
        assert sorted(table.column_roots) == ["bilirubin", "patient"]
        files = DataDirectory(directory).model_files(chain.artifact.digest)
        assert files is not None
        assert [path for path, _size, _digest in files] == ["model.safetensors", "tokens/config.json"]


def test_what_is_not_there_is_none(chain: SyntheticChain) -> None:
    data = DataDirectory(chain.directory)
    assert data.table("td1-sha256:" + "0" * 64) is None
    assert data.model_files("oms1-sha256:" + "0" * 64) is None


def test_a_name_from_a_statement_never_leads_out_of_the_directory(chain: SyntheticChain) -> None:
    data = DataDirectory(chain.directory / "checkpoints")
    assert data.table(f"td1-sha256:../../objects/snapshots/{snapshot_data(chain).parent.name}") is None
    assert data.model_files("oms1-sha256:../../model") is None
    assert data.table("td1-sha256:\0") is None


def test_rows_in_parts_are_one_table_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    table = pa.table({"n": pa.array(range(CHUNK_ROWS + 10), pa.int64())})
    snapshot = digest_table(table).digest
    folder = tmp_path / "snapshots" / snapshot.removeprefix("td1-sha256:")
    folder.mkdir(parents=True)
    for number in range(2):
        pq.write_table(table.slice(number * CHUNK_ROWS, CHUNK_ROWS), folder / f"part-0000{number}.parquet")
    found = DataDirectory(tmp_path).table(snapshot)
    assert found is not None
    assert found.digest == snapshot


def test_rows_that_are_no_parquet_are_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots" / ("0" * 64)
    folder.mkdir(parents=True)
    (folder / "data.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(Malformed, match="cannot be read"):
        DataDirectory(tmp_path).table("td1-sha256:" + "0" * 64)
