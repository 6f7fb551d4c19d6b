"""What the point-in-time join reads of a source: the columns asked for, the times in reach, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lineage.canonical_table import TIMESTAMP
from lineage.errors import SourceUnreadable
from lineage.lossless import lossless

if TYPE_CHECKING:
    from lineage.asof import FeatureTable

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class Source:
    """The rows of a source with times as integers: ``ticks``, ``created``, ``key_0``…, ``feature_0``…."""

    rows: Any
    keys: tuple[str, ...]
    """spine columns, in the order of ``key_0``…"""
    ticks_per_second: int
    created_per_second: int | None
    """the same of ``created``; None in a source that does not say when a row was created"""


def spine_times(spine: Any, name: str) -> Any:
    """The spine's timestamps as int64 microseconds since 1970 (naive means UTC). Raises LossyCast."""
    return lossless(name, spine.column(name), TIMESTAMP).cast(pa.int64())


def read_source(table: FeatureTable, times: Any) -> Source:
    """The rows of ``table`` that could belong to a spine with these times. Raises SourceUnreadable."""
    dataset = table.rows if isinstance(table.rows, ds.Dataset) else ds.dataset(table.rows)
    ticks, per_second = _ticks(dataset.schema, table.timestamp)
    columns, created = {"ticks": ticks}, None
    if table.created is not None:
        columns["created"], created = _ticks(dataset.schema, table.created)
    columns |= {f"key_{i}": ds.field(name) for i, name in enumerate(table.keys.values())}
    columns |= {f"feature_{i}": ds.field(name) for i, name in enumerate(table.features.values())}
    reach = _in_reach(dataset.schema.field(table.timestamp), times, table.ttl)
    try:
        rows = dataset.to_table(columns=columns, filter=reach)
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadable(
            f"A source cannot be read ({type(error).__name__}). Expected the columns"
            f" {sorted(set(table.features.values()))} and the join keys {sorted(set(table.keys.values()))};"
            " correct the source or its feature view."
        ) from None  # Arrow quotes values, which may be a person's
    return Source(rows, tuple(table.keys), per_second, created)


def _ticks(schema: pa.Schema, name: str) -> tuple[Any, int]:
    """A time as int64 in its own unit, and how many of these are a second: nanoseconds must not be cut off."""
    found = schema.field(name).type if schema.get_field_index(name) >= 0 else pa.null()
    field = ds.field(name)
    if pa.types.is_date(found):
        return field.cast(pa.timestamp("ms")).cast(pa.int64()), 10**3
    if not pa.types.is_timestamp(found):
        raise SourceUnreadable(
            f"A source has {'no one column' if pa.types.is_null(found) else found} where its timestamps {name!r}"
            " should be. Expected a timestamp or"
            " date column; correct the source, or the timestamp_field of the data source."
        )
    return field.cast(pa.int64()), _PER_SECOND[found.unit]


def _in_reach(field: pa.Field, times: Any, ttl: timedelta | None) -> Any:
    """A filter that leaves out rows after every spine row, or too old for all of them."""
    there = ds.field(field.name).is_valid()
    ends = pc.min_max(times).as_py()
    if ends["max"] is None or not pa.types.is_timestamp(field.type):
        return there
    last = ends["max"] * _PER_SECOND[field.type.unit] // 10**6
    there = _bounded(there, ds.field(field.name).__le__, last, field.type)
    if not ttl:
        return there
    oldest = ends["min"] - ttl // timedelta(microseconds=1)
    return _bounded(there, ds.field(field.name).__ge__, -(-oldest * _PER_SECOND[field.type.unit] // 10**6), field.type)


def _bounded(there: Any, compare: Any, ticks: int, kind: pa.DataType) -> Any:
    if not -(2**63) <= ticks < 2**63:
        return there  # every time of this unit is on the right side
    return there & compare(pa.scalar(ticks, pa.int64()).cast(kind))
