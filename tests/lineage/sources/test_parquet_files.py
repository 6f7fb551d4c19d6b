from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.sources.digests import FileKey, file_key
from lineage.sources.local_disk import LocalDisk
from lineage.sources.parquet_files import OpenParquetFiles, ParquetFiles
from lineage.sources.state import SourceState, TableState

YEAR_2020 = 1_577_836_800


def write(path: Path, values: Sequence[object], column: str = "value") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: values}), path)
    return path


def source(path: Path | str) -> ParquetFiles:
    return ParquetFiles("labs", f"file://{path}", str(path), LocalDisk())


def opened(path: Path | str) -> OpenParquetFiles:
    return source(path).open()


def values(path: Path | str) -> list[object]:
    found: list[object] = opened(path).dataset.to_table().column("value").to_pylist()
    return found


def test_a_source_is_one_file_whatever_its_name(tmp_path: Path) -> None:
    assert values(write(tmp_path / "labs", [2, 1])) == [2, 1]


def test_the_files_of_a_directory_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", [3])
    write(tmp_path / "a" / "z.parquet", [1, 2])
    write(tmp_path / "a-c" / "a.pq", [0])
    write(tmp_path / "c.parq", [4])
    assert values(tmp_path) == [1, 2, 0, 3, 4]


@pytest.mark.parametrize("hidden", ["_temporary/a.parquet", ".a.parquet", "_a.parquet", "README.md", "a.parquet.crc"])
def test_hidden_and_other_files_are_left_alone(tmp_path: Path, hidden: str) -> None:
    write(tmp_path / "a.parquet", [1])
    (tmp_path / hidden).parent.mkdir(exist_ok=True)
    (tmp_path / hidden).write_bytes(b"no Parquet")
    assert values(tmp_path) == [1]


@pytest.mark.parametrize(
    ("pattern", "expected"), [("*/a.parquet", [1, 2]), ("1/?.parquet", [1, 3]), ("**/b.parquet", [3, 4])]
)
def test_a_glob_matches_at_any_depth(tmp_path: Path, pattern: str, expected: list[int]) -> None:
    for name, value in {"1/a": 1, "2/a": 2, "1/b": 3, "2/deep/b": 4}.items():
        write(tmp_path / f"{name}.parquet", [value])
    assert values(tmp_path / pattern) == expected


def test_a_path_that_exists_is_no_glob(tmp_path: Path) -> None:
    write(tmp_path / "[1]" / "x.parquet", [1])
    write(tmp_path / "1" / "x.parquet", [2])
    assert values(tmp_path / "[1]") == [1]


def test_names_of_hive_partitions_are_columns(tmp_path: Path) -> None:
    write(tmp_path / "day=7" / "zip=01234" / "a.parquet", [1])
    write(tmp_path / "day=10" / "zip=a%2Fb c" / "a.parquet", [2, 3])
    write(tmp_path / "day=__HIVE_DEFAULT_PARTITION__" / "zip=5" / "a.parquet", [4])
    dataset = opened(tmp_path).dataset
    assert dataset.schema.field("day").type == pa.int64()
    assert dataset.schema.field("zip").type == pa.string()
    assert dataset.to_table().to_pylist() == [
        {"value": 2, "day": 10, "zip": "a/b c"},
        {"value": 3, "day": 10, "zip": "a/b c"},
        {"value": 1, "day": 7, "zip": "01234"},
        {"value": 4, "day": None, "zip": "5"},
    ]
    assert dataset.to_table(filter=pc.field("day") == 7, columns=["zip"]).to_pylist() == [{"zip": "01234"}]
    assert len(list(dataset.get_fragments(filter=pc.field("day") == 7))) == 1


def test_a_glob_below_the_root_keeps_partitions_and_a_single_file_has_none(tmp_path: Path) -> None:
    file = write(tmp_path / "day=7" / "a.parquet", [1])
    assert opened(tmp_path / "day=*" / "*.parquet").dataset.to_table().to_pylist() == [{"value": 1, "day": 7}]
    assert opened(file).dataset.to_table().to_pylist() == [{"value": 1}]


