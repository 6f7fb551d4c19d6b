"""The point-in-time join: for each row of a spine the latest feature row not after it, within TTL.

Semantics are Feast's: the TTL is inclusive at both ends, of several rows with the same event timestamp the
one created last wins, a null key joins nothing, and every row of the spine comes back once. Where two rows
have both times in common, the later one in the source wins, so that a repeated retrieval gives the same rows.

The rows of a spine are sorted once (``lineage.asof_slots``); a source streams by them, keys and times only, and leaves
the number of the row that belongs to each. A second pass takes the values of those rows alone, so what the source
holds is what comes out, to the bit. Memory is needed for the spine and the answer, not for the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from governance.errors import WrongQuestion
from lineage.asof_match import SourceSide, SpineSide, matched_rows, spine_side
from lineage.asof_slots import distinct
from lineage.asof_source import Source
from lineage.asof_ticks import reach_of
from lineage.canonical_table import TIMESTAMP
from lineage.duckdb_engine import Limits
from lineage.lossless import decoded, lossless
from lineage.taken_rows import taken

_NO_LIMITS = Limits()


@dataclass(frozen=True)
class FeatureTable:
    """One feature view as the join sees it."""

    rows: Any
    """A ``pyarrow.dataset.Dataset`` or Table; only the columns asked for and the times in reach are read."""
    features: Mapping[str, str]
    """output column → source column"""
    keys: Mapping[str, str]
    """spine column → source column; empty joins on time alone"""
    timestamp: str
    created: str | None
    ttl: timedelta | None
    """None or zero: any age"""


def point_in_time_join(
    spine: Any,
    tables: Sequence[FeatureTable],
    *,
    event_timestamp: str,
    filter_by_created: bool = False,
    limits: Limits = _NO_LIMITS,
) -> Any:
    """``spine`` (an Arrow table) with the columns of ``tables`` joined to it, in the order of the spine.

    :param filter_by_created: also ignore what was created after the spine's timestamp (known at the time).
    :param limits: of threads, and of how many row groups are in memory at a time. What is needed in any case is the
        answer itself, about as much again for matching, and one row group.
    :raises SourceUnreadable: a source lacks a column, or its times or keys are of a kind that cannot be compared.
    :raises LossyCast: a timestamp of the spine is not a whole microsecond.
    :raises WrongQuestion: the spine lacks a column, its event timestamps are no times, or two columns of the answer
        would have one name.
    """
    _require_columns(spine, [event_timestamp, *(name for table in tables for name in table.keys)])
    _require_distinct([*spine.column_names, *(name for table in tables for name in table.features)])
    times = _moments(event_timestamp, spine.column(event_timestamp)).cast(pa.int64())
    sides: dict[tuple[str, ...], SpineSide] = {}
    joined = spine
    for table in tables:
        names = tuple(table.keys)
        if names not in sides:
            sides[names] = spine_side({name: spine.column(name) for name in names}, times)
        for name, values in _joined(sides[names], times, table, filter_by_created=filter_by_created, limits=limits):
            joined = joined.append_column(name, values)
    return joined


def _moments(name: str, column: Any) -> Any:
    kind = decoded(column).type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_null(kind)):
        raise WrongQuestion(
            f"The event timestamps {name!r} of the entity rows are {kind}. Expected timestamps: a number does not say"
            " its unit."
        )
    return lossless(name, column, TIMESTAMP)


def _joined(
    spine: SpineSide, times: Any, table: FeatureTable, *, filter_by_created: bool, limits: Limits
) -> Iterator[tuple[str, Any]]:
    """Name and values of each feature, a row for each row of the spine."""
    rows = Source(
        table.rows,
        names=[*table.keys.values(), table.timestamp, *filter(None, [table.created]), *table.features.values()],
        timestamp=table.timestamp,
        reach=reach_of(times, table.ttl),
        limits=limits,
    )
    side = SourceSide(rows, tuple(table.keys.values()), table.timestamp, table.created)
    found = matched_rows(spine, side, ttl=table.ttl, filter_by_created=filter_by_created, limits=limits)
    numbers = distinct(found[found >= 0])
    values = rows.take({f"feature_{at}": name for at, name in enumerate(table.features.values())}, numbers)
    places = pa.array(np.searchsorted(numbers, found), mask=found < 0)
    for at, name in enumerate(table.features):
        yield name, taken(values.column(at), places)


def _require_columns(spine: Any, names: Sequence[str]) -> None:
    if missing := sorted({name for name in names if spine.column_names.count(name) != 1}):
        raise WrongQuestion(
            f"The entity rows need each of the columns {missing} exactly once; found {spine.column_names}. Add the"
            " join keys and the event timestamp to the entity rows."
        )


def _require_distinct(names: Sequence[str]) -> None:
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise WrongQuestion(
            f"The answer would have more than one column named {twice}. Ask with full_feature_names=True, or rename the"
            " columns of the entity rows."
        )
