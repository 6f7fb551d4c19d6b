"""The rows of a source within a time range, in DuckDB: all of them, or the latest of each entity.

This is what a materialization reads before it writes online.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows_between(
    rows: Any,
    *,
    columns: Sequence[str],
    timestamp: str,
    start: datetime | None,
    end: datetime | None,
    latest_of: Sequence[str] | None = None,
    created: str | None = None,
) -> Any:
    """``columns`` of the rows whose ``timestamp`` lies from ``start`` to ``end`` (both included; None is open).

    :param rows: a ``pyarrow.dataset.Dataset`` or Arrow table; the answer is an Arrow table.
    :param latest_of: keys; only the row with the latest timestamp of each combination is given, of several the one
        that was ``created`` last. None gives all rows.

    Naive moments count as UTC.
    """
    import duckdb  # only who reads pays for the engine

    bounds = [f"epoch_us({_q(timestamp)}) {op} {_us(at)}" for op, at in ((">=", start), ("<=", end)) if at is not None]
    selected = ", ".join(_q(name) for name in dict.fromkeys(columns))
    query = f"SELECT {selected} FROM source WHERE {' AND '.join(bounds) or 'true'}"  # noqa: S608 - names are quoted, bounds are integers
    if latest_of is not None:
        times = [timestamp, *([created] if created else [])]
        order = ", ".join(f"epoch_us({_q(name)}) DESC NULLS LAST" for name in times)
        partition = f"PARTITION BY {', '.join(_q(name) for name in latest_of)} " if latest_of else ""
        query += f" QUALIFY row_number() OVER ({partition}ORDER BY {order}) = 1"
    with duckdb.connect() as connection:
        connection.register("source", rows)
        return connection.sql(query).to_arrow_table()


def _us(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
