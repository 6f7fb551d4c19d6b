"""Which files stand behind a feature view, as a run saw them."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.file_source import FileSource

from api.feast.asof_store import source_files
from governance.places import place_of
from lineage.source import FileKey, SourceState, observe_source, unobserved_source


def observe_views(views: tuple[FeatureView, ...], repo: Path, cache: MutableMapping[FileKey, str]) -> tuple[SourceState, ...]:
    """The state of the source of each view, each source once. Raises SourceUnreadable."""
    sources: dict[str, DataSource] = {view.batch_source.name: view.batch_source for view in views if view.batch_source}
    return tuple(_observe(source, repo, cache) for _, source in sorted(sources.items()))


def _observe(source: DataSource, repo: Path, cache: MutableMapping[FileKey, str]) -> SourceState:
    if not isinstance(source, FileSource) or "://" in source.path.removeprefix("file://"):
        return unobserved_source(source.name, f"{type(source).__name__.lower()}://{source.name}")
    return observe_source(source.name, place_of(source.path, base=repo), source_files(source, repo), cache)
