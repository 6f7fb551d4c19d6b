"""The two configurations that benchmarks compare: Feast as it comes, and the same governed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

POLICY = """version: 1
zones: {EU: [DE, FR]}
places: [{match: "file://**", zone: DE}]
packs: [residency, ownership]
"""
PLAIN: dict[str, Any] = {
    "project": "bench",
    "provider": "local",
    "registry": {"path": "data/registry.db"},
    "offline_store": {"type": "duckdb"},
    "online_store": {"type": "sqlite", "path": "data/online.db"},
    "entity_key_serialization_version": 3,
}
GOVERNED = {
    **PLAIN,
    "provider": "api.feast.GovernedProvider",
    "registry": {"registry_store_type": "api.feast.GovernedRegistryStore", "path": "data/registry"},
    "offline_store": {"type": "api.feast.AsofOfflineStore"},
    "governance": {"policy": "policy.yaml"},
}


def repository(path: Path, configuration: Mapping[str, Any]) -> Path:
    """An empty Feast repository with that configuration."""
    (path / "data").mkdir(parents=True)
    (path / "feature_store.yaml").write_text(yaml.safe_dump(dict(configuration)))
    (path / "policy.yaml").write_text(POLICY)
    return path
