"""What came from what: snapshots, runs, artifacts, endpoints, and the catalogue that records them.

frame = lineage.spine(table, made_from=["data/sources/follow_up.parquet"], code=label_visits)
rows = lineage.open_snapshot("td1-sha256:…", repo="feature_repo").to_arrow()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.entity_rows import spine as spine
    from lineage.repositories import open_snapshot as open_snapshot

__all__ = ["open_snapshot", "spine"]


def __getattr__(name: str) -> Any:
    if name == "spine":
        from lineage.entity_rows import spine as function

        return function
    if name == "open_snapshot":
        from lineage.repositories import open_snapshot as opening

        return opening
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
