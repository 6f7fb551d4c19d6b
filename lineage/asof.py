"""The point-in-time join: for each row of a spine the latest feature row not after it, within TTL.

Semantics are Feast's: the TTL is inclusive at both ends, of several rows with the same event timestamp the
one created last wins, a null key joins nothing, and every row of the spine comes back once. Where two rows
have both times in common, the later one in the source wins, so that a repeated retrieval gives the same rows.

DuckDB sees keys and times only, under names of our own, and answers *which* source row belongs to each spine row
(``lineage.asof_match``). Values never pass through it: what the source holds is what comes out, to the bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from governance.errors import WrongQuestion


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
    spine: Any, tables: Sequence[FeatureTable], *, event_timestamp: str, filter_by_created: bool = False
) -> Any:
    """``spine`` (an Arrow table) with the columns of ``tables`` joined to it, in the order of the spine.

    :param filter_by_created: also ignore what was created after the spine's timestamp (known at the time).
    :raises SourceUnreadable: a source lacks a column, or its times or keys are of a kind that cannot be compared.
    :raises LossyCast: a timestamp of the spine is not a whole microsecond.
    :raises WrongQuestion: the spine lacks a column, or two columns of the answer would have one name.
    """
    from lineage.asof_match import matched_rows
    from lineage.asof_source import read_source, spine_times

    _require_columns(spine, [event_timestamp, *(name for table in tables for name in table.keys)])
    _require_distinct([*spine.column_names, *(name for table in tables for name in table.features)])
    times = spine_times(spine, event_timestamp)
    joined = spine
    for table in tables:
        source = read_source(table, times)
        keys = {name: spine.column(name) for name in table.keys}
        rows = matched_rows(source, times, keys, ttl=table.ttl, filter_by_created=filter_by_created)
        for name, values in _taken(table, source.rows, rows):
            joined = joined.append_column(name, values)
    return joined


def _taken(table: FeatureTable, source: Any, rows: Any) -> Iterator[tuple[str, Any]]:
    from lineage.lossless import takeable

    for at, name in enumerate(table.features):
        yield name, takeable(source.column(f"feature_{at}")).take(rows)


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
