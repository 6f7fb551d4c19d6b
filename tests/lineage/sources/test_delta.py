from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake

from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.sources.delta import DeltaSource, OpenDelta
from lineage.sources.local_disk import LocalDisk
from lineage.sources.state import SourceState

START = datetime(2024, 5, 1, tzinfo=UTC)


def rows(*keys: int, zone: str = "north") -> pa.Table:
    times = pa.array([START + timedelta(microseconds=key) for key in keys], pa.timestamp("us", "UTC"))
    return pa.table({"key": list(keys), "time": times, "zone": [zone] * len(keys)})


def source(path: Path) -> DeltaSource:
    return DeltaSource("labs", f"file://{path}", str(path), str(path), LocalDisk())


def keys(opened: OpenDelta, **asked: Any) -> list[int]:
    return sorted(opened.dataset.to_table(columns=["key"], **asked).column("key").to_pylist())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Version 0 holds 1 to 3, version 1 also 4, version 2 no longer 2."""
    path = tmp_path / "labs"
    write_deltalake(path, rows(1, 2, 3))
    write_deltalake(path, rows(4), mode="append")
    DeltaTable(path).delete("key = 2")
    return path


def test_the_latest_version_is_read_without_deleted_rows(table: Path) -> None:
    opened = source(table).open()
    assert keys(opened) == [1, 3, 4]
    state = opened.state({})
    assert state.table is not None
    assert (state.table.format, state.table.version) == ("delta", 2)
    assert state.table.id == str(DeltaTable(table).metadata().id)
    assert (state.state, len(state.files)) == ("computed", 2)
    assert SourceState.from_json(json.loads(json.dumps(state.as_json()))) == state


def test_what_is_opened_stays_one_version_while_others_come(table: Path) -> None:
    opened = source(table).open()
    state = opened.state({})
    write_deltalake(table, rows(5), mode="append")
    DeltaTable(table).delete("key = 1")
    assert keys(opened) == [1, 3, 4]
    opened.check_unchanged()
    assert keys(source(table).open()) == [3, 4, 5]
    assert keys(source(table).open(at=state)) == [1, 3, 4]
    assert source(table).open().key() != opened.key()
    assert source(table).open(at=state).key() == opened.key()


def test_a_vacuumed_version_is_gone_and_a_reading_of_it_fails(table: Path) -> None:
    opened = source(table).open()
    state = opened.state({})
    DeltaTable(table).delete("key = 1")
    DeltaTable(table).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        opened.check_unchanged()
    with pytest.raises(SourceGone, match="Recorded files are no longer there"):
        source(table).open(at=state)


def test_a_version_whose_log_is_gone_is_gone(table: Path) -> None:
    state = source(table).open().state({})
    shutil.rmtree(table)
    with pytest.raises(SourceGone, match="Version 2 of the Delta table labs cannot be read any more"):
        source(table).open(at=state)


def test_another_table_at_the_same_place_is_not_the_recorded_one(table: Path) -> None:
    state = source(table).open().state({})
    shutil.rmtree(table)
    for key in (1, 2, 3):
        write_deltalake(table, rows(key), mode="append")
    with pytest.raises(SourceChanged, match="stands another Delta table"):
        source(table).open(at=state)


def test_what_was_recorded_as_files_is_not_a_delta_table(table: Path) -> None:
    with pytest.raises(SourceChanged, match="recorded was something else"):
        source(table).open(at=SourceState("labs", "", (), "computed", "now"))


def _edit_log(table: Path, version: int, edit: Callable[[dict[str, Any]], None]) -> None:
    log = table / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        edit(action)
    log.write_text("\n".join(map(json.dumps, actions)))


def _swap_zones(action: dict[str, Any]) -> None:
    if "add" in action:
        values = action["add"]["partitionValues"]
        values["zone"] = {"north": "south", "south": "north"}[values["zone"]]


def _name_another_file(action: dict[str, Any]) -> None:
    if "add" in action and action["add"]["partitionValues"]["zone"] == "north":
        action["add"]["path"] = "zone=north/evil.parquet"


def _rename_a_column(action: dict[str, Any]) -> None:
    if "metaData" in action:
        action["metaData"]["schemaString"] = action["metaData"]["schemaString"].replace('"time"', '"when"')


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_swap_zones, "other partition values"),
        (_name_another_file, r"names other files .*evil\.parquet"),
        (_rename_a_column, "another schema"),
    ],
    ids=["partition values", "file", "schema"],
)
def test_a_log_that_says_other_things_of_a_recorded_version_is_found(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], said: str
) -> None:
    write_deltalake(tmp_path, pa.concat_tables([rows(1), rows(2, zone="south")]), partition_by=["zone"])
    state = source(tmp_path).open().state({})
    shutil.copy(next((tmp_path / "zone=south").iterdir()), tmp_path / "zone=north" / "evil.parquet")
    before = source(tmp_path).open().key()
    assert source(tmp_path).open(at=state).state({}).table == state.table
    _edit_log(tmp_path, 0, edit)
    with pytest.raises(SourceChanged, match=said):
        source(tmp_path).open(at=state)
    assert source(tmp_path).open().key() != before


def test_a_record_from_before_the_log_was_recorded_is_compared_by_its_files_alone(tmp_path: Path) -> None:
    write_deltalake(tmp_path, pa.concat_tables([rows(1), rows(2, zone="south")]), partition_by=["zone"])
    state = source(tmp_path).open().state({})
    assert state.table is not None
    older = replace(state, table=replace(state.table, plan_sha256=None))
    _edit_log(tmp_path, 0, _swap_zones)
    assert keys(source(tmp_path).open(at=older)) == [1, 2]
    _edit_log(tmp_path, 0, _swap_zones)
    (tmp_path / "zone=north" / "evil.parquet").write_bytes(next((tmp_path / "zone=south").iterdir()).read_bytes())
    _edit_log(tmp_path, 0, _name_another_file)
    with pytest.raises(SourceChanged, match="names other files"):
        source(tmp_path).open(at=older)


def test_a_file_rewritten_behind_the_log_is_found(table: Path) -> None:
    opened = source(table).open()
    state = opened.state({})
    file = Path(state.files[0].path)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(SourceUnreadable, match="changed while it was read"):
        opened.check_unchanged()
    with pytest.raises(SourceChanged, match="hold other bytes"):
        source(table).open(at=state)


def test_partition_columns_have_the_types_of_the_table(tmp_path: Path) -> None:
    found = pa.table({"key": [1, 2, 3], "zone": ["a/ b%", "7", None], "number": pa.array([7, 8, None], pa.int32())})
    write_deltalake(tmp_path, found, partition_by=["zone", "number"])
    dataset = source(tmp_path).open().dataset
    assert dataset.schema.equals(found.schema)
    assert dataset.to_table().sort_by("key").to_pydict() == found.to_pydict()
    assert dataset.to_table(filter=pc.field("zone") == "a/ b%").column("key").to_pylist() == [1]


def test_a_filter_between_two_milliseconds_finds_its_rows(tmp_path: Path) -> None:
    """The log's own statistics are cut to milliseconds."""
    write_deltalake(tmp_path, rows(1, 2, 3))
    after = pc.field("time") > pa.scalar(START + timedelta(microseconds=1), pa.timestamp("us", "UTC"))
    assert keys(source(tmp_path).open(), filter=after) == [2, 3]


