"""The rows of a source within a time range: all of them, or the latest of each entity.

This is what a materialization reads before it writes online. DuckDB sees keys, times and row numbers only, and spills
them if it must; values go from the source into the answer as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage.duckdb_engine import Limits, connected
from lineage.errors import SourceUnreadable

if TYPE_CHECKING:
    from lineage.asof_source import Source

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_LIMITS = Limits()


def rows_between(
    rows: Any,
    *,
    columns: Sequence[str],
    timestamp: str,
    start: datetime | None,
    end: datetime | None,
    latest_of: Sequence[str] | None = None,
    created: str | None = None,
    limits: Limits = _NO_LIMITS,
) -> Any:
    """``columns`` of the rows whose ``timestamp`` lies from ``start`` to ``end`` (both included; None is open).

    :param rows: a ``pyarrow.dataset.Dataset`` or Arrow table; the answer is an Arrow table, in the order of the source.
    :param latest_of: keys; only the row with the latest timestamp of each combination is given, of several the one
        that was ``created`` last, and of those the last of the source. Null is a key like any other. None gives
        all rows.
    :raises SourceUnreadable: the source cannot be read, lacks a column, or has keys that DuckDB cannot compare.
    :raises ConfigurationError: the limits are too small.

    Naive moments count as UTC. Without a bound rows without a timestamp count too, as the earliest.
    """
    from lineage.asof_source import Source
    from lineage.asof_ticks import ticks_of

    reach = (_microseconds(start), _microseconds(end))
    times = [timestamp, *filter(None, [created])]
    source = Source(rows, names=[*columns, *times, *(latest_of or ())], timestamp=timestamp, reach=reach, limits=limits)
    wanted = {name: name for name in columns}
    if latest_of is None:
        return source.where(wanted, ticks_of(source.schema, timestamp).between(*reach))
    return source.take(wanted, _latest(source, latest_of, times, reach, limits))


def _latest(
    source: Source, keys: Sequence[str], times: Sequence[str], reach: tuple[int | None, int | None], limits: Limits
) -> Any:
    """The numbers of the latest row of each combination of keys, sorted."""
    import numpy as np

    from lineage.asof_ticks import ticks_of

    ticks = [ticks_of(source.schema, name) for name in times]
    columns = {f"key_{at}": name for at, name in enumerate(keys)}
    expressions = source.fields(columns) | {f"time_{at}": each.expression for at, each in enumerate(ticks)}
    low, high = ticks[0].ends(*reach)
    bounds = [f"time_0 {op} {tick}" for op, tick in ((">=", low), ("<=", high)) if tick is not None]
    partition = f"PARTITION BY {', '.join(columns)} " if columns else ""
    order = ", ".join(f"{name} DESC NULLS LAST" for name in [*(f"time_{at}" for at in range(len(ticks))), "number"])
    query = (
        f"SELECT number FROM source WHERE {' AND '.join(bounds) or 'true'}"  # noqa: S608 - our own names and integers
        f" QUALIFY row_number() OVER ({partition}ORDER BY {order}) = 1"
    )
    return np.sort(_answered(query, source, expressions, limits))


def _answered(query: str, source: Source, expressions: Mapping[str, Any], limits: Limits) -> Any:
    """The one column of integers that ``query`` gives over the numbered rows of ``source``. Raises SourceUnreadable."""
    import duckdb

    reader, failures = _reader(source, expressions)
    with connected(limits) as connection:
        try:
            connection.register("source", reader)
            return connection.sql(query).to_arrow_table().column(0).to_numpy()
        except duckdb.Error as error:
            if failures:
                raise failures[0] from None  # DuckDB wraps what its input raised
            if isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
                raise  # for the limits
            kinds = sorted({str(field.type) for field in reader.schema})
            raise SourceUnreadable(
                f"The latest rows of a source cannot be found ({type(error).__name__}) by keys and times of the types"
                f" {kinds}. Expected types that DuckDB can compare; give the keys another type in the source."
            ) from None  # DuckDB quotes values


def _reader(source: Source, expressions: Mapping[str, Any]) -> tuple[Any, list[SourceUnreadable]]:
    """The rows of ``source`` as a stream with their ``number``, and the error that ended it, once there is one."""
    import numpy as np
    import pyarrow as pa

    schema = source.schema_of(expressions).append(pa.field("number", pa.int64()))
    failures: list[SourceUnreadable] = []

    def batches() -> Iterator[Any]:
        try:
            for first, batch in source.scan(expressions):
                numbers = pa.array(np.arange(first, first + len(batch)))
                yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)
        except SourceUnreadable as error:
            failures.append(error)
            raise

    return pa.RecordBatchReader.from_batches(schema, batches()), failures


def _microseconds(moment: datetime | None) -> int | None:
    """Since 1970; None is open."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)
