"""The door to Feast: what a ``feature_store.yaml`` names to become governed.

    provider: api.feast.GovernedProvider
    registry: {registry_store_type: api.feast.GovernedRegistryStore, path: data/registry}
    offline_store: {type: api.feast.AsofOfflineStore}   # or api.feast.GovernedOfflineStore, before one of Feast's

Feast takes seconds to import, so nothing here is imported before it is named.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "GovernedProvider": "api.feast.provider",
    "GovernedRegistryStore": "api.feast.registry_store",
    "AsofOfflineStore": "api.feast.asof_store",
    "AsofOfflineStoreConfig": "api.feast.asof_store",
    "GovernedOfflineStore": "api.feast.governed_offline_store",
    "GovernedOfflineStoreConfig": "api.feast.governed_offline_store",
}

__all__ = [
    "AsofOfflineStore",
    "AsofOfflineStoreConfig",
    "GovernedOfflineStore",
    "GovernedOfflineStoreConfig",
    "GovernedProvider",
    "GovernedRegistryStore",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
