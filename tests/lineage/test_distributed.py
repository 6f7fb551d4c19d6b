"""Chunks that are finished where they lie, and what the driver makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from governance.errors import ProvenderError
from lineage.canonical_table import ROW, canonical_table
from lineage.distributed import ChunkPlan, chunk_answer, gathered
from lineage.errors import LossyCast, NotDigestible, ObjectsUnreachable, RetrievalBroken
from lineage.objects import DirectoryObjects
from lineage.snapshot_parts import SnapshotParts
from lineage.snapshots import SnapshotStore
from lineage.td1 import CHUNK_ROWS, digest_table

ROWS = 2 * CHUNK_ROWS + 17
SCHEMA = pa.schema(
    [("event_timestamp", pa.timestamp("us", "UTC")), ("value", pa.int32()), ("text", pa.string())],
)


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryObjects:
    return DirectoryObjects(tmp_path / "objects")


@pytest.fixture
def parts(objects: DirectoryObjects) -> Iterator[SnapshotParts]:
    with SnapshotStore(objects, min_rows=50).stage_parts(SCHEMA) as staged:
        yield staged


def _plan(parts: SnapshotParts, rows: int = ROWS) -> ChunkPlan:
    return ChunkPlan(parts.writer, rows, "event_timestamp")


def _engine_rows(rows: int = ROWS) -> pa.Table:
    """What an engine has: wider types than declared, columns in another order, and no order of rows."""
    at = np.arange(rows)
    table = pa.table(
        {
            "text": pa.array([None if n % 7 == 0 else f"wert {n % 100}" for n in at.tolist()], pa.large_string()),
            ROW: pa.array(at, pa.int64()),
            "value": pa.array([None if n % 5 == 0 else n for n in at.tolist()], pa.int64()),
            "event_timestamp": pa.array(at * 1_000_000, pa.timestamp("us")),
        }
    )
    return table.take(pa.array(np.random.default_rng(7).permutation(rows)))


def _chunks(table: pa.Table) -> list[tuple[int, pa.Table]]:
    numbers = table.column(ROW).to_numpy() // CHUNK_ROWS
    return [(number, table.filter(pa.array(numbers == number))) for number in np.unique(numbers).tolist()]


def _answers(plan: ChunkPlan, table: pa.Table) -> list[str]:
    return [chunk_answer(plan, number, rows) for number, rows in reversed(_chunks(table))]


def test_chunks_give_the_digest_of_the_whole_table(parts: SnapshotParts, objects: DirectoryObjects) -> None:
    table = _engine_rows()
    types = dict(zip(SCHEMA.names, SCHEMA.types, strict=True))
    whole = canonical_table(table, types=types, rows=ROWS, keys=())
    plan = _plan(parts)
    found = gathered(plan, _answers(plan, table))
    assert found.digest == digest_table(whole)
    assert found.nulls == {name: whole.column(name).null_count for name in SCHEMA.names}
    assert found.event_time == (0, (ROWS - 1) * 1_000_000)
    store = SnapshotStore(objects, min_rows=50)
    run = "00000000-0000-0000-0000-000000000000"
    snapshot, _ = store.put_parts(parts.of(found.parts), found.digest, run=run, manifest={})
    assert store.read(snapshot.id).equals(whole.select(sorted(SCHEMA.names)))


def test_a_task_that_ran_twice_counts_once(parts: SnapshotParts) -> None:
    plan, table = _plan(parts), _engine_rows()
    first = _answers(plan, table)
    again = gathered(plan, _answers(plan, table))
    assert again.digest == gathered(plan, first).digest
    parts.of(again.parts).check(ROWS)
    with pytest.raises(RetrievalBroken, match="6 chunks for a spine of 131089 rows"):
        gathered(plan, first * 2)


def test_the_rows_of_the_try_whose_answer_counts_are_stored(parts: SnapshotParts, objects: DirectoryObjects) -> None:
    """A second try may find another winner of a tie, and an engine may drop either answer."""
    plan, rows = _plan(parts, 100), _engine_rows(100)
    at = rows.column_names.index("value")
    others = rows.set_column(at, "value", pa.array(range(100), pa.int64()))
    tries = [chunk_answer(plan, 0, one) for one in (rows, others)]
    store = SnapshotStore(objects, min_rows=50)
    for number, answer in enumerate(tries):
        found, run = gathered(plan, [answer]), f"00000000-0000-0000-0000-00000000000{number}"
        assert parts.of(found.parts).reader().read_all().num_rows == 100
        snapshot, _ = store.put_parts(parts.of(found.parts), found.digest, run=run, manifest={})
        assert digest_table(store.read(snapshot.id)).digest == found.digest.digest


def _doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.filter(pa.array(table.column(ROW).to_numpy() == CHUNK_ROWS + 3))])


def _lost(table: pa.Table) -> pa.Table:
    return table.filter(pa.array(table.column(ROW).to_numpy() != CHUNK_ROWS + 3))


def _invented(table: pa.Table) -> pa.Table:
    return _replaced(table, CHUNK_ROWS + 3, 9 * CHUNK_ROWS)


def _replaced(table: pa.Table, old: int, new: int) -> pa.Table:
    numbers = table.column(ROW).to_numpy().copy()
    numbers[numbers == old] = new
    return table.set_column(table.column_names.index(ROW), ROW, pa.array(numbers))


@pytest.mark.parametrize("broken", [_doubled, _lost, _invented])
def test_an_engine_that_loses_doubles_or_invents_rows_is_found_out(parts: SnapshotParts, broken: Any) -> None:
    plan = _plan(parts)
    with pytest.raises(RetrievalBroken, match="not each of them once"):
        gathered(plan, _answers(plan, broken(_engine_rows())))


def test_a_chunk_that_never_came_is_found_out(parts: SnapshotParts) -> None:
    plan = _plan(parts)
    with pytest.raises(RetrievalBroken, match="2 chunks for a spine of"):
        gathered(plan, _answers(plan, _engine_rows())[:2])


def test_rows_without_a_number_are_found_out(parts: SnapshotParts) -> None:
    plan = _plan(parts, 5)
    rows = _engine_rows(5)
    without = rows.set_column(rows.column_names.index(ROW), ROW, pa.nulls(5, pa.int64()))
    for number, table in ((None, without), (0, without), (0, rows.drop_columns([ROW]))):
        with pytest.raises(RetrievalBroken):
            gathered(plan, [chunk_answer(plan, number, table)])


def test_a_column_that_is_missing_is_named(parts: SnapshotParts) -> None:
    plan = _plan(parts, 5)
    with pytest.raises(RetrievalBroken, match=r"lacks the columns \['value'\]"):
        gathered(plan, [chunk_answer(plan, 0, _engine_rows(5).drop_columns(["value"]))])


def test_a_lossy_cast_names_column_and_row_of_the_whole_table_and_no_value(parts: SnapshotParts) -> None:
    plan, table = _plan(parts), _engine_rows()
    number, row = table.column(ROW).to_numpy(), CHUNK_ROWS + 6
    values = table.column("value").to_pylist()
    values[int(np.flatnonzero(number == row)[0])] = 2**40 + 977
    worse = table.set_column(table.column_names.index("value"), "value", pa.array(values, pa.int64()))
    answers = _answers(plan, worse)
    assert not [answer for answer in answers if str(2**40 + 977) in answer]
    with pytest.raises(LossyCast, match=rf"Column 'value', row {row}: int64"):
        gathered(plan, answers)


def test_what_has_no_digest_is_said_by_the_driver(parts: SnapshotParts) -> None:
    plan = _plan(parts, 1)
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    rows = pa.table(
        {
            ROW: [0],
            "event_timestamp": pa.array([0], pa.timestamp("us")),
            "value": pa.array([1], pa.int32()),
            "text": bad,
        }
    )
    with pytest.raises(NotDigestible, match="invalid_utf8 in column 'text' at row 0") as raised:
        gathered(plan, [chunk_answer(plan, 0, rows)])
    assert (raised.value.kind, raised.value.column, raised.value.row) == ("invalid_utf8", "text", 0)


def test_the_first_chunk_with_an_error_speaks(parts: SnapshotParts) -> None:
    plan = _plan(parts)
    answers = [
        json.dumps({"number": 1, "error": "LossyCast", "message": "second"}),
        json.dumps({"number": 0, "error": "SomethingElse", "message": "first"}),
    ]
    with pytest.raises(RetrievalBroken, match="first"):
        gathered(plan, answers)


def test_a_worker_that_does_not_see_the_objects_says_so(objects: DirectoryObjects) -> None:
    with SnapshotStore(objects, min_rows=50).stage_parts(SCHEMA) as gone:
        plan = _plan(gone, 5)
    with pytest.raises(ProvenderError, match="cannot be written") as raised:
        gathered(plan, [chunk_answer(plan, 0, _engine_rows(5))])
    assert isinstance(raised.value, ObjectsUnreachable)


def test_event_time_is_none_where_there_is_none(parts: SnapshotParts) -> None:
    plan = _plan(parts, 3)
    rows = _engine_rows(3)
    at = rows.column_names.index("event_timestamp")
    answers = [chunk_answer(plan, 0, rows.set_column(at, "event_timestamp", pa.nulls(3, pa.timestamp("us"))))]
    assert gathered(plan, answers).event_time is None


def test_an_empty_spine_has_no_chunks(parts: SnapshotParts) -> None:
    plan = _plan(parts, 0)
    assert gathered(plan, []).digest == digest_table(SCHEMA.empty_table())
