"""Which row of a source belongs to each row of a spine, found by DuckDB's ASOF join over keys and times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import duckdb
import pyarrow as pa

from lineage.asof_source import Source
from lineage.canonical_table import TIMESTAMP
from lineage.errors import LossyCast, SourceUnreadable
from lineage.lossless import decoded, lossless

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Nothing is ever downloaded."""


def matched_rows(
    source: Source, times: Any, keys: Mapping[str, Any], *, ttl: timedelta | None, filter_by_created: bool
) -> Any:
    """For each time of the spine the number of its source row, null where none fits.

    :param keys: the spine's key columns. Raises SourceUnreadable where they cannot be compared with the source's.
    """
    left, right = _tables(source, times, keys)
    late = filter_by_created and source.created_per_second is not None
    query = (_known_then if late else _latest)(source, _within(ttl))
    with duckdb.connect(config=_SETTINGS) as connection:
        connection.register("spine", left)
        connection.register("source", right)
        return connection.sql(query).to_arrow_table().column("found")


def _tables(source: Source, times: Any, keys: Mapping[str, Any]) -> tuple[pa.Table, pa.Table]:
    left = {"number": pa.array(range(len(times)), pa.int64()), "moment": times}
    right = {"number": pa.array(range(source.rows.num_rows), pa.int64()), "ticks": source.rows.column("ticks")}
    if source.created_per_second is not None:
        right["created"] = source.rows.column("created")
    for at, name in enumerate(source.keys):
        column = f"key_{at}"
        left[column], right[column] = _comparable(name, keys[name], source.rows.column(column))
    return pa.table(left), pa.table(right)


def _latest(source: Source, within: str) -> str:
    """Of rows with equal keys and time the one created last; of those left, the last one not after the spine's row."""
    partition = ", ".join([*_keys(source), "moment"])
    created = "created DESC NULLS LAST, " if source.created_per_second is not None else ""
    newest = f"row_number() OVER (PARTITION BY {partition} ORDER BY ticks DESC, {created}number DESC) = 1"
    on = "".join(f"s.{key} = f.{key} AND " for key in _keys(source))
    return (
        f"WITH f AS (SELECT * FROM ({_prepared(source)}) QUALIFY {newest})"  # noqa: S608 - our own names and integers alone
        f" SELECT CASE WHEN {within} THEN f.number END AS found"
        f" FROM spine s ASOF LEFT JOIN f ON {on}s.moment >= f.moment ORDER BY s.number"
    )


def _known_then(source: Source, within: str) -> str:
    """The last one of those neither dated nor created after the spine's row."""
    on = "".join(f"s.{key} = f.{key} AND " for key in _keys(source))
    newest = "ORDER BY f.ticks DESC NULLS LAST, f.created DESC NULLS LAST, f.number DESC NULLS LAST"
    return (
        f"WITH f AS ({_prepared(source)}) SELECT CASE WHEN {within} THEN f.number END AS found FROM spine s"  # noqa: S608 - as above
        f" LEFT JOIN f ON {on}f.moment <= s.moment AND f.known <= s.moment"
        f" QUALIFY row_number() OVER (PARTITION BY s.number {newest}) = 1 ORDER BY s.number"
    )


def _prepared(source: Source) -> str:
    """The source with its times in microseconds, as the spine's are.

    A row counts from the first whole microsecond after its time on (``moment``, and ``known`` for its creation), and
    is too old for a TTL by the last one before (``since``): nanoseconds are compared exactly.
    """
    moment, since = _microseconds("ticks", source.ticks_per_second)
    columns = ["*", f"{moment} AS moment", f"{since} AS since"]
    if source.created_per_second is not None:
        columns.append(f"{_microseconds('created', source.created_per_second)[0]} AS known")
    return f"SELECT {', '.join(columns)} FROM source"  # noqa: S608 - as above


def _microseconds(column: str, per_second: int) -> tuple[str, str]:
    """The first whole microsecond not before a time, and the last not after it, whichever way division rounds."""
    if per_second <= 10**6:
        whole = f"({column} * {10**6 // per_second})"
        return whole, whole
    ticks = per_second // 10**6
    quotient, rest = f"{column} // {ticks}", f"{column} % {ticks}"
    return f"({quotient} + ({rest} > 0)::INT)", f"({quotient} - ({rest} < 0)::INT)"


def _within(ttl: timedelta | None) -> str:
    return f"s.moment - f.since <= {ttl // timedelta(microseconds=1)}" if ttl else "f.moment IS NOT NULL"


def _keys(source: Source) -> tuple[str, ...]:
    return tuple(f"key_{at}" for at in range(len(source.keys)))


def _comparable(name: str, ours: Any, theirs: Any) -> tuple[Any, Any]:
    """Both key columns in types whose equality is exact in DuckDB."""
    ours, theirs = decoded(ours), decoded(theirs)
    if pa.types.is_null(ours.type) or pa.types.is_null(theirs.type):
        return pa.nulls(len(ours), pa.int64()), pa.nulls(len(theirs), pa.int64())
    if _family(ours.type) != _family(theirs.type):
        raise SourceUnreadable(
            f"The join key {name!r} is {ours.type} in the entity rows and {theirs.type} in the source, which are never"
            " equal. Give the entity rows the type that the entity declares."
        )
    if pa.types.is_timestamp(ours.type):
        return lossless(name, ours, TIMESTAMP).cast(pa.int64()), lossless(name, theirs, TIMESTAMP).cast(pa.int64())
    return _whole(name, ours, theirs), _whole(name, theirs, ours)


def _whole(name: str, column: Any, other: Any) -> Any:
    """Integers that pandas made floats (some are missing) as integers again: as floats, large ones compare wrongly."""
    if not (pa.types.is_floating(column.type) and pa.types.is_integer(other.type)):
        return column
    try:
        return lossless(name, column, other.type)
    except LossyCast:
        return column


def _family(kind: pa.DataType) -> str:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "text" if text else "number" if number else "timestamp" if pa.types.is_timestamp(kind) else str(kind)
