"""The point-in-time join, in DuckDB: for each row of a spine the latest feature row not after it, within TTL.

Semantics are Feast's: the TTL is inclusive at both ends, of several rows with the same event timestamp the
one created last wins, a null key joins nothing, and every row of the spine comes back once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lineage.canonical_table import ROW


@dataclass(frozen=True)
class FeatureTable:
    """One feature view as the join sees it."""

    rows: Any
    """A ``pyarrow.dataset.Dataset`` or Table; DuckDB pushes projection and time range down into it."""
    features: Mapping[str, str]
    """output column → source column"""
    keys: Mapping[str, str]
    """spine column → source column; empty joins on time alone"""
    timestamp: str
    created: str | None
    ttl: timedelta | None
    """None or zero: any age"""


def point_in_time_join(
    spine: Any, tables: Sequence[FeatureTable], *, event_timestamp: str, filter_by_created: bool = False
) -> Any:
    """``spine`` (an Arrow table) with the columns of ``tables`` joined to it, in the order of the spine.

    :param filter_by_created: also ignore what was created after the spine's timestamp (known at the time).
    """
    import duckdb  # noqa: PLC0415 - only who joins pays for the engine
    import pyarrow as pa  # noqa: PLC0415

    numbered = ROW in spine.column_names
    left = spine if numbered else spine.append_column(ROW, pa.array(range(spine.num_rows), pa.int64()))
    with duckdb.connect() as connection:
        connection.register("spine", left)
        for at, table in enumerate(tables):
            connection.register(f"source_{at}", table.rows)
            query = _joined(table, f"source_{at}", event_timestamp, filter_by_created=filter_by_created)
            connection.execute(f"CREATE TEMP TABLE joined_{at} AS {query}")
        columns = [*(f"spine.{_q(name)}" for name in spine.column_names)]
        columns += [f"joined_{at}.{_q(name)}" for at, table in enumerate(tables) for name in table.features]
        joins = " ".join(f"JOIN joined_{at} ON joined_{at}.{ROW} = spine.{ROW}" for at in range(len(tables)))
        return connection.sql(f"SELECT {', '.join(columns)} FROM spine {joins} ORDER BY spine.{ROW}").to_arrow_table()


def _joined(table: FeatureTable, source: str, event_timestamp: str, *, filter_by_created: bool) -> str:
    """Row number and features of every row of the spine; features are null where nothing fits."""
    features = ", ".join(f"CASE WHEN {_within_ttl(table.ttl)} THEN f.{_q(n)} END AS {_q(n)}" for n in table.features)
    keys = "".join(f"s.{_q(ours)} = f.{_q('key ' + ours)} AND " for ours in table.keys)
    late = filter_by_created and table.created is not None
    # CTEs, not subqueries: a subquery in FROM may look sideways, and its names would find the spine's columns first
    parts = (
        f"s AS (SELECT *, epoch_us({_q(event_timestamp)}) AS __asked FROM spine)",
        f"f AS ({_source(table, source)}{'' if late else ' ' + _latest_created(table)})",
    )
    if late:
        join = f"LEFT JOIN f ON {keys}f.__at <= s.__asked AND f.__created <= s.__asked"
        join += f" QUALIFY row_number() OVER (PARTITION BY s.{ROW} ORDER BY f.__at DESC NULLS LAST, f.__created DESC NULLS LAST) = 1"
    else:
        join = f"ASOF LEFT JOIN f ON {keys}s.__asked >= f.__at"
    return f"WITH {', '.join(parts)} SELECT s.{ROW}, {features} FROM s {join}"


def _source(table: FeatureTable, source: str) -> str:
    columns = [f"epoch_us({_q(table.timestamp)}) AS __at"]
    if table.created is not None:
        columns.append(f"epoch_us({_q(table.created)}) AS __created")
    columns += [f"{_q(theirs)} AS {_q('key ' + ours)}" for ours, theirs in table.keys.items()]
    columns += [f"{_q(theirs)} AS {_q(name)}" for name, theirs in table.features.items()]
    return f"SELECT {', '.join(columns)} FROM {source} WHERE {_q(table.timestamp)} IS NOT NULL"


def _latest_created(table: FeatureTable) -> str:
    """Of rows with equal keys and event timestamp, keep the one created last."""
    partition = ", ".join([*(_q("key " + ours) for ours in table.keys), "__at"])
    order = " ORDER BY __created DESC NULLS LAST" if table.created is not None else ""
    return f"QUALIFY row_number() OVER (PARTITION BY {partition}{order}) = 1"


def _within_ttl(ttl: timedelta | None) -> str:
    if not ttl:
        return "f.__at IS NOT NULL"
    return f"s.__asked - f.__at <= {ttl // timedelta(microseconds=1)}"


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
