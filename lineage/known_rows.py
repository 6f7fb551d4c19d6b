"""Rows that lie under a snapshot's name already: whether they are the right ones, and how they are locked.

A name is no proof. What lies there may have been damaged, or put there by somebody, and a record of it could never be
read again; so rows that were not just created are read once more before anything is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from lineage.errors import SnapshotCorrupt
from lineage.objects import Objects, Retention
from lineage.opened_snapshot import OpenSnapshot
from lineage.snapshot_names import DATA, data_place, folder, part_file, part_place
from lineage.snapshot_parquet import chunks_of
from lineage.stored_rows import StoredRows

if TYPE_CHECKING:
    from lineage.td1 import TableDigest

_THREADS = 8


def places_of(objects: Objects, name: str, rows: int) -> tuple[str, ...]:
    """The objects that hold all the rows already: the one file, or all parts; none where rows are missing."""
    there = {place.rpartition("/")[2] for place in objects.names(folder(name))}
    if DATA in there:
        return (data_place(name),)
    parts = part_places(name, rows)
    return parts if all(part_file(number) in there for number in range(len(parts))) else ()


def part_places(name: str, rows: int) -> tuple[str, ...]:
    """The objects that hold the chunks, where several processes write them."""
    return tuple(part_place(name, number) for number in range(chunks_of(rows)))


def require_same(objects: Objects, name: str, digest: TableDigest) -> None:
    """Read what lies there as a reader of the snapshot would.

    Raises SnapshotCorrupt where it does not give ``digest``, ObjectsUnreachable.
    """
    leaves = {column.name: list(column.leaves) for column in digest.columns}
    expected = {"digest": digest.digest, "rows": digest.rows, "leaves": leaves}
    try:
        with closing(OpenSnapshot(name, StoredRows(objects, name), expected)) as found:
            for number in range(found.chunks):
                found.chunk(number)
    except SnapshotCorrupt as error:
        raise _other(objects, name) from error


def lock_of(objects: Objects, places: Sequence[str]) -> Retention | None:
    """Lock these objects as new ones would be; gives what holds for each of them. Raises ObjectsUnreachable."""
    if len(places) == 1:
        return objects.keep(places[0])
    with ThreadPoolExecutor(_THREADS) as threads:
        locks = list(threads.map(objects.keep, places))
    known = [lock for lock in locks if lock is not None]
    if not known or len(known) < len(locks):
        return None
    weaker = "GOVERNANCE" if any(lock.mode == "GOVERNANCE" for lock in known) else known[0].mode
    return Retention(weaker, min(lock.days for lock in known))


def _other(objects: Objects, name: str) -> SnapshotCorrupt:
    return SnapshotCorrupt(
        f"Where the rows of snapshot {name} belong, something else lies already: {objects.uri(folder(name))} holds"
        " Parquet files that are damaged or were put there by somebody. Expected the rows of this run; nothing of it"
        " was recorded. Find out who changed them, move these Parquet files (not the manifests beside them) out of the"
        " store, and run the retrieval again: it stores the rows anew."
    )
