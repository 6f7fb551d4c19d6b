"""Sources of many files and row groups: read in one order, only where they have to be, and within limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage import asof_match, asof_source
from lineage.asof import FeatureTable, point_in_time_join
from lineage.asof_source import Source
from lineage.duckdb_engine import Limits
from lineage.errors import SourceUnreadable

US = pa.timestamp("us", "UTC")
Spawn = Any


def view(rows: Any, **changes: Any) -> FeatureTable:
    usual: dict[str, Any] = {
        "features": {"value": "value", "word": "word"},
        "keys": {"key": "key"},
        "timestamp": "at",
        "created": "made",
        "ttl": timedelta(microseconds=4),
    }
    return FeatureTable(rows, **{**usual, **changes})


def table_of(rows: Sequence[tuple[int | None, int | None, int | None]]) -> pa.Table:
    return pa.table(
        {
            "key": pa.array([row[0] for row in rows], pa.int64()),
            "at": pa.array([row[1] for row in rows], US),
            "made": pa.array([row[2] for row in rows], US),
            "value": pa.array(range(len(rows)), pa.int64()),
            "word": pa.array([f"word {number}" for number in range(len(rows))]).dictionary_encode(),
        }
    )


small = st.none() | st.integers(0, 6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.none() | st.integers(1, 3), small, small), min_size=1, max_size=30),
    spine=st.lists(st.tuples(st.none() | st.integers(1, 4), small), max_size=10),
    cuts=st.lists(st.integers(0, 30), max_size=3),
    group=st.integers(1, 7),
    batch=st.integers(1, 9),
    limits=st.sampled_from([Limits(), Limits(threads=1), Limits(memory="1KB", threads=2)]),
    filter_by_created=st.booleans(),
)
def test_files_row_groups_batches_and_limits_change_nothing(  # noqa: PLR0917 - Hypothesis passes them by name
    rows: list[Any],
    spine: list[Any],
    cuts: list[int],
    group: int,
    batch: int,
    limits: Limits,
    filter_by_created: bool,  # noqa: FBT001
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, folder = table_of(rows), tmp_path_factory.mktemp("files")
    ends = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for number, (low, high) in enumerate(pairwise(ends)):
        pq.write_table(table.slice(low, high - low), folder / f"{number}.parquet", row_group_size=group)
    entities = pa.table(
        {
            "key": pa.array([row[0] for row in spine], pa.int64()),
            "t": pa.array([row[1] for row in spine], US),
        }
    )
    options: dict[str, Any] = {"event_timestamp": "t", "filter_by_created": filter_by_created}
    expected = point_in_time_join(entities, [view(table)], **options)
    with monkeypatch.context() as patch:
        patch.setattr(asof_source, "BATCH", batch)
        patch.setattr(asof_match, "BATCH", batch)
        found = point_in_time_join(entities, [view(ds.dataset(folder))], limits=limits, **options)
    assert found.to_pydict() == expected.to_pydict()


def test_the_number_of_a_row_is_its_place_in_the_order_of_files_and_rows(tmp_path: Path) -> None:
    count = 500
    for number in range(20):
        part = pa.table({"at": pa.array([0] * count, US), "value": range(number * count, (number + 1) * count)})
        pq.write_table(part, tmp_path / f"{number:02}.parquet", row_group_size=70)
    source = Source(ds.dataset(tmp_path), names=["value"], timestamp="at", reach=(None, None), limits=Limits(threads=4))
    for _ in range(3):
        scanned = [(first, batch.column(0)) for first, batch in source.scan(source.fields({"value": "value"}))]
        assert all(values.to_pylist() == list(range(first, first + len(values))) for first, values in scanned)
    numbers = np.array([0, 69, 70, 499, 500, 9_999])
    assert source.take({"value": "value"}, numbers).column("value").to_pylist() == numbers.tolist()


def test_only_row_groups_in_reach_and_with_matches_are_read(tmp_path: Path) -> None:
    count = 10_000
    table = table_of([(number % 10, number, number) for number in range(count)])
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path, row_group_size=1000, compression="none", use_dictionary=False)
    files = ds.dataset(path)
    next(iter(files.get_fragments())).ensure_complete_metadata()
    written = bytearray(path.read_bytes())
    groups = pq.ParquetFile(path).metadata
    for number in range(10):  # all but the third row group can no longer be read
        if number != 3:
            start = groups.row_group(number).column(0).data_page_offset
            written[start : start + 40] = b"\xff" * 40
    path.write_bytes(written)
    spine = pa.table({"key": pa.array([4], pa.int64()), "t": pa.array([3994], US)})
    found = point_in_time_join(spine, [view(files)], event_timestamp="t")
    assert found.column("value").to_pylist() == [3994]
    with pytest.raises(SourceUnreadable, match="value"):
        point_in_time_join(spine, [view(files, ttl=None)], event_timestamp="t")


def test_partition_columns_and_files_of_other_columns_are_read_as_the_dataset_has_them(tmp_path: Path) -> None:
    for year, more in ((2023, {}), (2024, {"value": [7, 8]})):
        part = pa.table({"key": [1, 2], "at": pa.array([year, year], US), "made": pa.array([year] * 2, US), **more})
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(part, tmp_path / f"year={year}" / "rows.parquet")
    schema = pa.schema([("key", pa.int64()), ("at", US), ("made", US), ("value", pa.int64()), ("year", pa.int32())])
    files = ds.dataset(tmp_path, schema=schema, partitioning=ds.partitioning(flavor="hive"))
    spine = pa.table({"key": pa.array([1, 2], pa.int64()), "t": pa.array([2023, 3000], US)})
    features = {"value": "value", "year": "year"}
    found = point_in_time_join(spine, [view(files, features=features, ttl=None)], event_timestamp="t")
    assert found.select(features).to_pylist() == [{"value": None, "year": 2023}, {"value": 8, "year": 2024}]


def test_a_file_that_changed_between_the_passes_is_an_error(tmp_path: Path) -> None:
    table = table_of([(1, 0, 0), (1, 1, 1)])
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path)
    source = Source(ds.dataset(path), names=["value"], timestamp="at", reach=(None, None), limits=Limits())
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(SourceUnreadable):
        source.take({"value": "value"}, np.array([0]))


MEASURED = """
import json, resource, sys
from datetime import timedelta
import numpy as np, pyarrow as pa, pyarrow.dataset as ds
from lineage.asof import FeatureTable, point_in_time_join
from lineage.duckdb_engine import Limits
from lineage.time_range import rows_between

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def read(path, limits):
    spine = pa.table({"key": np.arange(1000), "t": pa.array(np.full(1000, 4_000_000), pa.timestamp("us", "UTC"))})
    features = {f"x{n}": f"x{n}" for n in range(10)}
    view = FeatureTable(ds.dataset(path), features, {"key": "key"}, "at", None, timedelta(days=1))
    joined = point_in_time_join(spine, [view], event_timestamp="t", limits=limits)
    yield [joined.num_rows, joined.column("x0").null_count, peak()]
    latest = rows_between(
        ds.dataset(path), columns=[*features], timestamp="at", start=None, end=None, latest_of=["key"], limits=limits
    )
    yield [latest.num_rows, peak()]

