"""Writing rows behind sources: whole or not at all, in the types that are there, and no append lost."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import LossyCast, SourceUnreadable
from lineage.sources.delta_writing import DeltaDestination
from lineage.sources.destinations import Destination, fitted
from lineage.sources.local_disk import LocalDisk
from lineage.sources.parquet_files import ParquetFiles
from lineage.sources.parquet_writing import ParquetDirectory, ParquetFile
from lineage.sources.s3 import S3, S3Access
from lineage.sources.s3_writing import ParquetPrefix
from tests.seaweedfs import S3Server

Make = Callable[[], Destination]


def _rows(*numbers: int) -> pa.Table:
    return pa.table({"n": pa.array(numbers, pa.int32()), "s": [str(n) for n in numbers]})


@pytest.fixture(params=["file", "directory", "delta", "s3", "delta on s3"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    """Each kind of place, empty."""
    if request.param == "file":
        return ParquetFile(tmp_path / "rows.parquet")
    if request.param == "directory":
        return ParquetDirectory(tmp_path / "rows")
    if request.param == "delta":
        return DeltaDestination(str(tmp_path / "rows"))
    server: S3Server = request.getfixturevalue("s3")
    access = S3Access(server.endpoint, server.access_key, server.secret_key, region=server.region)
    bucket = f"writing-{abs(hash(tmp_path))}"
    client = server.client()
    client.create_bucket(Bucket=bucket)
    client.close()
    if request.param == "s3":
        return ParquetPrefix(f"{bucket}/rows", access)
    return DeltaDestination(f"s3://{bucket}/rows", access.as_object_store_options())


def _read(destination: Destination) -> list[int]:
    if isinstance(destination, DeltaDestination):
        from deltalake import DeltaTable

        table = DeltaTable(destination.location, storage_options=dict(destination.options) or None)
        return sorted(pa.table(table.to_pyarrow_table()).column("n").to_pylist())
    if isinstance(destination, ParquetPrefix):
        files = ParquetFiles("rows", "", destination.path, S3(destination.access))
        return sorted(files.open().dataset.to_table().column("n").to_pylist())
    assert isinstance(destination, ParquetFile | ParquetDirectory)
    return sorted(pq.read_table(destination.path).column("n").to_pylist())


def test_what_is_replaced_and_appended_is_there_in_the_first_types(destination: Destination) -> None:
    assert not destination.exists()
    destination.replace(_rows(1, 2))
    assert destination.exists()
    destination.replace(_rows(8))
    assert _read(destination) == [8]
    destination.replace(_rows(1, 2))
    wide = pa.table({"s": ["3"], "n": pa.array([3], pa.int64())})
    assert destination.append(wide).schema.field("n").type == pa.int32()
    assert _read(destination) == [1, 2, 3]
    if isinstance(destination, ParquetPrefix):
        with pytest.raises(SourceUnreadable, match="2 objects, which S3 cannot replace at once"):
            destination.replace(_rows(9))
        assert _read(destination) == [1, 2, 3]
    else:
        destination.replace(_rows(9))
        assert _read(destination) == [9]


def test_rows_that_do_not_fit_are_refused_and_nothing_changes(destination: Destination) -> None:
    destination.replace(_rows(1))
    with pytest.raises(SourceUnreadable, match=r"missing \['s'\], unexpected \['t'\]"):
        destination.append(_rows(2).rename_columns(["n", "t"]))
    with pytest.raises(LossyCast, match="'n'") as error:
        destination.append(pa.table({"n": ["Musterfrau"], "s": ["x"]}))
    assert "Musterfrau" not in str(error.value)
    with pytest.raises(LossyCast, match="'n'"):
        destination.append(pa.table({"n": [2**40], "s": ["x"]}))
    assert _read(destination) == [1]


def test_appends_of_many_threads_lose_nothing(destination: Destination) -> None:
    destination.replace(_rows(0))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: destination.append(_rows(number)), range(1, 9)))
    assert _read(destination) == list(range(9))


def _append(path: Path, numbers: list[int]) -> None:
    for number in numbers:
        ParquetFile(path).append(_rows(number))


def test_appends_of_many_processes_to_one_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    ParquetFile(path).replace(_rows(0))
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append, args=(path, [n, n + 1, n + 2])) for n in (1, 4, 7)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert sorted(pq.read_table(path).column("n").to_pylist()) == list(range(10))
    assert [one.name for one in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_write_that_breaks_off_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ParquetFile(tmp_path / "rows.parquet")
    place.replace(_rows(1))
    before = place.path.read_bytes()

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        place.append(_rows(2))
    assert place.path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["rows.parquet"]


def _replace_and_die(directory: ParquetDirectory, step: int) -> None:
    """Replace the rows, but leave like a killed process before change number ``step`` of names on disk."""
    seen = 0

    def count(event: str, _arguments: object) -> None:
        nonlocal seen
        if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            seen += 1
            if seen > step:
                os._exit(9)

    sys.addaudithook(count)
    directory.replace(_rows(9))
    os._exit(0)


def _found(path: Path) -> list[int]:
    files = ParquetFiles("rows", "", str(path), LocalDisk())
    try:
        return sorted(files.open().dataset.to_table().column("n").to_pylist())
    except SourceUnreadable:
        return []


@pytest.mark.parametrize("partition_by", [(), ("s",)], ids=["plain", "partitions"])
def test_a_killed_replacement_never_leaves_old_rows_beside_new_ones(
    tmp_path: Path, partition_by: tuple[str, ...]
) -> None:
    context = multiprocessing.get_context("fork")
    found: list[list[int]] = []
    code: int | None = None
    while code != 0:
        directory = ParquetDirectory(tmp_path / str(len(found)) / "rows", partition_by)
        directory.replace(_rows(1))
        directory.append(_rows(2))
        writer = context.Process(target=_replace_and_die, args=(directory, len(found)))
        writer.start()
        writer.join()
        code = writer.exitcode
        found.append(_found(directory.path))
        assert code in (0, 9)
        assert found[-1] in ([1, 2], [], [9])
    assert len(found) > 3
    assert (found[0], found[-1]) == ([1, 2], [9])
    assert [one.name for one in (tmp_path / str(len(found) - 1)).iterdir()] == ["rows"]


def test_what_is_no_parquet_is_not_removed_with_the_rows(tmp_path: Path) -> None:
    directory = ParquetDirectory(tmp_path / "rows")
    directory.replace(_rows(1))
    (directory.path / "README.md").write_text("kept")
    with pytest.raises(SourceUnreadable, match=r"other things than Parquet files.*README\.md"):
        directory.replace(_rows(9))
    assert _found(directory.path) == [1]
    assert [one.name for one in tmp_path.iterdir()] == ["rows"]


def test_a_link_to_a_directory_stays_one_when_its_rows_are_replaced(tmp_path: Path) -> None:
    ParquetDirectory(tmp_path / "real").replace(_rows(1))
    (tmp_path / "rows").symlink_to(tmp_path / "real")
    ParquetDirectory(tmp_path / "rows").replace(_rows(9))
    assert (tmp_path / "rows").is_symlink()
    assert _found(tmp_path / "real") == [9]


@pytest.mark.parametrize("one", [True, False], ids=["file", "directory"])
def test_old_timestamps_stay_in_the_future_when_rows_are_added(tmp_path: Path, *, one: bool) -> None:
    times = [datetime(9999, 12, 31, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)]
    rows = pa.table({"t": pa.array(times, pa.timestamp("us"))})
    path = tmp_path / "rows.parquet"
    pq.write_table(rows.slice(0, 1), path, use_deprecated_int96_timestamps=True)
    added = (ParquetFile(path) if one else ParquetDirectory(tmp_path)).append(rows.slice(1))
    assert added.schema.field("t").type == pa.timestamp("us")
    found = ParquetFiles("rows", "", str(tmp_path), LocalDisk()).open().dataset.to_table()
    assert found.sort_by("t").equals(rows.sort_by("t"))


def test_old_timestamps_finer_than_a_microsecond_are_not_cut_down(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = pa.table({"t": pa.array([1_000, 1_001], pa.timestamp("ns")), "x": [float("nan"), 1.0]})
    pq.write_table(rows, path, use_deprecated_int96_timestamps=True)
    before = path.read_bytes()
    with pytest.raises(SourceUnreadable, match="finer than a microsecond"):
        ParquetFile(path).append(rows.slice(0, 1))
    assert path.read_bytes() == before


def test_a_file_keeps_codec_mode_and_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(_rows(*range(10)), path, row_group_size=4, compression="zstd")
    path.chmod(0o640)
    ParquetFile(path).append(_rows(10))
    meta = pq.ParquetFile(path).metadata
    assert [meta.row_group(at).num_rows for at in range(meta.num_row_groups)] == [4, 4, 2, 1]
    assert meta.row_group(0).column(0).compression == "ZSTD"
    assert path.stat().st_mode & 0o777 == 0o640


def test_rows_go_into_the_partitions_that_are_there(tmp_path: Path) -> None:
    directory = ParquetDirectory(tmp_path / "rows", partition_by=("s",))
    directory.append(_rows(1, 2))
    ParquetDirectory(tmp_path / "rows").append(_rows(2, 3))
    places = sorted(file.parent.name for file in (tmp_path / "rows").rglob("*.parquet"))
    assert places == ["s=1", "s=2", "s=2", "s=3"]
    assert [one.name for one in tmp_path.iterdir()] == ["rows"]


def test_a_file_that_is_no_parquet_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"Musterfrau")
    with pytest.raises(SourceUnreadable, match="cannot be read as Parquet") as error:
        ParquetFile(path).append(_rows(1))
    assert "Musterfrau" not in str(error.value)
    assert path.read_bytes() == b"Musterfrau"


def test_one_object_is_not_added_to(s3: S3Server) -> None:
    access = S3Access(s3.endpoint, s3.access_key, s3.secret_key, region=s3.region)
    client = s3.client()
    client.create_bucket(Bucket="one-object")
    client.put_object(Bucket="one-object", Key="rows.parquet", Body=b"")
    client.close()
    with pytest.raises(SourceUnreadable, match="one object"):
        ParquetPrefix("one-object/rows.parquet", access).append(_rows(1))


@settings(deadline=None)
@given(st.lists(st.integers(-(2**40), 2**40), max_size=8))
def test_what_fits_keeps_every_value_and_what_does_not_is_refused(numbers: list[int]) -> None:
    rows = pa.table({"n": pa.array(numbers, pa.int64())})
    schema = pa.schema([("n", pa.int32())])
    if all(-(2**31) <= number < 2**31 for number in numbers):
        assert fitted(rows, schema).column("n").to_pylist() == numbers
    else:
        with pytest.raises(LossyCast):
            fitted(rows, schema)


def _kind(one: object) -> str:
    return str(one) if isinstance(one, pa.DataType) else type(one).__name__


MORNING = datetime(2024, 5, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (pa.array([5]), pa.bool_()),
        (pa.array([MORNING], pa.timestamp("us")), pa.date32()),
        (pa.array([{"a": 1, "b": 2}]), pa.struct([("a", pa.int64())])),
        (pa.array([1e300]), pa.float32()),
        (pa.array([[1.0, None, 1e300]]), pa.list_(pa.float32())),
        (pa.array([[[-1e300]]]), pa.list_(pa.list_(pa.float32()))),
        (pa.array([2**24 + 1]), pa.float32()),
        (pa.array([0.5]), pa.int64()),
        (pa.array(["007"]), pa.int64()),
    ],
    ids=_kind,
)
def test_a_value_that_would_change_is_refused(value: pa.Array, kind: pa.DataType) -> None:
    with pytest.raises(LossyCast, match="'c'"):
        fitted(pa.table({"c": value}), pa.schema([("c", kind)]))


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (pa.array([1.0000000001, float("inf"), None]), pa.float32(), [1.0, float("inf"), None]),
        (pa.array([[1.0000000001], None, []]), pa.list_(pa.float32()), [[1.0], None, []]),
        (pa.array([[[1.0000000001]]]), pa.large_list(pa.list_(pa.float32())), [[[1.0]]]),
        (pa.array([[1.0000000001]], pa.list_(pa.float64(), 1)), pa.list_(pa.float32(), 1), [[1.0]]),
        (pa.array([[1.0000000001]], pa.list_(pa.float64())), pa.list_(pa.float32(), 1), [[1.0]]),
        (pa.array([1.0, float("nan")]), pa.int32(), [1, None]),
        (pa.array(["a"]).dictionary_encode(), pa.large_string(), ["a"]),
        (pa.array(["a", None, "a"]), pa.dictionary(pa.int32(), pa.string()), ["a", None, "a"]),
        (pa.array([date(2024, 5, 1)]), pa.timestamp("us"), [datetime(2024, 5, 1, tzinfo=UTC).replace(tzinfo=None)]),
        (pa.array([None, None]), pa.list_(pa.float32()), [None, None]),
    ],
    ids=_kind,
)
def test_a_double_is_rounded_to_the_float_that_is_there_and_equal_values_change_their_type(
    value: pa.Array, kind: pa.DataType, expected: list[object]
) -> None:
    found = fitted(pa.table({"c": value}), pa.schema([("c", kind)])).column("c")
    assert (found.type, found.to_pylist()) == (kind, expected)
