"""Proofs of a part of a table: one column, or some of its chunks, without the rest (RFC 6962, section 2.1.1).

A verifier knows a table's digest from somewhere it trusts. :func:`verify_column` accepts the root of one column,
:func:`verify_chunk` the rows of one chunk of it, each by an audit path of as many hashes as the tree is high. Only the
standard library is needed for the paths; who holds rows recomputes their leaf with :func:`lineage.td1.chunk_leaves`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lineage.errors import SnapshotCorrupt
from lineage.td1.tree import CHUNK_ROWS, hash_of, leaf_hash, tree_hash

_PREFIX: Final = "td1-sha256:"


@dataclass(frozen=True, slots=True)
class ColumnProof:
    """That a table with this descriptor has a column with this root."""

    descriptor: str
    """also says the column's place in the tree; with ``descriptor_path`` it is proven as the first leaf"""
    descriptor_path: tuple[str, ...]
    name: str
    root: str
    path: tuple[str, ...]
    """hashes in hex, from the leaf's sibling up"""


@dataclass(frozen=True, slots=True)
class ChunkProof:
    """That a column has this leaf for one chunk of its rows."""

    column: ColumnProof
    chunk: int
    leaf: str
    path: tuple[str, ...]


def prove_column(descriptor: str, column_roots: Mapping[str, str], name: str) -> ColumnProof:
    """The proof of one column, from what a manifest holds. Raises SnapshotCorrupt, and KeyError for no such column."""
    names = _columns(descriptor)
    if name not in names:
        raise KeyError(name)
    leaves = [leaf_hash((descriptor.encode(),)), *(_column_leaf(one, column_roots[one]) for one in names)]
    place = names.index(name) + 1
    return ColumnProof(descriptor, _audit_path(0, leaves), name, column_roots[name], _audit_path(place, leaves))


def prove_chunk(column: ColumnProof, leaves: Sequence[str], chunk: int) -> ChunkProof:
    """The proof of one chunk of a proven column, from all leaves of the column. Raises IndexError, SnapshotCorrupt."""
    hashes = [hash_of(leaf, f"leaf of column {column.name!r}") for leaf in leaves]
    if not 0 <= chunk < len(hashes):
        raise IndexError(f"column {column.name!r} has {len(hashes)} chunks, counted from 0; there is none {chunk}")
    return ChunkProof(column, chunk, leaves[chunk], _audit_path(chunk, hashes))


def verify_column(digest: str, proof: ColumnProof) -> None:
    """Returns where the table that ``digest`` names has the column; raises SnapshotCorrupt where that is not shown."""
    names = _columns(proof.descriptor)
    if proof.name not in names or not digest.startswith(_PREFIX):
        raise _wrong(f"the column {proof.name!r}")
    size, root = len(names) + 1, hash_of(digest.removeprefix(_PREFIX), "the table root")
    for place, leaf, path in (
        (0, leaf_hash((proof.descriptor.encode(),)), proof.descriptor_path),
        (names.index(proof.name) + 1, _column_leaf(proof.name, proof.root), proof.path),
    ):
        if _root_from_path(place, size, leaf, path) != root:
            raise _wrong(f"the column {proof.name!r}")


def verify_chunk(digest: str, proof: ChunkProof) -> tuple[int, int]:
    """The first and last row of the chunk whose leaf is proven.

    Raises SnapshotCorrupt where the proof does not show that the table that ``digest`` names has it.
    """
    verify_column(digest, proof.column)
    rows = json.loads(proof.column.descriptor)["rows"]
    leaf, root = hash_of(proof.leaf, "the leaf"), hash_of(proof.column.root, "the column root")
    if _root_from_path(proof.chunk, -(-rows // CHUNK_ROWS), leaf, proof.path) != root:
        raise _wrong(f"chunk {proof.chunk} of the column {proof.column.name!r}")
    return proof.chunk * CHUNK_ROWS, min((proof.chunk + 1) * CHUNK_ROWS, rows) - 1


def _audit_path(place: int, leaves: Sequence[bytes]) -> tuple[str, ...]:
    """PATH(m, D[n]) of RFC 6962, section 2.1.1."""
    if len(leaves) <= 1:
        return ()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    left, right = leaves[:split], leaves[split:]
    if place < split:
        return (*_audit_path(place, left), tree_hash(right).hex())
    return (*_audit_path(place - split, right), tree_hash(left).hex())


def _root_from_path(place: int, size: int, leaf: bytes, path: Sequence[str]) -> bytes | None:
    """The root that leaf and path give (RFC 9162, section 2.1.3.2); None where the path is not of this length."""
    if not 0 <= place < size:
        return None
    found, last = leaf, size - 1
    for text in path:
        if not last:
            return None
        sibling = hash_of(text, "a hash of the path")
        if place & 1 or place == last:
            found = _node(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = _node(found, sibling)
        place, last = place >> 1, last >> 1
    return found if not last else None


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _columns(descriptor: str) -> list[str]:
    try:
        found: Any = json.loads(descriptor)
        return [name for name, _ in found["cols"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotCorrupt("found a td1 descriptor that is not one; expected the text of the manifest") from error


def _column_leaf(name: str, root: str) -> bytes:
    return leaf_hash((name.encode(), b"\x00", hash_of(root, f"root of column {name!r}")))


def _wrong(what: str) -> SnapshotCorrupt:
    return SnapshotCorrupt(
        f"The proof does not show that the table has {what} as it says: digest and proof are of two tables, or one was"
        " changed. Ask for the proof again."
    )
