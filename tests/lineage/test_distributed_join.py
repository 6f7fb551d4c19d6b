"""The join in partitions gives what the join of the whole gives, however rows are cut."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import distributed_join
from lineage.asof import FeatureTable, point_in_time_join
from lineage.canonical_table import ROW, TIMESTAMP
from lineage.distributed_join import (
    PartitionedJoin,
    assembled_chunk,
    chunks_apart,
    joined_partition,
    sole,
    source_partitions,
    spine_partitions,
)
from lineage.errors import RetrievalBroken

CHUNK = 4
"""rows of a chunk in these tests, so that few rows make several"""

NUMBER = st.one_of(st.none(), st.integers(-2, 2), st.just(2**62 + 1))
NAME = st.sampled_from([None, "", "a", "ä", "ab"])
MOMENT = st.one_of(st.none(), st.integers(-3_000_000, 3_000_000))
ROW_OF_SOURCE = st.tuples(NUMBER, NAME, st.integers(-3_000_000, 3_000_000), MOMENT, st.integers())


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed_join, "CHUNK_ROWS", CHUNK)


def _spine(rows: Sequence[tuple[Any, Any, Any]]) -> pa.Table:
    numbers, names, times = zip(*rows, strict=True)
    return pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "name": pa.array(names, pa.large_string()),
            "event_timestamp": pa.array(times, TIMESTAMP),
            ROW: pa.array(range(len(rows)), pa.int64()),
        }
    )


def _source(rows: Sequence[tuple[Any, ...]], kind: pa.DataType) -> pa.Table:
    numbers, names, times, created, values = zip(*rows, strict=True) if rows else ([], [], [], [], [])
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "label": pa.array(names, pa.string()),
            "at": pa.array(times, pa.timestamp("us")).cast(kind, safe=False),
            "created": pa.array(created, pa.timestamp("us")),
            "value": pa.array([value % 1000 for value in values], pa.int32()),
        }
    )


def _in_pieces(join: PartitionedJoin, spine: pa.Table, blocks: Sequence[pa.Table]) -> pa.Table:
    chunks = list(chunks_apart(spine))
    cut = [spine_partitions(join, chunk) for chunk in chunks] + [source_partitions(join, block) for block in blocks]
    found = [joined_partition(join, len(chunks), *(pieces[at] for pieces in cut)) for at in range(join.partitions)]
    return pa.concat_tables(
        assembled_chunk(chunk, [join.partitions], *(partition[number] for partition in found))
        for number, chunk in enumerate(chunks)
    )


@dataclass(frozen=True)
class Case:
    """A spine, a source in blocks, and how they are joined."""

    rows: list[tuple[Any, Any, Any]]
    blocks: list[list[tuple[Any, ...]]]
    keys: dict[str, str]
    created: str | None
    late: bool
    ttl: timedelta | None
    kind: pa.DataType
    partitions: int


CASES = st.builds(
    Case,
    rows=st.lists(st.tuples(NUMBER, NAME, MOMENT), min_size=1, max_size=11),
    blocks=st.lists(st.lists(ROW_OF_SOURCE, max_size=7), min_size=1, max_size=3),
    keys=st.sampled_from([{"number": "id"}, {"name": "label"}, {"number": "id", "name": "label"}, {}]),
    created=st.sampled_from([None, "created"]),
    late=st.booleans(),
    ttl=st.sampled_from([None, timedelta(0), timedelta(seconds=1)]),
    kind=st.sampled_from([pa.timestamp("us"), pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.date32()]),
    partitions=st.integers(1, 4),
)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_pieces_give_what_the_whole_gives(case: Case) -> None:
    spine, source = _spine(case.rows), [_source(block, case.kind) for block in case.blocks]
    features = {"v__value": "value", "again": "value"}
    table = FeatureTable(None, features, case.keys, timestamp="at", created=case.created, ttl=case.ttl)
    whole = point_in_time_join(
        spine,
        [replace(table, rows=pa.concat_tables(source))],
        event_timestamp="event_timestamp",
        filter_by_created=case.late,
    )
    times = [one for _, _, one in case.rows if one is not None]
    join = PartitionedJoin(
        table,
        types=_types(case.keys),
        event_timestamp="event_timestamp",
        filter_by_created=case.late,
        partitions=case.partitions if case.keys else 1,
        reach=(min(times), max(times)) if times else None,
    )
    assert _in_pieces(join, spine, source).equals(whole)


def _types(keys: dict[str, str]) -> dict[str, pa.DataType]:
    return {name: pa.int64() if name == "number" else pa.string() for name in keys}


def _join(**changes: Any) -> PartitionedJoin:
    table = FeatureTable(None, {"value": "value"}, {"number": "id"}, "at", None, None)
    plain = PartitionedJoin(
        table, {"number": pa.int64()}, "event_timestamp", filter_by_created=False, partitions=3, reach=None
    )
    return replace(plain, **changes)


def test_keys_of_other_widths_meet_in_the_declared_type() -> None:
    join = _join()
    numbers = list(range(40))
    spine = _spine([(n, None, 0) for n in numbers])
    block = _source([(n, None, 0, None, n) for n in numbers], pa.timestamp("us"))
    floats = block.set_column(0, "id", pa.array(numbers, pa.float64()))
    narrow = block.set_column(0, "id", pa.array(numbers, pa.int16()).dictionary_encode())
    for cut in (floats, narrow):
        ours, theirs = spine_partitions(join, spine), source_partitions(join, cut)
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.column("number").to_pylist() == [int(n) for n in other.column("id").to_pylist()]


def _both_ways(keys: pa.Array[Any], theirs: Sequence[pa.Array[Any]]) -> tuple[pa.Table, pa.Table]:
    """The answer for a spine with ``keys``, over blocks of a source with those keys: of pieces and of the whole."""
    times = pa.array([5] * len(keys), TIMESTAMP)
    spine = pa.table({"number": keys, "event_timestamp": times, ROW: pa.array(range(len(keys)), pa.int64())})
    moments = [pa.array([0] * len(block), pa.timestamp("us")) for block in theirs]
    blocks = [
        pa.table({"id": block, "at": at, "value": pa.array([10 * number + row for row in range(len(block))])})
        for number, (block, at) in enumerate(zip(theirs, moments, strict=True))
    ]
    table = replace(_join().table, rows=pa.concat_tables(blocks, promote_options="permissive"))
    whole = point_in_time_join(spine, [table], event_timestamp="event_timestamp")
    return _in_pieces(_join(), spine, blocks), whole


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (pa.array([0.0, -0.0, 1.5, None]), pa.array([-0.0, 1.5, 2.5, float("nan")])),
        (pa.array([0, -1, -2, 2**61, 2**53 + 1]), pa.array([-0.0, -1.0, -2.0, 1.5, 2.0**61])),
        (pa.array([-1.0, 0.5, float("nan"), 2.0**63, float("inf")]), pa.array([-1.0, 0.5, None, 7.0], pa.float32())),
        (pa.array([2**64 - 1, 5], pa.uint64()), pa.array([5, -1, 2**62])),
        (pa.array([255, 0], pa.uint8()), pa.array([-1, 255], pa.int16())),
        (pa.array([1, -1, 150]), pa.array([Decimal("1.00"), Decimal("-1.00"), Decimal("1.50")])),
        (pa.array([1, 2, 3]), pa.array([1, 2], pa.decimal256(60, 0))),
        (pa.array([1, 2, 3]), pa.array([1, 2], pa.decimal32(5, 1))),
        (pa.array([1.5, 2.0]), pa.array([1.5, 2.0], pa.float16())),
        (pa.array([1.5, 2.0], pa.float16()), pa.array([Decimal("1.50"), Decimal("2.00")])),
        (pa.array([1.5, 2.0]), pa.array([Decimal("1.50"), Decimal("2.00")])),
        (pa.array(["a", "ä", None]), pa.array(["ä", "a", ""]).dictionary_encode()),
        (pa.array([b"\xff\xfe", b"", None]), pa.array([b"", b"\xff\xfe", b"x"])),
        (pa.array([b"ab", b"\xff\xff"], pa.binary(2)), pa.array([b"\xff\xff", b"ab"], pa.binary(2))),
        (pa.array([0, 1_000_000, -1], TIMESTAMP), pa.array([-1000, 0, 10**9], pa.timestamp("ns", "Asia/Tokyo"))),
        (pa.array([True, False, None]), pa.array([False, True, None])),
        (pa.array([0, 1], pa.date32()), pa.array([1, 2], pa.date32())),
        (pa.array([1, 2]), pa.nulls(2)),
        (pa.nulls(2), pa.array(["a", "b"])),
    ],
    ids=lambda keys: str(keys.type),
)
def test_keys_meet_wherever_the_join_of_the_whole_has_them_meet(ours: pa.Array[Any], theirs: pa.Array[Any]) -> None:
    found, whole = _both_ways(ours, [theirs, theirs.slice(1)])
    assert found.column("value").to_pylist() == whole.column("value").to_pylist()


def test_a_source_key_that_no_entity_has_is_no_error() -> None:
    found, _ = _both_ways(pa.array([1, 2]), [pa.array([1.5, 2.0]), pa.array([1, 9], pa.int8())])
    assert found.column("value").to_pylist() == [10, 1]


def test_what_is_out_of_reach_is_not_moved() -> None:
    table = FeatureTable(None, {"value": "value"}, {"number": "id"}, "at", None, timedelta(seconds=10))
    rows = [(1, None, second * 1_000_000, None, second) for second in range(0, 200, 5)]
    moved = source_partitions(_join(table=table, reach=(100_000_000, 100_000_000)), _source(rows, pa.timestamp("us")))
    assert sorted(pa.concat_tables(moved).column("value").to_pylist()) == [90, 95, 100]


def test_a_chunk_carries_no_row_of_another() -> None:
    spine = _spine([(number, "x" * 1000, 0) for number in range(10 * CHUNK)])
    assert max(len(pickle.dumps(chunk)) for chunk in chunks_apart(spine)) < len(pickle.dumps(spine)) / 5
    assert [chunk.num_rows for chunk in chunks_apart(spine)] == [CHUNK] * 10
    assert [chunk.num_rows for chunk in chunks_apart(spine.slice(0, 0))] == [0]


def test_a_partition_that_lost_a_row_is_found_out() -> None:
    spine = _spine([(1, None, 0), (2, None, 0)])
    found = pa.table({ROW: pa.array([0], pa.int64()), "value": pa.array([1], pa.int32())})
    with pytest.raises(RetrievalBroken, match="lost or doubled"):
        assembled_chunk(spine, [1], found)


def test_one_result_is_told_from_a_list_of_one() -> None:
    assert sole(lambda *given: [given], 1, 2) == (1, 2)
