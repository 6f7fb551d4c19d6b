"""What a caller of ``get_historical_features`` asks for, as records and verdicts need it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

import pandas as pd
import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.on_demand_feature_view import OnDemandFeatureView

from api.feast.asof_views import join_keys
from api.feast.declared_types import declared_type
from api.feast.entity_source import event_timestamp_of
from api.feast.feature_refs import column_prefix, judged_name, view_and_feature
from api.feast.projections import stated_projections
from api.feast.source_labels import inputs_read
from governance.assets import Definitions, Input
from governance.canonical import json_sha256
from lineage.canonical_table import TIMESTAMP
from lineage.entity_rows import EVENT_TIMESTAMP, has_rows, origin_of, spine_digest, spine_table
from lineage.errors import LossyCast, SourceUnreadable
from lineage.row_order import sorted_rows
from lineage.spine_types import stated_types, with_types


@dataclass(frozen=True)
class RetrievalRequest:
    """One call, with the views that Feast resolved for it."""

    refs: tuple[str, ...]
    views: tuple[FeatureView, ...]
    on_demand: tuple[OnDemandFeatureView, ...]
    spine: Any
    """entity rows: a DataFrame, what streams Arrow (it becomes an Arrow table), a query, or None"""
    full_feature_names: bool
    options: Mapping[str, Any]
    """``filter_by_created_timestamp``, ``start_date``, ``end_date`` where given"""
    purpose: str | None = None
    """what the caller acts for"""
    queried: Mapping[str, DataSource] = field(default_factory=dict)
    """data sources that a query reads, where that is known, by the names it uses"""
    columns_queried: pa.Schema | None = None
    """what it gives, where that is known"""

    def __post_init__(self) -> None:
        """Keep the entity rows as they are now: the caller may change its frame before the job runs."""
        if isinstance(self.spine, pd.DataFrame):
            object.__setattr__(self, "spine", self.spine.copy())
        elif has_rows(self.spine):
            object.__setattr__(self, "spine", spine_table(self.spine))

    @cached_property
    def rows(self) -> pa.Table | None:
        """The entity rows as Arrow; None of a query and of a date range. Raises LossyCast, SourceUnreadable."""
        return spine_table(self.spine) if has_rows(self.spine) else None

    @property
    def read(self) -> tuple[FeatureView | DataSource, ...]:
        """What the retrieval reads: the views' sources, and those of the query."""
        return (*self.views, *self.queried.values())

    @cached_property
    def document(self) -> dict[str, Any]:
        """The request as JSON; it names features and columns, never a value of an entity row."""
        return {
            "features": list(self.refs),
            "projections": stated_projections(self.refs, (*self.views, *self.on_demand)),
            "full_feature_names": self.full_feature_names,
            "options": {name: str(value) for name, value in sorted(self.options.items())},
            "purpose": self.purpose,
            "spine": self._spine_shape(),
            **({"query_sha256": sha256(self.spine.encode()).hexdigest()} if isinstance(self.spine, str) else {}),
            **({"query_reads": sorted(one.name for one in self.queried.values())} if self.queried else {}),
        }

    def _spine_shape(self) -> dict[str, Any] | None:
        if not has_rows(self.spine):
            return None
        names = self.spine.columns if isinstance(self.spine, pd.DataFrame) else self.spine.column_names
        shape = {"columns": sorted(map(str, names)), "rows": len(self.spine)}
        with suppress(LossyCast, SourceUnreadable):  # the run will fail for it, and the failure is recorded
            shape["types"] = {} if self.rows is None else stated_types(self.rows.schema)
        return shape

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
        """(view, feature, output column) of everything asked for; a view may be asked for under several aliases.

        A version of a view is one of its own, ``view@v2``: it may say something else than the view does now.
        """
        views = {view.projection.name_to_use(): view for view in (*self.views, *self.on_demand)}
        return tuple(self._column(views, *view_and_feature(ref)) for ref in self.refs)

    def _column(self, views: Mapping[str, Any], name: str, feature: str) -> tuple[str, str, str]:
        if name not in views:  # no verdict knows it, so it will be denied
            return name, feature, feature
        view = views[name]
        return judged_name(view), feature, self._named(view, feature)

    def _named(self, view: Any, feature: str) -> str:
        return f"{column_prefix(view)}__{feature}" if self.full_feature_names else feature

    def keys(self, definitions: Definitions) -> dict[str, tuple[str, ...]]:
        """Keys of the views asked for, with the features asked of each."""
        return view_inputs(self.asked, definitions)

    def inputs(self, definitions: Definitions) -> list[Input]:
        """All that a verdict is asked for: the views with their features, and the sources of a query."""
        asked = [Input(key, names) for key, names in self.keys(definitions).items()]
        return asked + inputs_read({one.name for one in self.queried.values()}, definitions)

    @property
    def timestamp(self) -> str:
        """Name of the column with the moments for which values are wanted."""
        known = self.rows.schema if self.rows is not None else self.columns_queried
        return EVENT_TIMESTAMP if known is None else event_timestamp_of(known)

    @property
    def numbered_rows(self) -> int | None:
        """How many entity rows are numbered on their way through the engine; None where there are none to number."""
        return None if self.rows is None else self.rows.num_rows

    @property
    def in_chunks(self) -> bool:
        """Whether an engine may finish chunks of rows where they lie: numbered, of known types, nothing added later."""
        known = self.types().keys() >= {column for _, _, column in self.columns}
        return self.numbered_rows is not None and not self.on_demand and known

    @property
    def join_keys(self) -> tuple[str, ...]:
        """Join key columns, in name order."""
        return tuple(sorted({ours for view in self.views for ours in join_keys(view)}))

    def types(self) -> dict[str, pa.DataType]:
        """Declared Arrow type of each column: of the spine, of join keys, of features."""
        known = self.rows.schema if self.rows is not None else self.columns_queried
        declared: dict[str, pa.DataType | None] = {} if known is None else {one.name: one.type for one in known}
        declared |= self._feature_types()
        for view in self.views:
            declared |= _key_types(view)
        types = {name: kind for name, kind in declared.items() if kind is not None}
        return {**types, self.timestamp: TIMESTAMP}

    def _feature_types(self) -> dict[str, pa.DataType | None]:
        """Of what is asked for and nothing else: other features of a view may have the names of other columns."""
        declared = {
            (judged_name(view), feature.name): declared_type(feature)
            for view in (*self.views, *self.on_demand)
            for feature in view.features
        }
        return {column: declared[view, name] for view, name, column in self.columns if (view, name) in declared}

    def spine_document(self, min_rows: int, answer: pa.Table | None = None) -> dict[str, Any] | None:
        """The ``spine`` of a record: rows, origin, and the digest unless so few rows could be guessed.

        :param answer: canonical rows of the retrieval, in which those that a query gave are found again
        """
        rows = self._queried_rows(answer) if self.rows is None else self.rows
        if rows is None:
            return None
        digest, count = spine_digest(rows), rows.num_rows
        return {"digest": digest if count >= min_rows else None, "rows": count, "origin": origin_of(self.spine, digest)}

    def _queried_rows(self, answer: pa.Table | None) -> pa.Table | None:
        """What the query gave, in its own types, and in the order in which it went into the join."""
        given = self.columns_queried
        if given is None or answer is None:
            return None
        rows = with_types(answer.select(given.names), stated_types(given))
        return sorted_rows(rows, [self.timestamp, *(name for name in self.join_keys if name in given.names)])


def view_inputs(asked: Iterable[tuple[str, str]], definitions: Definitions) -> dict[str, tuple[str, ...]]:
    """(view, feature) pairs as keys of ``definitions``, with the features of each; one not defined is a plain view."""
    found: dict[str, list[str]] = {}
    for view, name in sorted(asked):
        keys = (f"{kind}:{view}" for kind in ("feature_view", "stream_feature_view", "on_demand_feature_view"))
        key = next((one for one in keys if one in definitions), f"feature_view:{view}")
        found.setdefault(key, []).append(name)
    return {key: tuple(names) for key, names in found.items()}


def _key_types(view: FeatureView) -> dict[str, pa.DataType | None]:
    declared = {column.name: declared_type(column) for column in view.entity_columns}
    return {ours: declared[theirs] for ours, theirs in join_keys(view).items()}
