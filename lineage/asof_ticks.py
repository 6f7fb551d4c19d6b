"""Times of a source as integers, exact to the nanosecond, and filters for a range of them."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lineage.errors import SourceUnreadable

MICROSECONDS = 10**6
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class Ticks:
    """A time column as int64 in its own unit: nanoseconds must not be cut off."""

    expression: Any
    """gives the integers, in a scan of the dataset"""
    per_second: int

    def not_after(self, ticks: Any) -> Any:
        """The last whole microsecond not after each time (numpy int64); beyond its range the end of that."""
        if self.per_second >= MICROSECONDS:
            return ticks if self.per_second == MICROSECONDS else ticks // (self.per_second // MICROSECONDS)
        each = MICROSECONDS // self.per_second
        return np.clip(ticks, -(2**63) // each + 1, (2**63 - 1) // each) * each

    def not_before(self, ticks: Any) -> Any:
        """The first whole microsecond not before each time."""
        whole = self.not_after(ticks)
        if self.per_second > MICROSECONDS:
            whole += whole * (self.per_second // MICROSECONDS) != ticks
        return whole

    def ends(self, first: int | None, last: int | None) -> tuple[int | None, int | None]:
        """The ticks that lie from ``first`` to ``last``, microseconds since 1970; None is open."""
        low = None if first is None else -(-first * self.per_second // MICROSECONDS)
        high = None if last is None else last * self.per_second // MICROSECONDS
        return low, high

    def between(self, first: int | None, last: int | None) -> Any:
        """A filter for exactly these times; None where both ends are open."""
        low, high = self.ends(first, last)
        bounds = []
        if low is not None:
            bounds.append(_never() if low > _HIGHEST else self.expression >= max(low, _LOWEST))
        if high is not None:
            bounds.append(_never() if high < _LOWEST else self.expression <= min(high, _HIGHEST))
        return functools.reduce(operator.and_, bounds) if bounds else None


def ticks_of(schema: pa.Schema, name: str) -> Ticks:
    """The time column ``name``. Raises SourceUnreadable where it is none."""
    found = schema.field(name).type if schema.get_field_index(name) >= 0 else pa.null()
    field = ds.field(name)
    if pa.types.is_date(found):
        return Ticks(field.cast(pa.timestamp("ms")).cast(pa.int64()), 10**3)
    if not pa.types.is_timestamp(found):
        raise SourceUnreadable(
            f"A source has {'no one column' if pa.types.is_null(found) else found} where its timestamps {name!r}"
            " should be. Expected a timestamp or"
            " date column; correct the source, or the timestamp_field of the data source."
        )
    return Ticks(field.cast(pa.int64()), _PER_SECOND[found.unit])


def reach_of(times: Any, ttl: timedelta | None) -> tuple[int | None, int | None]:
    """The first and last time that could belong to one of ``times`` (int64 microseconds); None is open."""
    ends = pc.min_max(times).as_py()
    if ends["max"] is None or not ttl:
        return None, ends["max"]
    return ends["min"] - ttl // timedelta(microseconds=1), ends["max"]


def in_reach(schema: pa.Schema, name: str, first: int | None, last: int | None) -> Any:
    """A filter by which row groups can be left out that have no time from ``first`` to ``last``; None for none."""
    found = schema.field(name).type if schema.get_field_index(name) >= 0 else pa.null()
    if not pa.types.is_timestamp(found):
        return None
    low, high = ticks_of(schema, name).ends(first, last)
    bounds = [
        compare(pa.scalar(end, pa.int64()).cast(found))
        for compare, end in ((ds.field(name).__ge__, low), (ds.field(name).__le__, high))
        if end is not None and _LOWEST <= end <= _HIGHEST
    ]
    return functools.reduce(operator.and_, bounds) if bounds else None


def _never() -> Any:
    return ds.scalar(False)  # noqa: FBT003 - a value, not an option
