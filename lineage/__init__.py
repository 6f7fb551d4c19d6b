"""What came from what: snapshots, runs, artifacts, endpoints, and the catalogue that records them.

frame = lineage.spine(table, made_from=["data/sources/follow_up.parquet"], code=label_visits)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.entity_rows import spine as spine

__all__ = ["spine"]


def __getattr__(name: str) -> Any:
    if name == "spine":
        from lineage.entity_rows import spine as function

        return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