def test_rows_come_in_the_same_order_each_time_and_for_each_choice_of_columns(tmp_path: Path) -> None:
    for key in range(6):
        write_deltalake(tmp_path, rows(key, key + 10), mode="append")
    opened, again = source(tmp_path).open(), source(tmp_path).open()
    found = opened.dataset.to_table(columns=["key"]).column("key").to_pylist()
    assert again.dataset.to_table().column("key").to_pylist() == found
    assert list(opened.dataset.files) == sorted(opened.dataset.files)


def test_a_column_added_later_is_null_in_older_files(tmp_path: Path) -> None:
    write_deltalake(tmp_path, rows(1))
    write_deltalake(tmp_path, rows(2).append_column("more", pa.array(["x"])), mode="append", schema_mode="merge")
    assert source(tmp_path).open().dataset.to_table().sort_by("key").column("more").to_pylist() == [None, "x"]


def test_an_empty_table_has_columns_and_no_rows(tmp_path: Path) -> None:
    DeltaTable.create(tmp_path, rows(1).schema)
    opened = source(tmp_path).open()
    assert opened.dataset.to_table().num_rows == 0
    assert opened.state({}).files == ()


@pytest.mark.parametrize(
    ("protocol", "configuration", "named"),
    [
        ({"minReaderVersion": 2, "minWriterVersion": 5}, {"delta.columnMapping.mode": "name"}, "columnMapping"),
        (
            {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": ["deletionVectors"],
                "writerFeatures": ["deletionVectors"],
            },
            {"delta.enableDeletionVectors": "true"},
            "deletionVectors",
        ),
    ],
    ids=["column mapping", "deletion vectors"],
)
def test_a_table_whose_files_alone_would_give_wrong_rows_is_refused(
    table: Path, protocol: dict[str, Any], configuration: dict[str, str], named: str
) -> None:
    log = table / "_delta_log" / f"{0:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "protocol" in action:
            action["protocol"] = protocol
        if "metaData" in action:
            action["metaData"]["configuration"] = configuration
            fields = json.loads(action["metaData"]["schemaString"])
            for number, column in enumerate(fields["fields"]):
                physical = {"delta.columnMapping.id": number + 1, "delta.columnMapping.physicalName": column["name"]}
                column["metadata"] = physical if "Mapping" in named else {}
            action["metaData"]["schemaString"] = json.dumps(fields)
    log.write_text("\n".join(map(json.dumps, actions)))
    with pytest.raises(SourceUnreadable, match=f"needs {named}, without which its files give wrong rows. In Spark"):
        source(table).open()


def test_what_is_no_delta_table_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SourceUnreadable, match=r"Delta table labs at .* cannot be opened"):
            source(path).open()
