"""Tables of several chunks, stored as snapshots: what the tests of reading share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa

from lineage.objects import DirectoryObjects, Objects
from lineage.opened_snapshot import OpenSnapshot
from lineage.snapshots import Snapshot, SnapshotStore
from lineage.td1 import CHUNK_ROWS, chunk_leaves, combine

ROWS = 2 * CHUNK_ROWS + 1000


def rows_of(count: int = ROWS) -> pa.Table:
    """``n`` counts the rows, the others are of each kind that a model may want or not."""
    n = np.arange(count)
    return pa.table(
        {
            "n": pa.array(n, pa.int64()),
            "x": pa.array(np.sqrt(n)),
            "gap": pa.array(n, pa.float32(), mask=n % 3 == 0),
            "flag": pa.array(n % 2 == 0),
            "name": pa.array([f"patient {one}" for one in n % 7]),
            "t": pa.array(n, pa.timestamp("us", "UTC")),
            "maybe": pa.array(n, pa.int32(), mask=n % 5 == 0),
        }
    )


def manifest_of(table: pa.Table, **other: Any) -> dict[str, Any]:
    """What a retrieval says of a table."""
    return {"nulls": {name: table.column(name).null_count for name in table.column_names}, **other}


def put(store: SnapshotStore, table: pa.Table, **other: Any) -> tuple[Snapshot, bytes]:
    """Store a table with the manifest that a retrieval would give it."""
    return store.put(table, run=str(uuid4()), manifest=manifest_of(table, **other))


def put_parts(store: SnapshotStore, table: pa.Table, chunks: list[int] | None = None) -> tuple[Snapshot, bytes]:
    """Store a table chunk by chunk, as the workers of an engine do; only ``chunks`` of it if they are named."""
    numbers = range(-(-table.num_rows // CHUNK_ROWS))
    slices = [table.slice(number * CHUNK_ROWS, CHUNK_ROWS) for number in numbers]
    leaves = [chunk_leaves(table.schema, one, first_row=k * CHUNK_ROWS) for k, one in enumerate(slices)]
    with store.stage_parts(table.schema) as parts:
        files = [parts.writer.write(number, slices[number]) for number in (numbers if chunks is None else chunks)]
        digest = combine(table.schema, leaves, rows=table.num_rows)
        return store.put_parts(parts.of(files), digest, run=str(uuid4()), manifest=manifest_of(table))


def opened(store: SnapshotStore, snapshot: Snapshot) -> OpenSnapshot:
    """The snapshot with the manifest that lies in the store, as if a record spoke of it."""
    manifest = json.loads(store.document(snapshot.id, snapshot.run_id))
    return OpenSnapshot(snapshot.id, store.rows(snapshot.id), manifest)


def files(objects: Objects) -> list[str]:
    """All files below the root of a directory."""
    assert isinstance(objects, DirectoryObjects)
    return sorted(path.relative_to(objects.root).as_posix() for path in objects.root.rglob("*") if path.is_file())


def parquet(objects: DirectoryObjects, name: str = "data.parquet") -> Path:
    """The one Parquet file of that name."""
    (path,) = objects.root.rglob(name)
    return path
