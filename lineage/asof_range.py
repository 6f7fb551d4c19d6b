"""Feature rows of a date range, without entity rows: what happened in the range is what is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from governance.errors import WrongQuestion
from lineage.asof import FeatureTable, point_in_time_join
from lineage.canonical_table import TIMESTAMP
from lineage.duckdb_engine import Limits
from lineage.errors import SourceUnreadable
from lineage.lossless import decoded, lossless, takeable
from lineage.time_range import rows_between

EVENT_TIMESTAMP = "event_timestamp"
"""The name that Feast's stores give the moments of such an answer."""
_NO_LIMITS = Limits()


def features_in_range(
    tables: Sequence[FeatureTable],
    *,
    start: datetime,
    end: datetime,
    filter_by_created: bool = False,
    limits: Limits = _NO_LIMITS,
) -> pa.Table:
    """The features of ``tables`` at each moment from ``start`` to ``end`` at which one of them changed.

    Both ends are inclusive, and naive ones UTC.

    Feast's stores disagree. This is what its Ray and Oracle stores do, and its PostgreSQL store but for the values from
    before the range: the entity rows are the distinct (join keys, event timestamp) of all rows of all tables in the
    range, and the point-in-time join gives each of them the features of every table, from before the range too where
    the TTL reaches so far. A key that a table does not have is null in its rows, and a null key joins nothing. (The
    dask, Spark and BigQuery stores instead give each entity once, as of ``end``.)

    The columns are the join keys, in the order of the tables, then ``event_timestamp``, then the features; rows are in
    the order of their timestamps.

    :raises SourceUnreadable: as the join does, and where two tables have one join key in types that do not go together.
    :raises LossyCast: an event timestamp in the range is not a whole microsecond.
    :raises WrongQuestion: there is no table, or two columns of the answer would have one name.
    """
    if not tables:
        raise WrongQuestion("No feature view was asked for. Name at least one feature.")
    moments = _union([_moments(table, start, end, limits) for table in tables])
    return point_in_time_join(
        moments, tables, event_timestamp=EVENT_TIMESTAMP, filter_by_created=filter_by_created, limits=limits
    )


def _moments(table: FeatureTable, start: datetime, end: datetime, limits: Limits) -> pa.Table:
    """The distinct keys and times of one table, under the names of the answer."""
    columns = [*table.keys.values(), table.timestamp]
    found = rows_between(table.rows, columns=columns, timestamp=table.timestamp, start=start, end=end, limits=limits)
    keys = {ours: takeable(decoded(found.column(theirs))) for ours, theirs in table.keys.items()}
    times = lossless(table.timestamp, found.column(table.timestamp), TIMESTAMP)
    return _distinct(pa.table({**keys, EVENT_TIMESTAMP: times}))


def _union(parts: Sequence[pa.Table]) -> pa.Table:
    """The distinct rows of all, the earliest first; keys that a part lacks are null."""
    try:
        rows = _distinct(pa.concat_tables(parts, promote_options="permissive"))
    except pa.ArrowException:
        kinds = sorted({f"{field.name}: {field.type}" for part in parts for field in part.schema})
        raise SourceUnreadable(
            f"The sources have join keys in types that do not go together: {', '.join(kinds)}. Expected one type for"
            " each; correct the sources, or ask for the views one by one."
        ) from None  # Arrow may quote values
    keys = [name for name in rows.column_names if name != EVENT_TIMESTAMP]
    return rows.select([*keys, EVENT_TIMESTAMP]).sort_by(EVENT_TIMESTAMP)


def _distinct(rows: pa.Table) -> pa.Table:
    return rows.group_by(rows.column_names, use_threads=False).aggregate([])
