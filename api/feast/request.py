"""What a caller of ``get_historical_features`` asks for, as records and verdicts need it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import pandas as pd
import pyarrow as pa
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.on_demand_feature_view import OnDemandFeatureView

from api.feast.online_writes import arrow_type
from governance.assets import Definitions
from governance.canonical import json_sha256
from lineage.canonical_table import TIMESTAMP
from lineage.entity_rows import origin_of, spine_digest, spine_table


@dataclass(frozen=True)
class RetrievalRequest:
    """One call, with the views that Feast resolved for it."""

    refs: tuple[str, ...]
    views: tuple[FeatureView, ...]
    on_demand: tuple[OnDemandFeatureView, ...]
    spine: pd.DataFrame | str | None
    full_feature_names: bool
    options: Mapping[str, Any]
    """``filter_by_created_timestamp``, ``start_date``, ``end_date`` where given"""
    purpose: str | None = None
    """what the caller acts for"""

    def __post_init__(self) -> None:
        """Keep the entity rows as they are now: the caller may change its frame before the job runs."""
        if isinstance(self.spine, pd.DataFrame):
            object.__setattr__(self, "spine", self.spine.copy())

    @cached_property
    def document(self) -> dict[str, Any]:
        """The request as JSON; it names features and columns, never a value of an entity row."""
        frame = self.spine if isinstance(self.spine, pd.DataFrame) else None
        return {
            "features": sorted(self.refs),
            "full_feature_names": self.full_feature_names,
            "options": {name: str(value) for name, value in sorted(self.options.items())},
            "purpose": self.purpose,
            "spine": None if frame is None else {"columns": sorted(map(str, frame.columns)), "rows": len(frame)},
            **({"query_sha256": sha256(self.spine.encode()).hexdigest()} if isinstance(self.spine, str) else {}),
        }

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the request."""
        return json_sha256(self.document)

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """(view, feature) of everything asked for, under the views' own names."""
        return frozenset((name, feature) for name, feature, _ in self.columns)

    @property
    def columns(self) -> tuple[tuple[str, str, str], ...]:
        """(view, feature, output column) of everything asked for; a view may be asked for under several aliases."""
        views = {view.projection.name_to_use(): view for view in (*self.views, *self.on_demand)}
        return tuple(self._column(views, *ref.split(":", 1)) for ref in sorted(self.refs))

    def _column(self, views: Mapping[str, Any], prefix: str, feature: str) -> tuple[str, str, str]:
        if prefix not in views:  # such as one version of a view: no verdict knows it, so it will be denied
            return prefix, feature, feature
        view = views[prefix]
        base = view.projection.name_alias or view.name
        return view.name, feature, f"{base}__{feature}" if self.full_feature_names else feature

    def keys(self, definitions: Definitions) -> dict[str, tuple[str, ...]]:
        """Keys of the views asked for, with the features asked of each."""
        return view_inputs(self.asked, definitions)

    @property
    def timestamp(self) -> str:
        """Name of the column with the moments for which values are wanted."""
        if not isinstance(self.spine, pd.DataFrame):
            return "event_timestamp"
        name: str = infer_event_timestamp_from_entity_df(dict(self.spine.dtypes))
        return name

    @property
    def join_keys(self) -> tuple[str, ...]:
        """Join key columns, in name order."""
        return tuple(sorted({ours for view in self.views for ours in _keys(view)}))

    def types(self) -> dict[str, pa.DataType]:
        """Declared Arrow type of each column: of the spine, of join keys, of features."""
        types: dict[str, pa.DataType] = {}
        if isinstance(self.spine, pd.DataFrame):
            types.update({field.name: field.type for field in spine_table(self.spine).schema})
        for view in (*self.views, *self.on_demand):
            base = view.projection.name_alias or view.name
            for feature in view.features:
                types[f"{base}__{feature.name}" if self.full_feature_names else feature.name] = arrow_type(feature)
        for view in self.views:
            types.update(_keys(view))
        types[self.timestamp] = TIMESTAMP
        return types

    def spine_document(self, min_rows: int) -> dict[str, Any] | None:
        """The ``spine`` of a record: rows, origin, and the digest unless so few rows could be guessed."""
        if not isinstance(self.spine, pd.DataFrame):
            return None
        digest = spine_digest(self.spine)
        rows = len(self.spine)
        return {"digest": digest if rows >= min_rows else None, "rows": rows, "origin": origin_of(self.spine, digest)}


def view_inputs(asked: Iterable[tuple[str, str]], definitions: Definitions) -> dict[str, tuple[str, ...]]:
    """(view, feature) pairs as keys of ``definitions``, with the features of each; one not defined is a plain view."""
    found: dict[str, list[str]] = {}
    for view, name in sorted(asked):
        keys = (f"{kind}:{view}" for kind in ("feature_view", "stream_feature_view", "on_demand_feature_view"))
        key = next((one for one in keys if one in definitions), f"feature_view:{view}")
        found.setdefault(key, []).append(name)
    return {key: tuple(names) for key, names in found.items()}


def _keys(view: FeatureView) -> dict[str, pa.DataType]:
    columns = [column for column in view.entity_columns if column.name != "__dummy_id"]
    return {view.projection.join_key_map.get(column.name, column.name): arrow_type(column) for column in columns}
