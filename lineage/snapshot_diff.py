"""What differs between two snapshots, told from their recorded manifests alone: columns, and chunks of 65,536 rows.

    found = diff(recorded.manifest(a), recorded.manifest(b))
    found.equal, found.changed

No row is read: equal leaves are equal chunks, other leaves other chunks. :mod:`lineage.differing_rows` then shows
the rows of the chunks that differ.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lineage.errors import SnapshotCorrupt
from lineage.td1.tree import CHUNK_ROWS, hash_of, root_from_columns, tree_hash

if TYPE_CHECKING:
    from governance.canonical import Json
    from lineage.recorded_snapshots import RecordedManifest


@dataclass(frozen=True)
class TypedColumn:
    """A column that only one of the two has."""

    name: str
    type: Json
    """logical type, as the td1 descriptor writes it"""


@dataclass(frozen=True)
class RetypedColumn:
    """A column of another logical type: each of its values counts as another one."""

    name: str
    left: Json
    right: Json


@dataclass(frozen=True)
class ChangedColumn:
    """A column of one type in both, with other content."""

    name: str
    chunks: tuple[int, ...]
    """numbers of the chunks that differ, or that only one of the two has"""


@dataclass(frozen=True)
class SnapshotDiff:
    """How the right snapshot differs from the left one.

    Rows are compared by their number. One row more near the beginning moves all rows after it, so that every later
    chunk differs: that is what the digests say, and no guess is made at what was meant.
    """

    left: str
    right: str
    """names of the snapshots"""
    rows: tuple[int, int]
    equal: bool
    """whether both have one digest"""
    added: tuple[TypedColumn, ...]
    removed: tuple[TypedColumn, ...]
    retyped: tuple[RetypedColumn, ...]
    changed: tuple[ChangedColumn, ...]
    """each in the order of the columns' names"""

    def ranges(self, column: ChangedColumn) -> tuple[tuple[int, int], ...]:
        """First and last row of what differs in a column, neighbouring chunks as one."""
        found: list[tuple[int, int]] = []
        for number in column.chunks:
            first, last = number * CHUNK_ROWS, min((number + 1) * CHUNK_ROWS, max(self.rows)) - 1
            if found and found[-1][1] + 1 == first:
                first = found.pop()[0]
            found.append((first, last))
        return tuple(found)


def diff(left: RecordedManifest, right: RecordedManifest) -> SnapshotDiff:
    """Compares two recorded manifests. Raises SnapshotCorrupt where one's leaves do not give its digest."""
    before, after = _Content(left), _Content(right)
    both = sorted(before.types.keys() & after.types.keys(), key=str.encode)
    same = [name for name in both if before.types[name] == after.types[name]]
    return SnapshotDiff(
        left=left.snapshot,
        right=right.snapshot,
        rows=(left.rows, right.rows),
        equal=left.digest == right.digest,
        added=_only(after, before),
        removed=_only(before, after),
        retyped=tuple(
            RetypedColumn(name, before.types[name], after.types[name]) for name in both if name not in set(same)
        ),
        changed=tuple(
            ChangedColumn(name, chunks)
            for name in same
            if (chunks := _differing(before.leaves[name], after.leaves[name]))
        ),
    )


class _Content:
    """Types and leaves by column, seen to be those of the manifest's digest."""

    def __init__(self, manifest: RecordedManifest) -> None:
        document = manifest.document
        try:
            self.leaves = {name: tuple(ones) for name, ones in document["leaves"].items()}
            self.types: dict[str, Any] = dict(json.loads(document["descriptor"])["cols"])
            stated = json.loads(document["descriptor"])["rows"]
            roots = {
                name: tree_hash([hash_of(one, f"leaf of {name!r}") for one in ones]).hex()
                for name, ones in self.leaves.items()
            }
            found = f"td1-sha256:{root_from_columns(document['descriptor'], roots)}"
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _corrupt(manifest) from error
        chunks = {len(ones) for ones in self.leaves.values()}
        if found != manifest.digest or stated != manifest.rows or chunks - {-(-manifest.rows // CHUNK_ROWS)}:
            raise _corrupt(manifest)


def _only(one: _Content, other: _Content) -> tuple[TypedColumn, ...]:
    names = sorted(one.types.keys() - other.types.keys(), key=str.encode)
    return tuple(TypedColumn(name, one.types[name]) for name in names)


def _differing(left: Sequence[str], right: Sequence[str]) -> tuple[int, ...]:
    shorter, longer = sorted((len(left), len(right)))
    other = [number for number in range(shorter) if left[number] != right[number]]
    return (*other, *range(shorter, longer))


def _corrupt(manifest: RecordedManifest) -> SnapshotCorrupt:
    return SnapshotCorrupt(
        f"Descriptor, rows and leaves of the manifest of snapshot {manifest.snapshot} and run {manifest.run} do not"
        " give its digest, and it was recorded so. Run the retrieval again."
    )
