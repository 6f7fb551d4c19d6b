"""Iceberg tables for tests: a SQL catalogue on SQLite, a warehouse in a directory or on S3, and deletes by position.

pyiceberg writes no delete files, so :func:`delete_by_position` writes one as the format says
(https://iceberg.apache.org/spec/#position-delete-files), as Spark and Flink do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent, ManifestWriterV2
from pyiceberg.table import Table
from pyiceberg.typedef import Record

from lineage.sources.iceberg import IcebergSource

NAME = "labs.values"


def properties(folder: Path, warehouse: str | None = None, **more: str) -> dict[str, str]:
    """What leads to the catalogue in ``folder``."""
    return {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": warehouse or f"file://{folder}/warehouse",
        **more,
    }


def source(properties: dict[str, str]) -> IcebergSource:
    return IcebergSource("labs", "iceberg://tests/labs.values", NAME, "tests", properties)


@contextmanager
def catalogue(properties: dict[str, str]) -> Iterator[Catalog]:
    with closing(load_catalog("tests", **properties)) as opened:
        yield opened


def create(properties: dict[str, str], *rows: pa.Table) -> None:
    """The table, one append for each of ``rows``."""
    with catalogue(properties) as opened:
        opened.create_namespace("labs")
        table = opened.create_table(NAME, schema=rows[0].schema, properties={"format-version": "2"})
        for one in rows:
            table.append(one)


def delete_by_position(
    table: Table, file: str, *positions: int, content: DataFileContent = DataFileContent.POSITION_DELETES
) -> None:
    """A new snapshot in which rows of ``file`` are deleted, the file left as it is."""
    deletes = pa.table({"file_path": [file] * len(positions), "pos": pa.array(positions, pa.int64())})
    location = f"{table.location()}/data/deletes-{positions[0]}.parquet"
    with table.io.new_output(location).create() as out:
        pq.write_table(deletes, out)
    data = DataFile.from_args(
        content=content,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=len(positions),
        file_size_in_bytes=len(table.io.new_input(location)),
        column_sizes={},
        value_counts={},
        null_value_counts={},
        nan_value_counts={},
        lower_bounds={2147483546: file.encode()},
        upper_bounds={2147483546: file.encode()},
        key_metadata=None,
        split_offsets=None,
        equality_ids=None,
        sort_order_id=None,
    )
    data.spec_id = 0
    with table.transaction() as transaction, transaction.update_snapshot().fast_append() as append:
        append.new_manifest_writer = lambda spec: _DeleteManifest(  # type: ignore[method-assign] # writes data only
            spec, append.schema(), append.new_manifest_output(), append.snapshot_id, "deflate"
        )
        append.append_data_file(data)


class _DeleteManifest(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, Any]:
        return {**super()._meta, "content": "deletes"}
