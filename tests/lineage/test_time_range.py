"""Rows of a time range against a reference that sorts every row."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.duckdb_engine import Limits
from lineage.errors import SourceUnreadable
from lineage.time_range import rows_between

BASE = datetime(2024, 1, 1, tzinfo=UTC)
TICK = 1_704_067_200_000_000_000
"""BASE in nanoseconds since 1970"""
EVERY_AND_LATEST: tuple[list[str] | None, ...] = (None, [])
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@st.composite
def sources(draw: st.DrawFn) -> tuple[list[tuple[Any, ...]], pa.Table, int]:
    """Rows of (key, other key, time, created, value), times in steps; the table of them; nanoseconds in a step."""
    unit = draw(st.sampled_from(sorted(UNITS)))
    steps = st.none() | st.integers(-3, 3)
    row = st.tuples(st.sampled_from([None, 1, 2]), st.sampled_from([None, "a", "b"]), steps, steps, st.integers(0, 9))
    rows: list[tuple[Any, ...]] = draw(st.lists(row, max_size=12))
    kind = pa.timestamp(unit, draw(st.sampled_from([None, "UTC", "Europe/Paris"])))

    def times(at: int) -> pa.Array:
        moments: list[int | None] = [one[at] for one in rows]
        ticks = [None if moment is None else TICK // UNITS[unit] + moment for moment in moments]
        return pa.array(ticks, pa.int64()).cast(kind)

    table = pa.table(
        {
            "key": pa.array([one[0] for one in rows], pa.int64()),
            "other": pa.array([one[1] for one in rows], pa.string()),
            "at": times(2),
            "made": times(3),
            "value": pa.array([one[4] for one in rows], pa.int64()),
            "row": pa.array(range(len(rows)), pa.int64()),
        }
    )
    return rows, table, UNITS[unit]


def inside(at: int | None, step: int, start: datetime | None, end: datetime | None) -> bool:
    if at is None:
        return start is None and end is None
    moment = at * step
    low = None if start is None else (start - BASE) // timedelta(microseconds=1) * 1000
    high = None if end is None else (end - BASE) // timedelta(microseconds=1) * 1000
    return (low is None or moment >= low) and (high is None or moment <= high)


bounds = (
    st.none() | st.integers(-3 * 10**6, 3 * 10**6).map(lambda us: BASE + timedelta(microseconds=us)) | st.just(BASE)
)


@settings(max_examples=100, deadline=None)
@given(
    source=sources(),
    start=bounds,
    end=bounds,
    keys=st.sampled_from([None, [], ["key"], ["key", "other"]]),
    created=st.booleans(),
)
def test_the_rows_are_those_of_the_reference(
    source: tuple[list[tuple[Any, ...]], pa.Table, int],
    start: datetime | None,
    end: datetime | None,
    keys: list[str] | None,
    created: bool,  # noqa: FBT001
) -> None:
    rows, table, step = source
    found = rows_between(
        table,
        columns=["value", "row", "value"],
        timestamp="at",
        start=start,
        end=end,
        latest_of=keys,
        created="made" if created else None,
    )
    assert found.column_names == ["value", "row"]
    chosen = [number for number, row in enumerate(rows) if inside(row[2], step, start, end)]
    if keys is not None:

        def newness(number: int) -> tuple[Any, ...]:
            at, made = rows[number][2:4]
            return at is not None, at or 0, created and made is not None, (created and made) or 0, number

        groups: dict[tuple[Any, ...], int] = {}
        for number in sorted(chosen, key=newness):
            groups[rows[number][: len(keys)]] = number
        chosen = sorted(groups.values())
    assert found.column("row").to_pylist() == chosen


def test_a_nanosecond_after_the_end_is_after_it_and_before_the_start_before_it() -> None:
    times = pa.array([TICK - 1, TICK, TICK + 1], pa.timestamp("ns"))
    table = pa.table({"at": times, "row": [0, 1, 2]})
    for latest_of in EVERY_AND_LATEST:
        found = rows_between(table, columns=["row"], timestamp="at", start=BASE, end=BASE, latest_of=latest_of)
        assert found.column("row").to_pylist() == [1]


def test_a_naive_end_is_utc() -> None:
    table = pa.table({"at": pa.array([BASE], pa.timestamp("us", "Asia/Tokyo"))})
    naive = BASE.replace(tzinfo=None)
    assert len(rows_between(table, columns=["at"], timestamp="at", start=naive, end=naive)) == 1


@pytest.mark.parametrize("year", [1, 9999])
def test_an_end_beyond_what_nanoseconds_reach_is_no_error(year: int) -> None:
    table = pa.table({"at": pa.array([TICK], pa.timestamp("ns"))})
    end = datetime(year, 1, 1, tzinfo=UTC)
    for latest_of in EVERY_AND_LATEST:
        start = datetime(1, 1, 1, tzinfo=UTC)
        found = rows_between(table, columns=["at"], timestamp="at", start=start, end=end, latest_of=latest_of)
        assert len(found) == (year > 2024)


def test_values_come_out_as_they_are_stored(tmp_path: Path) -> None:
    odd = pa.table(
        {
            "key": [1, 1, 2],
            "at": pa.array([TICK, TICK + 1, TICK], pa.timestamp("ns")),
            "wide": pa.array([1, 2, 3], pa.decimal256(60, 1)),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "nested": pa.array([[{"a": 1}], [], None]),
        }
    )
    pq.write_table(odd, tmp_path / "odd.parquet", row_group_size=1)
    files = ds.dataset(tmp_path / "odd.parquet")
    names = ["wide", "kind", "nested"]
    for rows in (odd, files):
        found = rows_between(rows, columns=names, timestamp="at", start=None, end=None, latest_of=["key"])
        assert found.equals(odd.select(names).take(pa.array([1, 2])).cast(found.schema))
        every = rows_between(rows, columns=names, timestamp="at", start=None, end=None)
        assert every.equals(odd.select(names).cast(every.schema))


@pytest.mark.parametrize(("name", "latest_of"), [("absent", None), ("absent", ["key"]), ("value", ["absent"])])
def test_a_column_that_is_not_there_is_named(name: str, latest_of: list[str] | None) -> None:
    table = pa.table({"key": [1], "at": pa.array([0], pa.timestamp("us")), "value": [1]})
    with pytest.raises(SourceUnreadable, match="absent"):
        rows_between(table, columns=[name], timestamp="at", start=BASE, end=None, latest_of=latest_of)


@pytest.mark.parametrize("kind", [pa.decimal256(60, 2), pa.float16()])
def test_a_key_that_duckdb_cannot_compare_is_named_by_its_type(kind: pa.DataType) -> None:
    table = pa.table({"key": pa.array([None, None], kind), "at": pa.array([0, 1], pa.timestamp("us"))})
    with pytest.raises(SourceUnreadable, match=re.escape(str(kind))):
        rows_between(table, columns=["at"], timestamp="at", start=None, end=None, latest_of=["key"])


def test_a_file_cut_short_is_named_and_no_spilled_row_is_left(tmp_path: Path) -> None:
    count = 200_000
    table = pa.table({"key": range(count), "at": pa.array(range(count), pa.timestamp("us")), "value": range(count)})
    path, spill = tmp_path / "rows.parquet", tmp_path / "spill"
    pq.write_table(table, path, row_group_size=20_000)
    files = ds.dataset(path)
    next(iter(files.get_fragments())).ensure_complete_metadata()
    path.write_bytes(path.read_bytes()[:100_000])
    for latest_of in (None, ["key"]):
        with pytest.raises(SourceUnreadable, match="value"):
            rows_between(
                files,
                columns=["value"],
                timestamp="at",
                start=None,
                end=None,
                latest_of=latest_of,
                limits=Limits(spill=spill),
            )
    assert not spill.exists() or list(spill.iterdir()) == []
