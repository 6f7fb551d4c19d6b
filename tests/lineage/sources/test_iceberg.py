from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyiceberg.manifest import DataFileContent

from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.sources.iceberg import OpenIceberg
from lineage.sources.state import SourceState
from tests.lineage.sources.iceberg_tables import NAME, catalogue, create, delete_by_position, properties, source


def rows(*keys: int, note: str = "a") -> pa.Table:
    nested = [{"unit": note, "values": [float(key)]} for key in keys]
    return pa.table({"key": list(keys), "note": [note] * len(keys), "nested": nested})


def keys(opened: OpenIceberg, **asked: Any) -> list[int]:
    found: list[int] = opened.dataset.to_table(columns=["key"], **asked).column("key").to_pylist()
    return sorted(found)


@pytest.fixture
def table(tmp_path: Path) -> dict[str, str]:
    """Two snapshots: 1 to 3, then also 4 and 5."""
    made = properties(tmp_path)
    create(made, rows(1, 2, 3), rows(4, 5))
    return made


def test_the_current_snapshot_is_read_and_recorded(table: dict[str, str]) -> None:
    opened = source(table).open()
    assert keys(opened) == [1, 2, 3, 4, 5]
    assert opened.dataset.schema.field("note").type == pa.string()
    state = opened.state({})
    assert state.table is not None
    with catalogue(table) as found:
        loaded = found.load_table(NAME)
    assert state.table.id == str(loaded.metadata.table_uuid)
    assert state.table.snapshot_id == str(loaded.metadata.current_snapshot_id)
    assert state.table.metadata == loaded.metadata_location
    assert (state.state, len(state.files)) == ("computed", 2)
    assert SourceState.from_json(json.loads(json.dumps(state.as_json()))) == state


def test_what_is_opened_stays_one_snapshot_while_others_come(table: dict[str, str]) -> None:
    opened = source(table).open()
    state = opened.state({})
    with catalogue(table) as found:
        found.load_table(NAME).delete("key = 1")
        found.load_table(NAME).append(rows(6))
    assert keys(opened) == [1, 2, 3, 4, 5]
    opened.check_unchanged()
    assert keys(source(table).open()) == [2, 3, 4, 5, 6]
    assert keys(source(table).open(at=state)) == [1, 2, 3, 4, 5]
    assert source(table).open().key() != opened.key()
    assert source(table).open(at=state).key() == opened.key()


def test_rows_deleted_by_position_are_gone_and_order_and_filters_stay(table: dict[str, str]) -> None:
    before = source(table).open()
    order = before.dataset.to_table().column("key").to_pylist()
    with catalogue(table) as found:
        loaded = found.load_table(NAME)
        three = next(task.file.file_path for task in loaded.scan().plan_files() if task.file.record_count == 3)
        delete_by_position(loaded, three, 1)
    opened = source(table).open()
    assert len(opened.state({}).files) == 3
    for columns in (["key"], ["note", "key", "nested"]):
        assert opened.dataset.to_table(columns=columns).column("key").to_pylist() == [k for k in order if k != 2]
    assert keys(opened, filter=pc.field("key") > 2) == [3, 4, 5]
    assert opened.dataset.to_table(columns=["nested"]).column("nested").to_pylist()[0]["unit"] == "a"
    opened.check_unchanged()
    assert keys(before) == [1, 2, 3, 4, 5]


def test_rows_deleted_by_equality_are_refused(table: dict[str, str]) -> None:
    with catalogue(table) as found:
        loaded = found.load_table(NAME)
        file = next(iter(loaded.scan().plan_files())).file.file_path
        delete_by_position(loaded, file, 1, content=DataFileContent.EQUALITY_DELETES)
    with pytest.raises(SourceUnreadable, match="deleted by equality"):
        source(table).open()


def test_columns_renamed_and_added_since_are_read_by_their_ids(table: dict[str, str]) -> None:
    before = source(table).open().state({})
    from pyiceberg.types import LongType

    with catalogue(table) as found:
        with found.load_table(NAME).update_schema() as update:
            update.rename_column("note", "remark")
        with found.load_table(NAME).update_schema() as update:
            update.add_column("note", LongType())
        found.load_table(NAME).append(
            rows(9).rename_columns(["key", "remark", "nested"]).append_column("note", pa.array([7]))
        )
    dataset = source(table).open().dataset
    assert dataset.to_table(filter=pc.field("key") == 1).to_pydict() | {"nested": 0} == {
        "key": [1],
        "remark": ["a"],
        "nested": 0,
        "note": [None],
    }
    assert dataset.to_table(filter=pc.field("key") == 9).column("note").to_pylist() == [7]
    assert source(table).open(at=before).dataset.schema.names == ["key", "note", "nested"]


