"""One schema for the many Parquet files of a source, or a clear word why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from lineage.errors import SourceUnreadable

_THREADS = 16


def schemas_of(name: str, fragments: Sequence[Any]) -> list[pa.Schema]:
    """What the footer of each file (a ``ParquetFileFragment``) says. Raises SourceUnreadable."""

    def schema(fragment: Any) -> pa.Schema:
        with reading_parquet(name, fragment.path):
            return fragment.physical_schema

    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        return list(threads.map(schema, fragments))


def one_schema(name: str, paths: Sequence[str], schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The columns that all files have alike; a column of nulls alone fits any type.

    Raises SourceUnreadable naming file and column where one misses a column or holds it in another type.
    """
    fields = _fields(name, paths[0], schemas[0])
    for path, schema in zip(paths[1:], schemas[1:], strict=True):
        theirs = _fields(name, path, schema)
        for column in sorted(fields.keys() ^ theirs.keys()):
            lacks, has = (path, paths[0]) if column in fields else (paths[0], path)
            raise _unlike(name, f"{lacks} has no column {column}, which {has} has")
        for column, field in theirs.items():
            if pa.types.is_null(fields[column].type):
                fields[column] = field
            elif not pa.types.is_null(field.type) and field.type != fields[column].type:
                raise _unlike(name, f"column {column} is {field.type} in {path}, {fields[column].type} before")
    return pa.schema(list(fields.values()))


@contextmanager
def reading_parquet(name: str, path: str) -> Iterator[None]:
    """What Arrow cannot read becomes SourceUnreadable, without Arrow's words: they quote values."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadable(
            f"The file {path} of source {name} cannot be read as Parquet ({type(error).__name__}). Expected a Parquet"
            " file; write it again, or correct the path of the source."
        ) from None


def _fields(name: str, path: str, schema: pa.Schema) -> dict[str, pa.Field]:
    fields = {field.name: field.remove_metadata().with_nullable(nullable=True) for field in schema}
    if len(fields) != len(schema.names):
        twice = sorted({column for column in schema.names if schema.names.count(column) > 1})
        raise SourceUnreadable(f"The file {path} of source {name} has columns of the same name: {', '.join(twice)}.")
    return fields


def _unlike(name: str, how: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"The files of source {name} are not of one schema: {how}. Write them alike, or point the source at those that"
        " belong together."
    )
