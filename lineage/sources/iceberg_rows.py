"""The rows of an Iceberg snapshot as one Arrow dataset.

A file is read as it lies where its columns are the table's: same field ids, same names, and nothing deleted from it.
Every other file (deletes, columns renamed, added or moved since) is read by pyiceberg, which applies all that, and
kept for this reading in a temporary Parquet file without a name, which vanishes with the process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lineage.errors import SourceUnreadable
from lineage.sources.iceberg_io import pinned_io
from lineage.sources.parquet_files import int96_columns, parquet_format
from lineage.sources.parquet_schema import reading_parquet, schemas_of

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table import FileScanTask, Table

_WIDER = {
    (pa.int32(), pa.int64()),
    (pa.float32(), pa.float64()),
}
"""Promotions of the format that Arrow makes when it reads."""


def rows_of(
    name: str, table: Table, schema: Schema, tasks: Sequence[tuple[str, FileScanTask]], filesystem: Any
) -> ds.Dataset:
    """A dataset of the tasks' rows, in their order. Raises SourceUnreadable, and what pyiceberg raises."""
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow

    scan = ArrowScan(table.metadata, pinned_io(table.io.properties, filesystem), schema, AlwaysTrue())
    numbered = pa.schema([_plain(one) for one in schema_to_pyarrow(schema, include_field_ids=True)])
    target = pa.schema([_plain(one) for one in schema_to_pyarrow(schema, include_field_ids=False)])
    form = parquet_format()
    fragments = [form.make_fragment(path, filesystem) for path, _ in tasks]
    found = zip(tasks, fragments, schemas_of(name, fragments), strict=True)
    read = [
        fragment
        if _lies_as(numbered, task, has)
        else _rewritten(name, fragment, scan.to_record_batches([task]), target)
        for (_, task), fragment, has in found
    ]
    return ds.FileSystemDataset(read, target, form, filesystem)


def _lies_as(wanted: pa.Schema, task: FileScanTask, found: pa.Schema) -> bool:
    """Whether a file holds each wanted column under its name and id, and all its rows count."""
    plain = not task.delete_files and str(task.file.file_format.value).upper() == "PARQUET"
    return plain and all(found.names.count(one.name) == 1 and _same(one, found.field(one.name)) for one in wanted)


def _same(wanted: pa.Field, found: pa.Field, *, named: bool = True) -> bool:
    if _id(wanted) != _id(found) or (named and wanted.name != found.name):
        return False
    theirs = _plain(found).type
    if pa.types.is_struct(wanted.type) and pa.types.is_struct(theirs):
        return wanted.type.num_fields == theirs.num_fields and all(map(_same, wanted.type, theirs))
    if pa.types.is_list(wanted.type) and pa.types.is_list(theirs):
        return _same(wanted.type.value_field, theirs.value_field, named=False)
    if pa.types.is_map(wanted.type) and pa.types.is_map(theirs):
        keys, items = (wanted.type.key_field, theirs.key_field), (wanted.type.item_field, theirs.item_field)
        return _same(*keys, named=False) and _same(*items, named=False)
    return wanted.type == theirs or (theirs, wanted.type) in _WIDER


def _id(one: pa.Field) -> bytes | None:
    found: bytes | None = (one.metadata or {}).get(b"PARQUET:field_id")
    return found


def _plain(one: pa.Field) -> pa.Field:
    """The field with 32-bit offsets instead of pyiceberg's large ones, as Parquet files are read, and nullable."""
    return one.with_type(_plain_type(one.type)).with_nullable(nullable=True)


def _plain_type(found: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(found):
        return pa.string()
    if pa.types.is_large_binary(found):
        return pa.binary()
    if pa.types.is_list(found) or pa.types.is_large_list(found):
        return pa.list_(_plain(found.value_field))
    if pa.types.is_struct(found):
        return pa.struct([_plain(one) for one in found])
    if pa.types.is_map(found):
        return pa.map_(_plain(found.key_field).with_nullable(nullable=False), _plain(found.item_field))
    return found


def _refuse_wrapping(name: str, fragment: Any) -> None:
    """Raise SourceUnreadable for an INT96 timestamp that pyiceberg, which reads it in nanoseconds, would read wrong."""
    if not (old := int96_columns(fragment.metadata)):
        return
    nanoseconds = ds.ParquetFileFormat().make_fragment(fragment.path, fragment.filesystem).physical_schema
    with reading_parquet(name, fragment.path):
        found = fragment.to_table(columns=old)
    try:
        for column in old:
            found.column(column).cast(nanoseconds.field(column).type)
    except pa.ArrowInvalid:
        raise SourceUnreadable(
            f"The file {fragment.path} of source {name} holds INT96 timestamps before 1677 or after 2262, and differs"
            " from the table's schema, or has deleted rows. Let Spark write it anew: CALL system.rewrite_data_files."
        ) from None  # Arrow quotes the value


def _rewritten(name: str, fragment: Any, batches: Iterable[pa.RecordBatch], target: pa.Schema) -> Any:
    """A fragment of the rows of a file as the table has them."""
    _refuse_wrapping(name, fragment)
    with tempfile.TemporaryFile(prefix="provender-iceberg-") as kept:
        with reading_parquet(name, fragment.path), pq.ParquetWriter(kept, target, compression="lz4") as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_batches([batch]).select(target.names).cast(target))
        kept.flush()
        # opened a second time, so that Arrow reads and closes it without Python; it has no name but this one
        return parquet_format().make_fragment(pa.OSFile(f"/proc/self/fd/{kept.fileno()}"))
