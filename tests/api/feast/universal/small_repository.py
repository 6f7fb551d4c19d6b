"""A governed repository made of what one test writes, used through Feast's SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.api.feast.conftest import Repository

Kind = Literal["file", "directory", "delta"]
KINDS: tuple[Kind, ...] = ("file", "directory", "delta")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

POLICY = """\
version: 1
zones: {EU: [DE, FR]}
places:
  - {match: "file://**/abroad/**", zone: FR}
  - {match: "**", zone: DE}
packs: [residency, ownership]
callers:
  - {match: "process:*", purposes: [care]}
"""
LABELS: Mapping[str, Any] = {"owner": "clinic@hospital.example", "tags": {"residency": "DE", "purpose": "care"}}
"""What a view or source of these tests must say of itself."""


def hours(number: float) -> datetime:
    """So many hours after noon."""
    return NOON + timedelta(hours=number)


@dataclass
class Small(Repository):
    """The repository; its sources are of one kind."""

    kind: Kind = "file"
    objects_applied: list[Any] = field(default_factory=list)

    def prepare(self, **offline: Any) -> Small:
        """Write the configuration."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "policy.yaml").write_text(POLICY)
        document = {
            "project": "small",
            "provider": "api.feast.GovernedProvider",
            "registry": {
                "registry_store_type": "api.feast.GovernedRegistryStore",
                "path": "data/registry",
                "enable_online_feature_view_versioning": True,
            },
            "offline_store": {"type": "api.feast.AsofOfflineStore", **offline},
            "online_store": {"type": "sqlite", "path": "data/online.db"},
            "governance": {"policy": "policy.yaml", "min_rows": 1},
            "entity_key_serialization_version": 3,
        }
        (self.path / "feature_store.yaml").write_text(yaml.safe_dump(document))
        return self

    def source(self, name: str, rows: pa.Table, **options: Any) -> Any:
        """A source of the repository's kind that holds ``rows``."""
        from feast import FileSource
        from feast.data_format import DeltaFormat, ParquetFormat

        place = self.path / "sources" / (f"{name}.parquet" if self.kind == "file" else name)
        write_rows(rows, place, self.kind)
        said = {"timestamp_field": "event_timestamp", **LABELS, **options}
        form = DeltaFormat() if self.kind == "delta" else ParquetFormat()
        return FileSource(name=name, path=str(place.relative_to(self.path)), file_format=form, **said)

    def applied(self, *objects: Any) -> Any:
        """The feature store, after ``objects`` were applied."""
        store = self.store()
        store.apply(list(objects))
        return store


def write_rows(rows: pa.Table, place: Path, kind: Kind) -> None:
    """Write ``rows`` as what such a source is made of; a directory gets two files."""
    if kind == "delta":
        from deltalake import write_deltalake

        write_deltalake(place, rows)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        pq.write_table(rows, place)
        return
    place.mkdir(parents=True)
    half = rows.num_rows // 2
    pq.write_table(rows.slice(0, half), place / "a.parquet")
    pq.write_table(rows.slice(half), place / "b.parquet")


def times(moments: Iterable[datetime]) -> pa.Array:
    """Moments as a column in UTC."""
    return pa.array(list(moments), pa.timestamp("us", "UTC"))


def view(name: str, source: Any, entities: list[Any], schema: list[Any], **options: Any) -> Any:
    """A feature view with the labels that the policy asks for."""
    from feast import FeatureView

    return FeatureView(name=name, source=source, entities=entities, schema=schema, **{**LABELS, **options})


def entity(name: str, key: str, kind: str = "INT64") -> Any:
    """An entity with one join key."""
    from feast import Entity, ValueType

    return Entity(name=name, join_keys=[key], value_type=ValueType[kind])
