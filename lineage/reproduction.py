"""Whether a recorded retrieval, run again, gives the same rows: what was found, and why not if not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from lineage.errors import SnapshotCorrupt
from lineage.recorded_snapshots import RecordedManifest

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
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {**asdict(self), "exact": self.exact, "reasons": list(self.reasons)}


def recorded_spine(manifest: RecordedManifest, rows: pa.Table) -> pa.Table | None:
    """The entity rows of a recorded retrieval, from its own verified ``rows``; None where it had none.

    A snapshot holds its spine's columns beside the features, in the spine's order. Raises SnapshotCorrupt where a
    column that the request names is not there.
    """
    asked: Mapping[str, Any] | None = manifest.document["request"].get("spine")
    if asked is None:
        return None
    if missing := sorted(set(asked["columns"]) - set(rows.column_names)):
        raise SnapshotCorrupt(
            f"The snapshot {manifest.snapshot} lacks the columns {missing} of its own entity rows, and was recorded so."
            " Expected every column of the entity rows among its columns; it cannot be reproduced."
        )
    return rows.select([name for name in rows.column_names if name in set(asked["columns"])])
