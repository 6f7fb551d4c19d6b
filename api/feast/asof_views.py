"""Feast's feature views as the point-in-time join sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from feast.feature_view import FeatureView

from api.feast.denial import NotOffered
from api.feast.feature_refs import column_prefix, view_and_feature
from api.feast.source_rows import dataset_of
from lineage.asof import FeatureTable

DUMMY_KEY = "__dummy_id"
"""The join key that Feast gives to views without entities."""


def feature_table(view: FeatureView, refs: Sequence[str], *, repo: Path, full_names: bool) -> FeatureTable:
    """``view`` with the features that ``refs`` ask of it. Raises NotOffered and SourceUnreadable for its source."""
    return replace(asked_of(view, refs, full_names=full_names), rows=dataset_of(view.batch_source, repo))


def asked_of(view: FeatureView, refs: Sequence[str], *, full_names: bool) -> FeatureTable:
    """The same without rows, for who reads them otherwise. Raises NotOffered for a view without a batch source."""
    source, projection = view.batch_source, view.projection
    if source is None:
        raise NotOffered(f"The view {view.name} has no batch source to read.")
    theirs = {new: old for old, new in source.field_mapping.items()}
    asked = [feature for name, feature in map(view_and_feature, refs) if name == projection.name_to_use()]
    prefix = f"{column_prefix(view)}__" if full_names else ""
    return FeatureTable(
        rows=None,
        features={f"{prefix}{name}": theirs.get(name, name) for name in dict.fromkeys(asked)},
        keys={ours: theirs.get(name, name) for ours, name in join_keys(view).items()},
        timestamp=theirs.get(source.timestamp_field, source.timestamp_field),
        created=theirs.get(source.created_timestamp_column, source.created_timestamp_column) or None,
        ttl=view.ttl,
    )


def join_keys(view: FeatureView) -> dict[str, str]:
    """Column of the entity rows → join key of ``view``; empty for a view without entities.

    Raises NotOffered where one column stands for two keys: Feast's stores do not agree what that means.
    """
    names = [column.name for column in view.entity_columns if column.name != DUMMY_KEY]
    keys: dict[str, str] = {}
    for name in names:
        ours = view.projection.join_key_map.get(name, name)
        if keys.setdefault(ours, name) != name:
            raise NotOffered(
                f"The entity column {ours} is to be both {keys[ours]} and {name} of the view {view.name}. Give each"
                " join key a column of its own: copy this one under another name, and map one of the keys to that."
            )
    return keys
