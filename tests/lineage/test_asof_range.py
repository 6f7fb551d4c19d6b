"""Retrieval by date range: the moments at which something happened, and the features known at each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import WrongQuestion
from lineage.asof import FeatureTable
from lineage.asof_range import features_in_range
from lineage.errors import LossyCast, SourceUnreadable

US = pa.timestamp("us", "UTC")
BASE = datetime(2024, 1, 1, tzinfo=UTC)


def at(step: int | None) -> datetime | None:
    return None if step is None else BASE + timedelta(seconds=step)


def view(rows: list[tuple[Any, int | None, Any]], feature: str, key: str = "key", **changes: Any) -> FeatureTable:
    """Rows of (key, seconds after BASE, value)."""
    table = pa.table(
        {
            "theirs": pa.array([row[0] for row in rows], changes.pop("kind", pa.int64())),
            "at": pa.array([at(row[1]) for row in rows], US),
            "value": pa.array([row[2] for row in rows], pa.int64()),
        }
    )
    usual: dict[str, Any] = {"timestamp": "at", "created": None, "ttl": None}
    return FeatureTable(table, {feature: "value"}, {key: "theirs"}, **{**usual, **changes})


def test_each_moment_of_each_entity_in_the_range_has_what_every_view_knew_then() -> None:
    found = features_in_range(
        [view([(1, 0, 10), (1, 5, 11), (2, 5, 20), (1, 9, 12)], "a"), view([(1, -5, 100), (1, 3, 101)], "b")],
        start=BASE,
        end=BASE + timedelta(seconds=5),
    )
    assert found.column_names == ["key", "event_timestamp", "a", "b"]
    assert found.schema.field("event_timestamp").type == US
    assert found.to_pylist() == [
        {"key": 1, "event_timestamp": at(0), "a": 10, "b": 100},
        {"key": 1, "event_timestamp": at(3), "a": 10, "b": 101},
        {"key": 1, "event_timestamp": at(5), "a": 11, "b": 101},
        {"key": 2, "event_timestamp": at(5), "a": 20, "b": None},
    ]


def test_a_key_that_a_view_lacks_is_null_in_its_rows() -> None:
    found = features_in_range(
        [view([(1, 0, 10)], "a"), view([("x", 1, 20)], "b", "other", kind=pa.string())],
        start=BASE,
        end=BASE + timedelta(days=1),
    )
    assert found.to_pylist() == [
        {"key": 1, "other": None, "event_timestamp": at(0), "a": 10, "b": None},
        {"key": None, "other": "x", "event_timestamp": at(1), "a": None, "b": 20},
    ]


steps = st.integers(-2, 8)
histories = st.lists(st.tuples(st.none() | st.integers(1, 3), st.none() | steps, st.integers(0, 99)), max_size=10)


@settings(max_examples=60, deadline=None)
@given(first=histories, second=histories, start=steps, length=st.integers(0, 6), ttl=st.none() | st.integers(1, 4))
def test_the_answer_is_that_of_a_reference_that_looks_at_every_row(
    first: list[tuple[Any, ...]], second: list[tuple[Any, ...]], start: int, length: int, ttl: int | None
) -> None:
    age = None if ttl is None else timedelta(seconds=ttl)
    views = [view(first, "a", ttl=age), view(second, "b", ttl=age)]
    begin, end = BASE + timedelta(seconds=start), BASE + timedelta(seconds=start + length)
    found = features_in_range(views, start=begin, end=end.replace(tzinfo=None)).to_pylist()

    def latest(rows: list[tuple[Any, ...]], key: Any, now: int) -> Any:
        known = [row for row in rows if row[1] is not None and row[1] <= now and row[0] == key is not None]
        best = max(enumerate(known), key=lambda row: (row[1][1], row[0]), default=None)
        return None if best is None or (ttl is not None and now - best[1][1] > ttl) else best[1][2]

    inside = [(row[0], row[1]) for row in [*first, *second] if row[1] is not None and start <= row[1] <= start + length]
    expected = [
        {"key": key, "event_timestamp": at(now), "a": latest(first, key, now), "b": latest(second, key, now)}
        for key, now in dict.fromkeys(inside)
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    times = [row["event_timestamp"] for row in found]
    assert times == sorted(times)


def test_days_count_from_their_midnight_and_several_units_go_together() -> None:
    days = FeatureTable(
        pa.table({"k": [1], "day": [date(2024, 1, 1)], "value": [1]}), {"a": "value"}, {"key": "k"}, "day", None, None
    )
    found = features_in_range([days, view([(1, 0, 2)], "b")], start=BASE, end=BASE)
    assert found.to_pylist() == [{"key": 1, "event_timestamp": BASE, "a": 1, "b": 2}]


def test_keys_of_types_that_do_not_go_together_are_named() -> None:
    views = [view([(1, 0, 1)], "a"), view([("x", 0, 1)], "b", kind=pa.string())]
    with pytest.raises(SourceUnreadable, match=r"key: int64.*key: string"):
        features_in_range(views, start=BASE, end=BASE)


def test_a_moment_between_two_microseconds_is_refused() -> None:
    table = pa.table({"k": [1], "at": pa.array([1], pa.timestamp("ns")), "value": [1]})
    views = [FeatureTable(table, {"a": "value"}, {"key": "k"}, "at", None, None)]
    with pytest.raises(LossyCast, match="'at', row 0"):
        features_in_range(views, start=datetime(1970, 1, 1, tzinfo=UTC), end=BASE)


def test_no_view_is_no_question() -> None:
    with pytest.raises(WrongQuestion, match="feature"):
        features_in_range([], start=BASE, end=BASE)
