"""Which files stand behind a feature view, as a run saw them."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

from feast.data_source import DataSource
from feast.feature_view import FeatureView

from api.feast.asof_store import reads_plain_parquet, source_files
from governance.places import place_of
from lineage.source import FileKey, SourceState, file_key, observe_source, unobserved_source


def observe_views(
    views: tuple[FeatureView, ...], repo: Path, cache: MutableMapping[FileKey, str]
) -> tuple[SourceState, ...]:
    """The state of the source of each view, each source once. Raises SourceUnreadable."""
    return tuple(_observe(source, repo, cache) for source in _sources(views))


def files_now(views: tuple[FeatureView, ...], repo: Path) -> tuple[tuple[str, FileKey | None], ...]:
    """Which files stand behind the views at this moment, by what is known without reading them."""
    files = [path for source in _sources(views) if reads_plain_parquet(source) for path in source_files(source, repo)]
    return tuple((str(path), file_key(path) if path.exists() else None) for path in files)


def _sources(views: tuple[FeatureView, ...]) -> list[DataSource]:
    sources: dict[str, DataSource] = {view.batch_source.name: view.batch_source for view in views if view.batch_source}
    return [source for _, source in sorted(sources.items())]


def _observe(source: DataSource, repo: Path, cache: MutableMapping[FileKey, str]) -> SourceState:
    if not reads_plain_parquet(source):
        return unobserved_source(source.name, f"{type(source).__name__.lower()}://{source.name}")
    return observe_source(source.name, place_of(source.path, base=repo), source_files(source, repo), cache)
