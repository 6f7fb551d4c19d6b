"""The join against a reference that tries every row: slow, and short enough to be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import WrongQuestion
from lineage.asof import FeatureTable, point_in_time_join
from lineage.canonical_table import ROW
from lineage.duckdb_engine import Limits
from lineage.errors import LossyCast, SourceUnreadable

US = pa.timestamp("us", "UTC")
NAMES = [
    'it"s',
    "Value",
    "value",
    "VALUE",
    "a b",
    "row",
    "match",
    "s",
    "at",
    "AT",
    "",
    "größe",
    "f.at",
    "spine",
    "source",
]
TIMES = {
    "seconds": (pa.timestamp("s"), 10**9),
    "milliseconds zoned": (pa.timestamp("ms", "Asia/Kathmandu"), 10**6),
    "naive": (pa.timestamp("us"), 1000),
    "zoned": (pa.timestamp("us", "Europe/Paris"), 1000),
    "nanoseconds": (pa.timestamp("ns"), 1),
    "nanoseconds zoned": (pa.timestamp("ns", "UTC"), 1),
    "days": (pa.date32(), 86400 * 10**9),
}
"""name → type, and how many nanoseconds its smallest step is"""
KEYS: dict[str, tuple[pa.DataType, pa.DataType, Sequence[Any]]] = {
    "integers far apart": (pa.int64(), pa.int64(), [None, 1, 2, -(2**62)]),
    "integers": (pa.int64(), pa.int32(), [None, 1, 2, -3]),
    "large integers": (pa.uint64(), pa.uint64(), [None, 1, 2**64 - 1, 2**64 - 2]),
    "strings": (pa.string(), pa.string(), [None, "", "a", "A", "ä"]),
    "long and viewed strings": (pa.large_string(), pa.string_view(), [None, "", "a", "a string of some length"]),
    "dictionaries": (pa.string(), pa.dictionary(pa.int8(), pa.string()), [None, "", "a", "b"]),
    "dictionaries both": (
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.string()),
        [None, "a", "b"],
    ),
    "small integers": (pa.int32(), pa.int64(), [None, 1, 2]),
    "decimals": (pa.int64(), pa.decimal128(20, 2), [None, 1, 2]),
    "numbers with a point": (pa.float64(), pa.float32(), [None, 0.5, 1.0, 2.0]),
    "moments": (pa.timestamp("us", "UTC"), pa.timestamp("ns"), [None, datetime(2020, 1, 1), datetime(2020, 1, 2)]),  # noqa: DTZ001 - one type has no zone
    "truths": (pa.bool_(), pa.bool_(), [None, True, False]),
}
"""name → type in the entity rows, type in the source, values"""
STEPS = (-2, -1, 0, 1, 2)


@dataclass(frozen=True)
class View:
    """What one feature table holds: rows of (keys, at, created, values), times in nanoseconds."""

    rows: Sequence[tuple[tuple[Any, ...], int | None, int | None, tuple[Any, ...]]]
    keys: Mapping[str, str]
    features: Mapping[str, str]
    ttl: timedelta | None
    has_created: bool


def reference(
    spine: Sequence[tuple[Mapping[str, Any], int | None]], views: Sequence[View], *, filter_by_created: bool
) -> list[dict[str, Any]]:
    """For each spine row the values of the best row of each view, or nulls."""
    return [
        {name: value for view in views for name, value in _best(view, keys, now, filter_by_created).items()}
        for keys, now in spine
    ]


def _best(view: View, keys: Mapping[str, Any], now: int | None, by_created: bool) -> dict[str, Any]:  # noqa: FBT001
    fitting = []
    for number, (theirs, at, created, values) in enumerate(view.rows):
        if now is None or at is None or at > now:
            continue
        if any(keys[ours] is None or keys[ours] != their for ours, their in zip(view.keys, theirs, strict=True)):
            continue
        if by_created and view.has_created and (created is None or created > now):
            continue
        newest = (created is not None, created or 0) if view.has_created else (False, 0)
        fitting.append((at, newest, number, values))
    if not fitting:
        return dict.fromkeys(view.features)
    at, _, _, values = max(fitting, key=lambda row: row[:3])
    ttl = (view.ttl or timedelta()) // timedelta(microseconds=1) * 1000
    if ttl and (now or 0) - at > ttl:
        return dict.fromkeys(view.features)
    return dict(zip(view.features, values, strict=True))


def arrow(ticks: Sequence[int | None], kind: pa.DataType, step: int) -> pa.Array:
    whole = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    return pa.array([None if one is None else one // step for one in ticks], whole).cast(kind)


def chopped(table: pa.Table, cuts: Sequence[int]) -> pa.Table:
    """The same rows in other chunks."""
    ends = [0, *sorted(cuts), len(table)]
    parts = [table.slice(low, high - low) for low, high in pairwise(ends)]
    return pa.concat_tables(parts)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.permutations(NAMES))
    our_kind, their_kind, key_values = KEYS[draw(st.sampled_from(sorted(KEYS)))]
    key_count = draw(st.integers(0, 2))
    keys, event_timestamp, extra, *free = names[:2], names[2], names[3], *names[4:]
    views, tables = [], []
    base = 19000 * 86400 * 10**9
    for _ in range(draw(st.integers(1, 3))):
        kind, step = TIMES[draw(st.sampled_from(sorted(TIMES)))]
        moments = st.sampled_from([None, *(base + n * step for n in STEPS)])
        outputs = [free.pop() for _ in range(draw(st.integers(1, 2)))]
        columns = draw(st.permutations([name for name in NAMES if name != "at"]))
        theirs = columns[:key_count]
        at, created, *sources = columns[key_count:]
        has_created = draw(st.booleans())
        ttls: list[timedelta | None] = [
            None,
            timedelta(),
            *(timedelta(microseconds=n * max(step // 1000, 1)) for n in (1, 2)),
        ]
        view = View(
            rows=draw(
                st.lists(
                    st.tuples(
                        st.tuples(*[st.sampled_from(key_values)] * key_count),
                        moments,
                        moments,
                        st.tuples(*[st.sampled_from(["x", "y", None, 'q"'])] * len(outputs)),
                    ),
                    max_size=12,
                )
            ),
            keys=dict(zip(keys[:key_count], theirs, strict=True)),
            features=dict(zip(outputs, sources, strict=False)),
            ttl=draw(st.sampled_from(ttls)),
            has_created=has_created,
        )
        content = {name: pa.array([row[0][i] for row in view.rows], their_kind) for i, name in enumerate(theirs)}
        content[at] = arrow([row[1] for row in view.rows], kind, step)
        content[created] = arrow([row[2] for row in view.rows], kind, step)
        content |= {
            name: pa.array([row[3][i] for row in view.rows], pa.string())
            for i, name in enumerate(view.features.values())
        }
        views.append(view)
        source = chopped(pa.table(content), draw(st.lists(st.integers(0, len(view.rows)), max_size=3)))
        tables.append(FeatureTable(source, view.features, view.keys, at, created if has_created else None, view.ttl))
    whole = [base + n * step for n in STEPS for step in (10**3, 10**6, 10**9, 86400 * 10**9)]
    spine = draw(
        st.lists(
            st.tuples(st.tuples(*[st.sampled_from(key_values)] * 2), st.none() | st.sampled_from(whole)), max_size=8
        )
    )
    spine += spine[:2]  # duplicates
    moment = draw(st.sampled_from([US, pa.timestamp("us"), pa.timestamp("ns"), pa.timestamp("ns", "Asia/Tokyo")]))
    table = pa.table(
        {
            extra: pa.array([float(n) for n in range(len(spine))]),
            keys[0]: pa.array([row[0][0] for row in spine], our_kind),
            event_timestamp: arrow([row[1] for row in spine], moment, 1 if moment.unit == "ns" else 1000),
            keys[1]: pa.array([row[0][1] for row in spine], our_kind),
        }
    )
    rows = [(dict(zip(keys, row[0], strict=True)), row[1]) for row in spine]
    return {"table": table, "rows": rows, "views": views, "tables": tables, "event_timestamp": event_timestamp}


@settings(max_examples=200, deadline=None)
@given(world=worlds(), filter_by_created=st.booleans(), threads=st.sampled_from([1, 3]))
def test_the_join_is_the_reference(world: dict[str, Any], filter_by_created: bool, threads: int) -> None:  # noqa: FBT001
    found = point_in_time_join(
        world["table"],
        world["tables"],
        event_timestamp=world["event_timestamp"],
        filter_by_created=filter_by_created,
        limits=Limits(threads=threads),
    )
    expected = reference(world["rows"], world["views"], filter_by_created=filter_by_created)
    spine = world["table"].column_names
    assert found.select(spine).equals(world["table"])
    features = [name for view in world["views"] for name in view.features]
    assert found.column_names == [*spine, *features]
    assert found.select(features).to_pylist() == expected


LABS = pa.table(
    {
        "patient": pa.array([1, 1, 2], pa.int64()),
        "when": pa.array([0, 1000, 2000], US),
        "written": pa.array([5000, 1500, 2500], US),
        "alb": [4.0, 4.5, float("nan")],
    }
)
SPINE = pa.table({"patient": pa.array([1, 2, 1], pa.int64()), "t": pa.array([1000, 2000, 999], US)})


def labs(**changes: Any) -> FeatureTable:
    usual: dict[str, Any] = {
        "rows": LABS,
        "features": {"alb": "alb"},
        "keys": {"patient": "patient"},
        "timestamp": "when",
        "created": None,
        "ttl": None,
    }
    return FeatureTable(**{**usual, **changes})


def column(table: pa.Table, name: str = "alb") -> list[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values


def join(*tables: FeatureTable, spine: pa.Table = SPINE, **options: Any) -> pa.Table:
    return point_in_time_join(spine, tables, event_timestamp="t", **options)


def test_the_row_at_the_very_moment_counts_and_one_a_microsecond_later_does_not() -> None:
    assert [str(one) for one in column(join(labs()))] == ["4.5", "nan", "4.0"]


@pytest.mark.parametrize(("ttl", "found"), [(1000, 4.0), (999, None), (0, 4.0), (None, 4.0)])
def test_the_ttl_is_inclusive_and_zero_or_none_is_no_limit(ttl: int | None, found: float | None) -> None:
    spine = pa.table({"patient": pa.array([1], pa.int64()), "t": pa.array([1000], US)})
    old = labs(rows=LABS.slice(0, 1), ttl=None if ttl is None else timedelta(microseconds=ttl))
    assert column(join(old, spine=spine)) == [found]


def test_a_nanosecond_after_the_moment_is_after_it() -> None:
    source = pa.table(
        {"patient": [1, 1], "when": pa.array([1_000_000, 1_000_001], pa.timestamp("ns")), "alb": [1.0, 2.0]}
    )
    assert column(join(labs(rows=source))) == [1.0, None, None]
    later = SPINE.set_column(1, "t", pa.array([1001, 1001, 1001], US))
    assert column(join(labs(rows=source), spine=later)) == [2.0, None, 2.0]


def test_what_was_written_later_was_not_known_then() -> None:
    table = join(
        labs(created="written"), filter_by_created=True, spine=SPINE.set_column(1, "t", pa.array([1500] * 3, US))
    )
    assert column(table) == [4.5, None, 4.5]


def test_among_equal_times_the_last_row_wins_every_time() -> None:
    count = 20_000
    source = pa.table(
        {"patient": [1] * count, "when": pa.array([0] * count, US), "alb": [float(n) for n in range(count)]}
    )
    assert column(join(labs(rows=source))) == [count - 1.0, None, count - 1.0]


def test_values_come_out_as_they_are_stored() -> None:
    odd = {
        "ns": pa.array([1, 2, 3], pa.timestamp("ns", "UTC")),
        "half": pa.array([1, 2, 3], pa.float16()),
        "wide": pa.array([1, 2, 3], pa.decimal256(60, 1)),
        "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        "nested": pa.array([[{"a": 1}], [], None]),
        "big": pa.array([2**64 - 1, 0, 1], pa.uint64()),
        "fixed": pa.array([b"ab", b"cd", b"ef"], pa.binary(2)),
    }
    source = LABS.select(["patient", "when"])
    for name, values in odd.items():
        source = source.append_column(name, values)
    found = join(labs(rows=source, features={name: name for name in odd}))
    for name, values in odd.items():
        assert found.column(name).combine_chunks().equals(values.take(pa.array([1, 2, 0]))), name


def test_large_integer_keys_that_pandas_made_floats_meet_their_integers() -> None:
    source = LABS.set_column(0, "patient", pa.array([2**53, 2**53 + 1, 7], pa.int64()))
    spine = SPINE.set_column(0, "patient", pa.array([2.0**53, None, 7.0]))
    assert column(join(labs(rows=source), spine=spine))[:2] == [4.0, None]


def test_the_provider_numbers_travel_along() -> None:
    spine = SPINE.append_column(ROW, pa.array([7, 8, 9], pa.int64()))
    assert join(labs(), spine=spine).column(ROW).to_pylist() == [7, 8, 9]


def test_no_view_gives_the_spine_and_an_empty_spine_no_row() -> None:
    assert join().equals(SPINE)
    assert join(labs(), spine=SPINE.slice(0, 0)).num_rows == 0
    assert column(join(labs(rows=LABS.slice(0, 0)))) == [None] * 3


def test_parquet_files_give_what_the_table_gives(tmp_path: Path) -> None:
    pq.write_table(LABS.slice(0, 1), tmp_path / "1.parquet")
    pq.write_table(LABS.slice(1), tmp_path / "2.parquet", row_group_size=1)
    files = ds.dataset([str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")], format="parquet")
    for ttl in (None, timedelta(microseconds=1)):
        assert str(column(join(labs(rows=files, ttl=ttl)))) == str(column(join(labs(ttl=ttl))))


@pytest.mark.parametrize("last", [datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)])
def test_a_spine_beyond_what_nanoseconds_reach_is_joined(last: datetime) -> None:
    source = LABS.set_column(1, "when", pa.array([0, 1, 2], pa.timestamp("ns")))
    spine = SPINE.set_column(1, "t", pa.array([last] * 3, US))
    assert column(join(labs(rows=source), spine=spine))[0] == (4.5 if last.year > 1970 else None)


def test_a_date_is_its_midnight() -> None:
    source = LABS.set_column(1, "when", pa.array([date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 1)]))
    midnight = datetime(2020, 1, 2, tzinfo=UTC)
    spine = SPINE.set_column(1, "t", pa.array([midnight, midnight, midnight - timedelta(microseconds=1)], US))
    assert [str(one) for one in column(join(labs(rows=source), spine=spine))] == ["4.5", "nan", "4.0"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": {"x": "absent"}}, "absent"),
        ({"timestamp": "absent"}, "absent"),
        ({"timestamp": "alb"}, "double"),
        ({"created": "alb"}, "double"),
        ({"keys": {"patient": "absent"}}, "absent"),
        ({"keys": {"patient": "when"}}, "never"),
        ({"rows": LABS.append_column("alb", pa.array([1, 2, 3]))}, "alb"),
    ],
)
def test_a_source_of_another_schema_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(SourceUnreadable, match=says):
        join(labs(**changes))


def test_a_name_that_would_be_there_twice_is_refused() -> None:
    with pytest.raises(WrongQuestion, match="patient"):
        join(labs(features={"patient": "alb"}))
    with pytest.raises(WrongQuestion, match="full_feature_names"):
        join(labs(), labs())


def test_entity_rows_without_a_join_key_are_refused() -> None:
    with pytest.raises(WrongQuestion, match="patient"):
        join(labs(), spine=SPINE.drop_columns(["patient"]))


def test_entity_rows_between_two_microseconds_are_refused() -> None:
    spine = SPINE.set_column(1, "t", pa.array([1000, 2000, 2001], pa.timestamp("ns")))
    with pytest.raises(LossyCast, match="'t', row 2"):
        join(labs(), spine=spine)


@pytest.mark.parametrize("times", [pa.array([1000, 2000, 2001]), pa.array(["2020-01-01"] * 3)], ids=["numbers", "text"])
def test_event_timestamps_that_are_no_times_are_refused(times: Any) -> None:
    with pytest.raises(WrongQuestion, match="'t' of the entity rows are"):
        join(labs(), spine=SPINE.set_column(1, "t", times))


def test_what_was_written_at_the_very_moment_was_known_and_a_microsecond_later_was_not() -> None:
    for moment, found in ((1500, 4.5), (1499, None)):
        spine = pa.table({"patient": pa.array([1], pa.int64()), "t": pa.array([moment], US)})
        assert column(join(labs(created="written"), filter_by_created=True, spine=spine)) == [found]


@pytest.mark.parametrize("by_created", [True, False])
def test_of_equal_event_times_the_one_created_last_wins_and_an_unknown_creation_loses(by_created: bool) -> None:  # noqa: FBT001
    source = pa.table(
        {
            "patient": [1, 1, 1, 1],
            "when": pa.array([0, 0, 0, 0], US),
            "written": pa.array([None, 20, 10, None], US),
            "alb": [1.0, 2.0, 3.0, 4.0],
        }
    )
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]):
        found = join(labs(rows=source.take(order), created="written"), filter_by_created=by_created)
        assert column(found) == [2.0, None, 2.0]


@pytest.mark.parametrize(("age", "found"), [(2000, 1.0), (2001, None), (1999, 1.0), (-1, None), (0, 1.0)])
@pytest.mark.parametrize("epoch", [0, 1_000_000, -1_000_000])
def test_a_ttl_is_exact_to_the_nanosecond(age: int, found: float | None, epoch: int) -> None:
    when = pa.array([epoch * 1000 - age], pa.timestamp("ns"))
    source = pa.table({"patient": pa.array([1], pa.int64()), "when": when, "alb": [1.0]})
    table = labs(rows=source, ttl=timedelta(microseconds=2))
    never = pa.table({"patient": pa.array([9], pa.int64()), "t": pa.array([epoch - 10], US)})
    spine = pa.concat_tables([never, pa.table({"patient": pa.array([1], pa.int64()), "t": pa.array([epoch], US)})])
    assert column(join(table, spine=spine)) == [None, found]  # the first row keeps the source's row in reach


BERLIN = pa.timestamp("us", "Europe/Berlin")


@pytest.mark.parametrize("fold", [0, 1])
def test_the_hour_that_a_clock_shows_twice_is_two_hours(fold: int) -> None:
    """On 2024-10-27 clocks in Berlin went from 03:00 back to 02:00."""
    zone = ZoneInfo("Europe/Berlin")
    readings = [datetime(2024, 10, 27, 2, 10, tzinfo=zone, fold=one) for one in (0, 1)]
    source = pa.table({"patient": [1, 1], "when": pa.array(readings, BERLIN), "alb": [0.0, 1.0]})
    asked = datetime(2024, 10, 27, 2, 30, tzinfo=zone, fold=fold)
    spine = pa.table({"patient": pa.array([1], pa.int64()), "t": pa.array([asked], BERLIN)})
    for ttl in (None, timedelta(minutes=20)):
        assert column(join(labs(rows=source, ttl=ttl), spine=spine)) == [fold]


def test_the_hour_that_a_clock_leaves_out_is_no_time() -> None:
    """On 2024-03-31 clocks in Berlin went from 02:00 on to 03:00."""
    zone = ZoneInfo("Europe/Berlin")
    reading = datetime(2024, 3, 31, 1, 59, tzinfo=zone)
    source = pa.table({"patient": [1], "when": pa.array([reading], BERLIN), "alb": [4.0]})
    asked = datetime(2024, 3, 31, 3, 0, tzinfo=zone)
    spine = pa.table({"patient": pa.array([1], pa.int64()), "t": pa.array([asked], BERLIN)})
    for minutes, found in ((1, 4.0), (0.5, None)):
        assert column(join(labs(rows=source, ttl=timedelta(minutes=minutes)), spine=spine)) == [found]
