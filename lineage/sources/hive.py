"""Hive partitions: columns whose values stand in names of directories, ``region=north/day=2024-05-01/x.parquet``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import pyarrow as pa

from lineage.errors import SourceUnreadable

_NULL = "__HIVE_DEFAULT_PARTITION__"

Value = str | int | None


def partition_columns(name: str, root: str, paths: Sequence[str]) -> dict[str, tuple[pa.DataType, list[Value]]]:
    """Type and values (one a file) of each partition column between ``root`` and the files.

    A column is int64 where every value is written as an integer is, else text: ``007`` stays what it is, and a cast
    to the type that Feast declares happens where casts are checked. Raises SourceUnreadable where files disagree on
    which columns there are.
    """
    found = [_segments(path.removeprefix(root).split("/")[:-1]) for path in paths]
    columns = list(found[0]) if found else []
    for path, segments in zip(paths, found, strict=True):
        if list(segments) != columns:
            raise SourceUnreadable(
                f"The files of source {name} lie in different partitions: {path} has the columns {list(segments)},"
                f" {paths[0]} has {columns}. Expected the same name=value directories above each file."
            )
    return {column: _typed([segments[column] for segments in found]) for column in columns}


def _segments(folders: Sequence[str]) -> Mapping[str, str | None]:
    pairs = (folder.split("=", 1) for folder in folders if "=" in folder)
    return {unquote(key): None if value == _NULL else unquote(value) for key, value in pairs}


def _typed(values: list[str | None]) -> tuple[pa.DataType, list[Value]]:
    if any(value is not None for value in values) and all(value is None or _is_integer(value) for value in values):
        return pa.int64(), [None if value is None else int(value) for value in values]
    return pa.string(), list(values)


def _is_integer(value: str) -> bool:
    digits = value.removeprefix("-")
    return (
        digits.isascii()
        and digits.isdigit()
        and str(int(digits)) == digits
        and abs(int(value)) < 2**63
        and value != "-0"
    )
