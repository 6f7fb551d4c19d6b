"""Opening the feature store of a governed repository, for those of our own doors that use it."""

from __future__ import annotations

from pathlib import Path

from feast import FeatureStore


def feature_store(repo: Path) -> FeatureStore:
    """Feast's own FeatureStore over ``repo``; governed because the repository's configuration says so."""
    return FeatureStore(repo_path=str(repo))