def test_a_column_in_the_file_counts_more_than_one_in_the_path(tmp_path: Path) -> None:
    write(tmp_path / "value=7" / "a.parquet", [1])
    assert values(tmp_path) == [1]


def test_old_timestamps_beyond_2262_stay_in_the_future(tmp_path: Path) -> None:
    times = ["1970-01-01T00:00:00", "2262-04-12T12:00:00.000001", "9999-12-31T23:59:59.999999"]
    rows = pa.table({"value": pa.array(map(datetime.fromisoformat, times), pa.timestamp("us"))})
    pq.write_table(rows, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    assert opened(tmp_path).dataset.to_table().equals(rows)


def test_files_in_unlike_partitions_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "day=7" / "a.parquet", [1])
    write(tmp_path / "b.parquet", [1])
    with pytest.raises(SourceUnreadable, match="different partitions"):
        _ = opened(tmp_path).dataset


def test_a_column_of_another_type_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [1])
    write(tmp_path / "b.parquet", ["1"])
    with pytest.raises(SourceUnreadable, match=r"column value is string in .*b\.parquet, int64 before"):
        _ = opened(tmp_path).dataset


@pytest.mark.parametrize(("first", "second"), [("value", "other"), ("other", "value")])
def test_a_column_that_a_file_misses_is_refused_by_name(tmp_path: Path, first: str, second: str) -> None:
    write(tmp_path / "a.parquet", [1], first)
    write(tmp_path / "b.parquet", [1], second)
    with pytest.raises(SourceUnreadable, match=r"has no column (value|other), which"):
        _ = opened(tmp_path).dataset


@pytest.mark.parametrize("types", [(pa.null(), pa.float64()), (pa.float64(), pa.null())], ids=["first", "second"])
def test_a_column_of_nulls_alone_takes_the_type_of_the_other_files(
    tmp_path: Path, types: tuple[pa.DataType, pa.DataType]
) -> None:
    for name, type_ in zip("ab", types, strict=True):
        pq.write_table(pa.table({"value": pa.array([None], type_)}), tmp_path / f"{name}.parquet")
    assert opened(tmp_path).dataset.to_table().column("value").to_pylist() == [None, None]
    assert opened(tmp_path).dataset.schema.field("value").type == pa.float64()


def test_what_is_no_parquet_is_refused_without_quoting_it(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"secret of a person")
    with pytest.raises(SourceUnreadable, match="cannot be read as Parquet") as refused:
        _ = opened(tmp_path).dataset
    assert "secret" not in str(refused.value)


def test_a_missing_file_and_an_empty_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="cannot be read: No such file"):
        opened(tmp_path / "absent.parquet")
    for path in (tmp_path, tmp_path / "*.parquet"):
        with pytest.raises(SourceUnreadable, match="has no files"):
            opened(path)


@pytest.mark.parametrize("log", ["_delta_log/0.json", "metadata/v1.metadata.json"])
def test_a_table_format_is_not_read_as_plain_files(tmp_path: Path, log: str) -> None:
    write(tmp_path / "a.parquet", [1])
    (tmp_path / log).parent.mkdir()
    (tmp_path / log).write_text("{}")
    with pytest.raises(SourceUnreadable, match=r"hold deleted rows too\. Declare"):
        opened(tmp_path)


def test_the_state_is_path_size_and_digest_and_comes_back_from_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [1])
    state = opened(path).state({})
    assert state.as_json().keys() == {"name", "uri", "files", "state", "time"}
    assert state.as_json()["files"][0].keys() == {"path", "size", "sha256"}
    assert SourceState.from_json(state.as_json()) == state


