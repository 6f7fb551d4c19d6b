"""What a caller asks for who wants stored rows back: a saved dataset, or the logs of a feature service.

It is a retrieval without entity rows, from files that an earlier act wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_logging import LOG_TIMESTAMP_FIELD
from feast.feature_service import FeatureService
from feast.feature_view import FeatureView
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDataset
from feast.utils import make_tzaware

from api.feast.denial import NotOffered
from api.feast.feature_refs import view_and_feature
from api.feast.request import view_inputs
from api.feast.source_labels import inputs_at
from api.feast.sources import lineage_source
from governance.assets import Definitions, Input
from governance.canonical import json_sha256, rfc3339
from lineage.canonical_table import TIMESTAMP
from lineage.entity_rows import EVENT_TIMESTAMP


@dataclass(frozen=True)
class PullRequest:
    """One call for the rows of files that an earlier act wrote."""

    object: str
    """what they are called: ``saved_dataset:training``, ``feature_service:risk``"""
    asked: frozenset[tuple[str, str]]
    """(view, feature) of the values in them"""
    columns: tuple[tuple[str, str, str], ...]
    """(view, feature, column)"""
    source: DataSource
    timestamp: str
    join_keys: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    purpose: str | None
    places: tuple[str, ...] = ()
    """where the files lie, as policies name it"""
    views: tuple[FeatureView, ...] = ()
    on_demand: tuple[OnDemandFeatureView, ...] = ()
    numbered_rows: None = None
    spine: None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refs(self) -> tuple[str, ...]:
        """The same as Feast writes them."""
        return tuple(sorted(f"{view}:{feature}" for view, feature in self.asked))

    @property
    def read(self) -> tuple[FeatureView | DataSource, ...]:
        """What the retrieval reads."""
        return (self.source,)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The request as JSON."""
        ends = {"start_date": self.start, "end_date": self.end}
        span = {name: None if at is None else rfc3339(at) for name, at in ends.items()}
        return {"features": list(self.refs), "object": self.object, "options": span, "purpose": self.purpose}

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the request."""
        return json_sha256(self.document)

    def inputs(self, definitions: Definitions) -> list[Input]:
        """All that a verdict is asked for.

        That is the values' views, the thing itself where the registry has it, and whatever else is said of its files:
        the names of features are the caller's word.
        """
        asked = [Input(key, names) for key, names in view_inputs(self.asked, definitions).items()]
        itself = [Input(self.object)] if self.object in definitions else []
        return list(dict.fromkeys([*asked, *itself, *inputs_at(self.places, definitions)]))

    def types(self) -> dict[str, pa.DataType]:
        """Columns keep the types they were written in; times are UTC."""
        return {self.timestamp: TIMESTAMP}

    def spine_document(self, _min_rows: int, _answer: pa.Table | None = None) -> None:
        """There are no entity rows."""


def saved_dataset_request(dataset: SavedDataset, purpose: str | None, repo: Path) -> PullRequest:
    """What is asked for by ``get_saved_dataset()``. Raises NotOffered for one that does not lie in files."""
    source = dataset.storage.to_data_source()
    files = lineage_source(source, repo)
    if files is None:
        raise NotOffered(
            f"The saved dataset {dataset.name} lies in a {type(dataset.storage).__name__}, where nobody recorded what"
            " was put. Save it with SavedDatasetFileStorage."
        )
    pairs = [view_and_feature(ref) for ref in dataset.features]
    full, last = dataset.full_feature_names, _aware(dataset.max_event_timestamp)
    columns = tuple((view, name, f"{view.split('@')[0]}__{name}" if full else name) for view, name in sorted(pairs))
    return PullRequest(
        object=f"saved_dataset:{dataset.name}",
        asked=frozenset(pairs),
        columns=columns,
        source=source,
        timestamp=EVENT_TIMESTAMP,
        join_keys=tuple(sorted(dataset.join_keys)),
        start=_aware(dataset.min_event_timestamp),
        end=None if last is None else last + timedelta(seconds=1),  # so far Feast's provider reads
        purpose=purpose,
        places=(files.uri,),
    )


def logs_request(service: FeatureService, start: datetime, end: datetime, purpose: str | None) -> PullRequest:
    """What is asked for by ``retrieve_feature_service_logs()``. Raises NotOffered for a service without logs."""
    if service.logging_config is None:
        raise NotOffered(f"The feature service {service.name} has no logging_config, so it has no logs.")
    values = [
        (projection.name, feature.name, f"{projection.name_to_use()}__{feature.name}")
        for projection in service.feature_view_projections
        for feature in projection.features
    ]
    return PullRequest(
        object=f"feature_service:{service.name}",
        asked=frozenset((view, feature) for view, feature, _ in values),
        columns=tuple(sorted(values)),
        source=service.logging_config.destination.to_data_source(),
        timestamp=LOG_TIMESTAMP_FIELD,
        join_keys=(),
        start=start,
        end=end,
        purpose=purpose,
    )


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else make_tzaware(moment)
