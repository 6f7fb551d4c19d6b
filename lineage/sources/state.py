"""The state of a source: files, objects or a version of a table, so that a later reader knows what was there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from governance.canonical import rfc3339, utc_now

Knowledge = Literal["computed", "cached", "stated", "unknown"]


@dataclass(frozen=True)
class FileState:
    """One file or object as it was seen."""

    path: str
    """of an object: ``bucket/key``"""
    size: int
    """bytes"""
    sha256: str | None = None
    """hex, of a file whose bytes were read here"""
    etag: str | None = None
    """what the object store calls this content"""
    version_id: str | None = None
    """of a bucket that keeps versions"""


@dataclass(frozen=True)
class TableState:
    """One version of a table format."""

    format: Literal["delta", "iceberg"]
    id: str
    """the UUID that the table was created with: another table at the same place has another"""
    version: int | None = None
    """of a Delta table"""
    snapshot_id: str | None = None
    """of an Iceberg table, decimal (the number does not fit a JSON number); None of a table without any snapshot"""
    metadata: str | None = None
    """where the Iceberg metadata lay that has this snapshot"""
    plan_sha256: str | None = None
    """of what the table's log says of its files; None in records made before it was kept"""


@dataclass(frozen=True)
class SourceState:
    """Everything that makes up one source as it was seen."""

    name: str
    uri: str
    files: tuple[FileState, ...]
    state: Knowledge
    """``computed`` read every byte now; ``cached`` trusts, for a file at least, an earlier reading of the same inode
    and times; ``stated`` is what the object store or the table's log says, unread; ``unknown`` is a source whose
    state cannot be captured, which the report names as a gap."""
    time: str
    table: TableState | None = None

    def as_json(self) -> dict[str, Any]:
        """The ``sources`` entry of a record or manifest: members that say nothing are left out."""
        document: dict[str, Any] = {
            "name": self.name,
            "uri": self.uri,
            "files": [_stated(file) for file in self.files],
            "state": self.state,
            "time": self.time,
        }
        return document if self.table is None else {**document, "table": _stated(self.table)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SourceState:
        """The inverse of :meth:`as_json`. Raises KeyError or TypeError for what is no such entry."""
        table = document.get("table")
        return cls(
            document["name"],
            document["uri"],
            tuple(FileState(**file) for file in document["files"]),
            document["state"],
            document["time"],
            None if table is None else TableState(**table),
        )


def unobserved_source(name: str, uri: str) -> SourceState:
    """A source whose state cannot be captured: recorded as unknown, never invented."""
    return SourceState(name, uri, (), "unknown", rfc3339(utc_now()))


def _stated(seen: FileState | TableState) -> dict[str, Any]:
    return {name: value for name, value in vars(seen).items() if value is not None}