def changed_in_place(path: Path) -> None:
    """Other content of the same size and the same modification time."""
    times, before = path.stat(), path.read_bytes()
    path.write_bytes(before[:4] + bytes([before[4] ^ 1]) + before[5:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def replaced(path: Path) -> None:
    write(path.with_name("new"), [9]).replace(path)


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [changed_in_place, replaced, removed])
def test_what_changes_between_open_and_check_is_refused(tmp_path: Path, change: object) -> None:
    path = write(tmp_path / "a.parquet", [1])
    found = opened(tmp_path)
    found.state({})
    found.check_unchanged()
    change(path)  # type: ignore[operator] # one of the functions above
    with pytest.raises(SourceUnreadable):
        found.check_unchanged()


def test_a_file_that_comes_later_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [1])
    found = opened(tmp_path)
    state = found.state({})
    write(tmp_path / "b.parquet", [2])
    assert found.dataset.to_table().num_rows == 1
    found.check_unchanged()
    assert len(state.files) == 1
    assert opened(tmp_path).key() != found.key()


def test_a_change_within_one_tick_of_the_clock_is_found_by_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system whose times are coarse: the key of the changed file is the old one."""
    from lineage.sources import digests, local_disk

    path = write(tmp_path / "a.parquet", [1])
    key = digests.file_key(path)
    monkeypatch.setattr(digests, "_key", lambda _stat: key)
    monkeypatch.setattr(local_disk, "file_key", lambda _path: key)
    monkeypatch.setattr(digests, "SETTLED", 10**18)
    found = opened(path)
    found.state({})
    changed_in_place(path)
    with pytest.raises(SourceUnreadable, match="changed while it was read"):
        found.check_unchanged()


def test_a_file_that_changes_between_open_and_state_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [1])
    found = opened(path)
    replaced(path)
    with pytest.raises(SourceUnreadable, match="changed while it was read"):
        found.state({})


def test_equal_keys_mean_nothing_moved(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [1])
    before = opened(tmp_path).key()
    assert opened(tmp_path).key() == before
    replaced(path)
    assert opened(tmp_path).key() != before


def test_a_recorded_state_opens_without_what_came_later(tmp_path: Path) -> None:
    write(tmp_path / "day=1" / "a.parquet", [1])
    state = opened(tmp_path).state({})
    write(tmp_path / "day=2" / "b.parquet", [2])
    again = source(tmp_path).open(at=state)
    assert again.dataset.to_table().to_pylist() == [{"value": 1, "day": 1}]
    again.check_unchanged()
    assert again.state({}).files == state.files


def test_a_recorded_state_whose_bytes_changed_is_no_longer_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [1])
    cache: dict[FileKey, str] = {}
    os.utime(path, (YEAR_2020, YEAR_2020))
    state = opened(tmp_path).state(cache)
    changed_in_place(path)
    cache[file_key(path)] = str(state.files[0].sha256)  # a lie
    with pytest.raises(SourceChanged, match="1 of 1 recorded files hold other bytes"):
        source(tmp_path).open(at=state)
    path.unlink()
    with pytest.raises(SourceGone, match="no longer there"):
        source(tmp_path).open(at=state)


def test_what_was_recorded_as_a_table_is_not_read_as_plain_files(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [1])
    files = opened(tmp_path).state({}).files
    recorded = SourceState("labs", "", files, "computed", "now", TableState("delta", "id", version=0))
    with pytest.raises(SourceChanged, match="is plain files now"):
        source(tmp_path).open(at=recorded)


def test_every_byte_is_read_again_whatever_is_remembered(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [1])
    found = opened(path)
    cache = {file_key(path): "0" * 64}
    assert found.state(cache).files[0].sha256 == "0" * 64
    assert found.computed()[0].sha256 == sha256(path.read_bytes()).hexdigest()


def test_a_directory_that_goes_away_while_its_parent_is_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "day=1").mkdir()
    listed = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "day=1":
            (tmp_path / "day=1").rmdir()
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceUnreadable, match="went away while"):
        LocalDisk().find(str(tmp_path))
