"""Views beside the example's, for tests of registries and of what is decided on them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

TAGS = {"residency": "DE", "pii": "true", "purpose": "research"}
OWNER = "data-office@hospital.example"


def follow_up_view(store: Any, name: str = "follow_up", **changes: Any) -> list[Any]:
    """A view of the follow-up file with its source and the example's patient; ``changes`` are made to the view."""
    from feast import FeatureView, Field, FileSource
    from feast.types import Int64, String

    source = FileSource(
        name=f"{name}_export",
        path="data/sources/follow_up.parquet",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        owner=OWNER,
        tags=changes.pop("source_tags", TAGS),
    )
    view = {
        "name": name,
        "entities": [store.get_entity("patient")],
        "ttl": timedelta(days=400),
        "schema": [Field(name="patient_id", dtype=Int64), Field(name="outcome", dtype=String)],
        "source": source,
        "owner": OWNER,
        "tags": TAGS,
        **changes,
    }
    return [source, FeatureView(**view)]


def view_names(store: Any) -> set[str]:
    """The names of the feature views, as the store has them in hand."""
    return {view.name for view in store.list_feature_views(allow_cache=True)}
