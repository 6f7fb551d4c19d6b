"""Roots and proofs from the stored nodes: O(log n) rows, all read by one query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from audit.errors import LedgerForked, UnknownRecord, UnknownTreeSize
from audit.ledger.tables import leaf, node
from audit.ledger.tree import Frontier, Place, Range, consistency_path, cover, inclusion_path
from audit.verify.merkle import fold_peaks

_LAST = select(func.max(leaf.c.idx))
_LEAVES = select(leaf.c.idx, leaf.c.hash).where(leaf.c.idx.in_(bindparam("numbers", expanding=True)))
_NODES = select(node).where(
    node.c.level.in_(bindparam("levels", expanding=True)), node.c.idx.in_(bindparam("indices", expanding=True))
)
"""A few more than are wanted (each level with each index), but one statement that is compiled once."""


@dataclass(frozen=True)
class InclusionProof:
    """That a leaf is number ``index`` of the first ``tree_size`` leaves."""

    index: int
    tree_size: int
    hashes: tuple[bytes, ...]
    """lowest first, as ``audit.verify.merkle.verify_inclusion`` takes them"""
    leaf: bytes
    """the leaf's bytes"""


@dataclass(frozen=True)
class ConsistencyProof:
    """That the first ``size1`` leaves are the same in the tree of ``size2``."""

    size1: int
    size2: int
    hashes: tuple[bytes, ...]
    """empty also for ``size1`` 0, which every tree follows"""


class StoredTree:
    """The tree as one transaction sees it: its size, and each hash that was read, once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._hashes: dict[Place, bytes] = {}
        self.size = tree_size(connection)

    def read(self, *sizes: int) -> None:
        """Read by one query what the roots of these sizes need. Raises LedgerForked where a hash is missing."""
        places = {place for size in sizes for place in cover((0, size))}
        if missing := places - self._hashes.keys():
            self._hashes |= _read(self._connection, missing)

    def root(self, size: int) -> bytes:
        """The root of the first ``size`` leaves. Raises LedgerForked where a hash is missing."""
        return fold_peaks(self._peaks(size))

    def frontier(self) -> Frontier:
        """The right edge, to append to. Raises LedgerForked where a hash is missing."""
        return Frontier(self.size, self._peaks(self.size))

    def _peaks(self, size: int) -> list[bytes]:
        self.read(size)
        return [self._hashes[place] for place in cover((0, size))]


def tree_size(connection: Connection) -> int:
    """How many leaves there are."""
    last: int | None = connection.execute(_LAST).scalar()
    return 0 if last is None else last + 1


def prove_inclusion(connection: Connection, outbox_id: str, *, size: int) -> InclusionProof:
    """The proof for the leaf of that record. Raises UnknownRecord where it is not among the first ``size``.

    Raises UnknownTreeSize where there are fewer leaves than that.
    """
    _check_size(connection, size)
    row = connection.execute(select(leaf.c.idx, leaf.c.bytes).where(leaf.c.outbox_id == outbox_id)).one_or_none()
    if row is None or row.idx >= size:
        raise UnknownRecord(
            f"Record {outbox_id!r} has no leaf among the first {size} of the ledger. Expected the id of a recorded act;"
            " one recorded just now gets its leaf at the next checkpoint."
        )
    hashes = _roots(connection, inclusion_path(row.idx, size))
    return InclusionProof(row.idx, size, tuple(hashes), row.bytes)


def prove_consistency(connection: Connection, old: int, new: int) -> ConsistencyProof:
    """The proof from ``old`` to ``new`` leaves. Raises UnknownTreeSize."""
    if not 0 <= old <= new:
        raise UnknownTreeSize(f"No proof leads from {old} to {new} leaves. Expected 0 <= old <= new.")
    _check_size(connection, new)
    return ConsistencyProof(old, new, tuple(_roots(connection, consistency_path(old, new))) if old else ())


def _check_size(connection: Connection, size: int) -> None:
    if size > (found := tree_size(connection)):
        raise UnknownTreeSize(f"The ledger has {found} leaves; a tree of {size} never was.")


def _roots(connection: Connection, ranges: Sequence[Range]) -> list[bytes]:
    covers = [cover(each) for each in ranges]
    found = _read(connection, [place for places in covers for place in places])
    return [fold_peaks([found[place] for place in places]) for places in covers]


def _read(connection: Connection, places: Iterable[Place]) -> dict[Place, bytes]:
    wanted = set(places)
    numbers = [index for level, index in wanted if level == 0]
    levels, indices = {level for level, _ in wanted if level}, {index for level, index in wanted if level}
    leaves = connection.execute(_LEAVES, {"numbers": numbers}) if numbers else ()
    nodes = connection.execute(_NODES, {"levels": [*levels], "indices": [*indices]}) if levels else ()
    found = {(0, row.idx): row.hash for row in leaves} | {(row.level, row.idx): row.hash for row in nodes}
    if missing := sorted(wanted - set(found)):
        raise LedgerForked(
            f"The ledger lacks the tree node at level {missing[0][0]}, index {missing[0][1]}: rows were deleted."
            " Restore the database from a backup; `provender ledger audit` lists what is missing."
        )
    return found