def test_manifests_that_say_other_things_of_a_recorded_snapshot_are_found(table: dict[str, str]) -> None:
    state = source(table).open().state({})
    assert state.table is not None
    assert source(table).open(at=state).state({}).table == state.table
    other = replace(state, table=replace(state.table, plan_sha256="0" * 64))
    with pytest.raises(SourceChanged, match="another schema, other partition values or other deletes"):
        source(table).open(at=other)
    with pytest.raises(SourceChanged, match="names other files"):
        source(table).open(at=replace(state, files=state.files[:1]))
    older = replace(state, table=replace(state.table, plan_sha256=None))
    assert keys(source(table).open(at=older)) == [1, 2, 3, 4, 5]


def test_a_schema_and_a_partition_that_the_metadata_changed_are_found(tmp_path: Path) -> None:
    """Edited behind the catalogue, as the one who may write the warehouse can."""
    made = properties(tmp_path)
    create(made, rows(1, 2, 3))
    state = source(made).open().state({})
    assert state.table is not None
    metadata = Path(str(state.table.metadata).removeprefix("file://"))
    metadata.write_text(metadata.read_text().replace('"name":"note"', '"name":"diagnosis"'))
    with pytest.raises(SourceChanged, match="another schema"):
        source(made).open(at=state)


def test_values_of_partitions_stand_in_paths_as_they_were_written(tmp_path: Path) -> None:
    made = properties(tmp_path)
    found = pa.table({"key": [1, 2, 3], "zone": ["a/b", "c d%", "%2F"]})
    with catalogue(made) as opened:
        opened.create_namespace("labs")
        table = opened.create_table(NAME, schema=found.schema)
        with table.update_spec() as update:
            update.add_identity("zone")
        table.append(found)
    assert source(made).open().dataset.to_table().sort_by("key").to_pydict() == found.to_pydict()


@pytest.mark.parametrize("year", [2024, 2262, 9999])
def test_old_timestamps_that_pyiceberg_would_wrap_are_refused(tmp_path: Path, year: int) -> None:
    """A file of Hive or Spark, without field ids, whose INT96 timestamps pyiceberg reads in nanoseconds."""
    made = properties(tmp_path)
    times = pa.table({"time": pa.array([datetime(year, 12, 31, tzinfo=UTC)], pa.timestamp("us"))})
    create(made, times)
    mapping = json.dumps([{"field-id": 1, "names": ["time"]}])
    with catalogue(made) as found, found.load_table(NAME).transaction() as transaction:
        transaction.set_properties({"schema.name-mapping.default": mapping})
    (file,) = source(made).open().state({}).files
    pq.write_table(times, file.path, use_deprecated_int96_timestamps=True)
    opened = source(made).open()
    if year < 2262:
        assert opened.dataset.to_table().to_pydict() == times.to_pydict()
        return
    with pytest.raises(SourceUnreadable, match="INT96 timestamps before 1677 or after 2262"):
        opened.dataset.to_table()


def test_an_expired_snapshot_is_gone(table: dict[str, str]) -> None:
    with catalogue(table) as found:
        loaded = found.load_table(NAME)
        first = loaded.metadata.snapshots[0].snapshot_id
        state = source(table).open().state({})
        loaded.append(rows(6))
        current = state.table.snapshot_id if state.table else None
        loaded.maintenance.expire_snapshots().by_id(first).commit()
        loaded.refresh().maintenance.expire_snapshots().by_id(int(str(current))).commit()
    with pytest.raises(SourceGone, match="no longer in its metadata"):
        source(table).open(at=state)


def test_a_table_made_anew_is_not_the_recorded_one(table: dict[str, str]) -> None:
    state = source(table).open().state({})
    with catalogue(table) as found:
        found.drop_table(NAME)
        found.create_table(NAME, schema=rows(1).schema)
    with pytest.raises(SourceChanged, match="recorded was"):
        source(table).open(at=state)


def test_a_file_rewritten_behind_the_catalogue_is_found(table: dict[str, str]) -> None:
    opened = source(table).open()
    state = opened.state({})
    Path(state.files[0].path).write_bytes(b"")
    with pytest.raises(SourceUnreadable, match="changed while it was read"):
        opened.check_unchanged()
    with pytest.raises(SourceChanged, match="hold other bytes"):
        source(table).open(at=state)
    Path(state.files[0].path).unlink()
    with pytest.raises(SourceGone, match="no longer there"):
        source(table).open(at=state)


def test_a_table_without_a_snapshot_has_columns_and_no_rows(tmp_path: Path) -> None:
    made = properties(tmp_path)
    create(made, rows(1).slice(0, 0))
    with catalogue(made) as found:
        found.drop_table(NAME)
        found.create_table(NAME, schema=rows(1).schema)
    opened = source(made).open()
    assert opened.dataset.to_table().num_rows == 0
    assert opened.dataset.schema.names == ["key", "note", "nested"]
    state = opened.state({})
    assert source(made).open(at=state).dataset.to_table().num_rows == 0


@pytest.mark.parametrize("what", ["no catalogue", "no table"])
def test_a_missing_catalogue_or_table_is_said(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "absent" if what == "no catalogue" else tmp_path
    with pytest.raises(SourceUnreadable, match=r"Iceberg table labs\.values of source labs cannot be read"):
        source(properties(folder)).open()
