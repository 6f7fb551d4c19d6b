"""A temporary Feast repository over the files of a shape, governed or as Feast has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from retrieval_data import TTL, Shape

if TYPE_CHECKING:
    from feast import FeatureStore

POLICY = """version: 1
zones: {EU: [DE]}
places: [{match: "file://**", zone: DE}]
packs: [residency, ownership]
callers: [{match: "process:*", purposes: [research]}]
"""
LABELS = {"residency": "EU", "purpose": "research"}


def feature_store(place: Path, shape: Shape, data: Path, *, store: dict[str, Any], governed: bool) -> FeatureStore:
    """The repository with everything applied."""
    from feast import FeatureStore

    config: dict[str, Any] = {"project": "bench", "provider": "local", "registry": "registry.db"}
    if governed:
        registry = {"registry_store_type": "api.feast.GovernedRegistryStore", "path": "data/registry"}
        config.update(provider="api.feast.GovernedProvider", registry=registry, governance={"policy": "policy.yaml"})
        (place / "policy.yaml").write_text(POLICY)
        _write_suite(place / "expectations", shape)
    config |= {"offline_store": store, "online_store": None, "entity_key_serialization_version": 3}
    (place / "feature_store.yaml").write_text(yaml.safe_dump(config))
    found = FeatureStore(repo_path=str(place))
    found.apply(_definitions(shape, data))
    return found


def _definitions(shape: Shape, data: Path) -> list[Any]:
    from feast import Entity, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64

    kind = ValueType.STRING if shape.words else ValueType.INT64
    entity = Entity(name="entity", join_keys=["entity"], value_type=kind, owner="bench", tags=LABELS)
    definitions: list[Any] = [entity]
    for view in range(shape.views):
        source = FileSource(
            name=f"source_{view}",
            path=str(shape.source(data, view)),
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
            owner="bench",
            tags=LABELS,
        )
        fields = [Field(name=name, dtype=Float64) for name in shape.names(view)]
        definitions += [
            source,
            FeatureView(
                name=f"view_{view}",
                entities=[entity],
                schema=fields,
                source=source,
                ttl=TTL,
                online=False,
                owner="bench",
                tags=LABELS,
            ),
        ]
    return definitions


def _write_suite(folder: Path, shape: Shape) -> None:
    """A suite for the first view, of what such suites ordinarily hold."""
    folder.mkdir()
    names = shape.names(0)
    expectations = [
        _expected("expect_column_values_to_not_be_null", column="entity"),
        _expected("expect_column_values_to_not_be_null", column="event_timestamp"),
        _expected("expect_column_values_to_be_between", column=names[0], min_value=-100, max_value=100),
        _expected("expect_column_values_to_be_between", column=names[1], min_value=-100, max_value=100),
        _expected("expect_column_mean_to_be_between", column=names[2], min_value=-100, max_value=100),
        _expected("expect_column_values_to_not_be_null", column=names[3], mostly=0.5),
    ]
    suite = {"name": "view_0", "meta": {"great_expectations_version": "1.24.1"}, "expectations": expectations}
    (folder / "view_0.json").write_text(json.dumps(suite))


def _expected(kind: str, **arguments: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": arguments, "meta": {}, "severity": "critical"}
