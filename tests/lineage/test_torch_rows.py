"""Rows as tensors: each row once, whoever shares them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from governance.errors import ConfigurationError
from lineage.errors import SnapshotCorrupt
from lineage.objects import DirectoryObjects
from lineage.opened_snapshot import OpenSnapshot
from lineage.snapshot_parquet import write_rows
from lineage.snapshots import SnapshotStore
from tests.lineage.snapshot_tables import ROWS, opened, parquet, put, rows_of

NUMERIC = ["n", "x", "gap", "flag"]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> DirectoryObjects:
    return DirectoryObjects(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="module")
def snapshot(objects: DirectoryObjects) -> OpenSnapshot:
    store = SnapshotStore(objects, min_rows=1)
    return opened(store, put(store, rows_of())[0])


def test_batches_have_the_rows_in_order_and_the_size_that_was_asked_for(snapshot: OpenSnapshot) -> None:
    batches = list(snapshot.to_torch(NUMERIC, batch_rows=50_000))
    assert [len(batch["n"]) for batch in batches] == [50_000, 50_000, ROWS - 100_000]
    whole = {name: torch.cat([batch[name] for batch in batches]) for name in NUMERIC}
    assert torch.equal(whole["n"], torch.arange(ROWS))
    assert torch.equal(whole["x"], torch.tensor(rows_of().column("x").to_numpy()))
    assert (whole["gap"].dtype, whole["flag"].dtype) == (torch.float32, torch.bool)
    assert whole["gap"].isnan().nonzero().flatten().tolist() == list(range(0, ROWS, 3))
    assert torch.equal(whole["flag"], torch.arange(ROWS) % 2 == 0)


def test_a_tensor_may_be_written_to(snapshot: OpenSnapshot) -> None:
    batch = next(iter(snapshot.to_torch(["x"], batch_rows=10)))
    batch["x"] += 1
    assert next(iter(snapshot.to_torch(["x"], batch_rows=10)))["x"][0] == 0


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_the_workers_of_a_loader_share_the_rows(snapshot: OpenSnapshot, workers: int) -> None:
    loader = DataLoader(snapshot.to_torch(["n"], batch_rows=7_000), batch_size=None, num_workers=workers)
    found = torch.cat([batch["n"] for batch in loader])
    assert torch.equal(found.sort().values, torch.arange(ROWS))


@pytest.mark.slow
def test_a_worker_that_was_spawned_reads_too(snapshot: OpenSnapshot) -> None:
    loader = DataLoader(
        snapshot.to_torch(["n"], batch_rows=50_000), batch_size=None, num_workers=1, multiprocessing_context="spawn"
    )
    assert torch.equal(torch.cat([batch["n"] for batch in loader]), torch.arange(ROWS))


def test_ranks_share_the_rows_evenly_also_through_workers(snapshot: OpenSnapshot, tmp_path: Path) -> None:
    start = multiprocessing.get_context("fork")
    answers: Any = start.Queue()
    ranks = [start.Process(target=_rank, args=(snapshot, rank, tmp_path / "store", answers)) for rank in range(2)]
    for process in ranks:
        process.start()
    found = dict(answers.get(timeout=120) for _ in ranks)
    for process in ranks:
        process.join(60)
    assert sorted(found[0] + found[1]) == list(range(ROWS))
    assert abs(len(found[0]) - len(found[1])) <= 1


def _rank(snapshot: OpenSnapshot, rank: int, place: Path, answers: Any) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=2)
    loader = DataLoader(snapshot.to_torch(["n"], batch_rows=9_999), batch_size=None, num_workers=2)
    answers.put((rank, torch.cat([batch["n"] for batch in loader]).tolist()))
    torch.distributed.destroy_process_group()


def test_columns_that_are_no_numbers_are_named(snapshot: OpenSnapshot) -> None:
    with pytest.raises(ConfigurationError, match=r"no numbers: name \(string\), t \(timestamp.*columns="):
        snapshot.to_torch()


def test_nulls_that_a_tensor_cannot_hold_are_named(snapshot: OpenSnapshot) -> None:
    with pytest.raises(ConfigurationError, match=r"have nulls.*maybe.*fill them yourself"):
        snapshot.to_torch(["n", "maybe"])


@pytest.mark.parametrize(
    ("columns", "batch_rows", "said"), [(["n"], 0, "batch_rows"), ([], 1, "No column"), (["z"], 1, "no column 'z'")]
)
def test_a_wrong_question_is_told(snapshot: OpenSnapshot, columns: list[str], batch_rows: int, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        snapshot.to_torch(columns, batch_rows=batch_rows)


def test_no_tensor_is_made_of_a_changed_row(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    store, table = SnapshotStore(objects, min_rows=1), rows_of()
    kept = opened(store, put(store, table)[0])
    write_rows(table.set_column(0, "n", table.column("x").cast("int64", safe=False)), parquet(objects))
    with pytest.raises(SnapshotCorrupt, match="Chunk 0"):
        next(iter(kept.to_torch(["n"])))
