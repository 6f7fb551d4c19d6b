"""Whether a recorded retrieval, run again, gives the same rows: what was found, and why not if not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from governance.canonical import Json
from lineage.errors import SnapshotCorrupt
from lineage.recorded_snapshots import RecordedManifest
from lineage.snapshot_diff import ChangedColumn, SnapshotDiff
from lineage.spine_types import with_types

Standing = Literal["as recorded", "changed", "gone", "unknown"]


@dataclass(frozen=True)
class SourceNow:
    """One source of the recorded retrieval, as it can be read today."""

    name: str
    standing: Standing
    """``unknown``: the record holds no state that could be compared"""
    detail: str = ""
    """what differs, or what is missing"""


@dataclass(frozen=True)
class Reproduction:
    """One snapshot and what its retrieval gives today."""

    snapshot: str
    recorded_run: str
    recorded_digest: str
    run: str | None
    """of the retrieval made now; None where a source is gone, so that nothing could be read"""
    digest: str | None
    found: str | None
    """name of the snapshot that it became"""
    sources: tuple[SourceNow, ...]
    definitions: Literal["as recorded", "as they are now"]
    """of a version that is no longer kept, the present definitions are asked"""
    recorded_engine: str
    engine: str | None
    others: tuple[str, ...] = ()
    """whatever else of the two records is not alike, in plain words"""
    differs: tuple[str, ...] = ()
    """how the rows found now differ from the recorded ones, in plain words; no value of them"""

    @property
    def exact(self) -> bool:
        """Whether the same rows came out, to the bit."""
        return self.digest == self.recorded_digest

    @property
    def reasons(self) -> tuple[str, ...]:
        """Everything that is not as it was, and may be why the rows are not; in plain words."""
        found = [f"source {one.name} is {one.standing}: {one.detail}" for one in self.sources if one.detail]
        if self.definitions != "as recorded":
            found.append(
                "the recorded definition version is no longer kept in the registry, so the present one was asked"
            )
        if self.engine not in (None, self.recorded_engine):
            found.append(f"the engine was {self.recorded_engine} and is {self.engine}")
        found += self.others
        if not found and not self.exact:
            found.append(
                "nothing that the records speak of differs (sources, definitions, request, entity rows, engine and"
                " versions), so the cause lies outside of them: an engine that answers differently each time, or"
                " on-demand code that reads a clock, a random number or another file"
            )
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {**asdict(self), "exact": self.exact, "reasons": list(self.reasons)}


def recorded_spine(manifest: RecordedManifest, rows: pa.Table) -> pa.Table | None:
    """The entity rows of a recorded retrieval, from its own verified ``rows``; None where it had none.

    A snapshot holds its spine's columns beside the features, in the spine's order; those that it cast become again
    what was given, as far as the record says what that was. Raises SnapshotCorrupt where a column that the request
    names is not there, or LossyCast where it holds something else.
    """
    asked: Mapping[str, Any] | None = manifest.document["request"].get("spine")
    if asked is None:
        return None
    if missing := sorted(set(asked["columns"]) - set(rows.column_names)):
        raise SnapshotCorrupt(
            f"The snapshot {manifest.snapshot} lacks the columns {missing} of its own entity rows, and was recorded so."
            " Expected every column of the entity rows among its columns; it cannot be reproduced."
        )
    own = rows.select([name for name in rows.column_names if name in set(asked["columns"])])
    return with_types(own, asked.get("types", {}))


def unlike(then: RecordedManifest, now: RecordedManifest) -> tuple[str, ...]:
    """What two records of one retrieval say differently, sources and engine aside, in plain words."""
    before, after = then.document, now.document
    found = []
    if "projections" not in before["request"]:
        found.append("the record is of an older kind, which does not say by which join keys each view was asked")
    elif before["request"] != after["request"]:
        members = sorted(name for name in before["request"] if before["request"][name] != after["request"].get(name))
        found.append(f"the request is not the recorded one in {', '.join(members)}")
    if _spine_digest(before) != _spine_digest(after):
        found.append("the entity rows are not the recorded ones")
    return (*found, *_software(before.get("software", {}), after.get("software", {})))


def in_words(found: SnapshotDiff) -> tuple[str, ...]:
    """How the right rows differ from the left ones; empty where they are the same."""
    left, right = found.rows
    rows = [] if left == right else [f"{left} rows were recorded, {right} came out"]
    return (
        *rows,
        *(f"column {one.name} is missing" for one in found.removed),
        *(f"column {one.name} is new" for one in found.added),
        *(f"column {one.name} was {_said(one.left)} and is {_said(one.right)}" for one in found.retyped),
        *(f"column {one.name} has other values in {_ranges(found, one)}" for one in found.changed),
    )


def _ranges(found: SnapshotDiff, column: ChangedColumn) -> str:
    return "rows " + ", ".join(f"{first} to {last}" for first, last in found.ranges(column))


def _said(kind: Json) -> str:
    return kind if isinstance(kind, str) else json.dumps(kind)


def _spine_digest(document: Mapping[str, Any]) -> Any:
    return (document.get("spine") or {}).get("digest")


def _software(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield f"{name} was {before[name]} and is {after[name]}"