large, small = sys.stdin.readline().strip().split("|")
limits = Limits(memory="128MiB", threads=2)
list(read(small, limits))
print(json.dumps([peak(), *read(large, limits)]))
"""


def doubles(path: Path, rows: int) -> None:
    """Rows of ten doubles for a thousand keys in the order of their times, a hundred thousand in a row group."""
    group, names = min(rows, 100_000), [f"x{number}" for number in range(10)]
    schema = pa.schema([("key", pa.int64()), ("at", US), *((name, pa.float64()) for name in names)])
    draw = np.random.default_rng(1)
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, group):
            keys, times = draw.integers(0, 1000, group), pa.array(np.arange(start, start + group), US)
            writer.write_table(pa.table([keys, times, *(draw.random(group) for _ in names)], schema=schema))


@pytest.mark.slow
def test_a_source_larger_than_the_memory_limit_is_retrieved_within_it(spawn: Spawn, tmp_path: Path) -> None:
    limit = 128 * 2**20
    large, small = tmp_path / "large.parquet", tmp_path / "small.parquet"
    doubles(large, 4_000_000)
    doubles(small, 10_000)
    assert large.stat().st_size > 2 * limit
    answer, _ = spawn(MEASURED).communicate(f"{large}|{small}\n")
    before, (rows, nulls, joined), (latest, both) = json.loads(answer)
    assert (rows, nulls, latest) == (1000, 0, 1000)
    assert joined - before < limit
    assert both - before < 2 * limit  # what DuckDB may take comes on top of what Arrow reads
