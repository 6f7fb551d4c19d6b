"""``AsofOfflineStore``: Feast's file sources joined point-in-time by DuckDB's ASOF join.

It gives rows within acts of the governed provider only, because Feast's offline server builds it straight from the
configuration, past any provider. What is left of Feast's own DuckDB store gives names and types of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores import offline_utils
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig
from feast.infra.offline_stores.file_source import FileSource, SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDatasetStorage

from api.feast.denial import NotOffered
from api.feast.guarded_stores import refuse_offline_write
from api.feast.own_acts import refuse_outside_acts
from lineage.asof import FeatureTable, point_in_time_join
from lineage.entity_rows import spine_table
from lineage.errors import SourceUnreadable
from lineage.time_range import rows_between


class AsofOfflineStoreConfig(DuckDBOfflineStoreConfig):
    """``offline_store:`` block of an :class:`AsofOfflineStore`."""

    type: str = "api.feast.AsofOfflineStore"


class AsofOfflineStore(DuckDBOfflineStore):
    """Offline store over Parquet files; the join runs when the job is asked for its rows."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **_range: datetime,
    ) -> RetrievalJob:
        """A job that joins ``feature_views`` to the rows of ``entity_df``. Raises NotOffered for other spines."""
        refuse_outside_acts("AsofOfflineStore.get_historical_features()")
        if not isinstance(entity_df, pd.DataFrame):
            raise NotOffered(
                "AsofOfflineStore takes entity rows as a pandas DataFrame;"
                f" found {'a date range' if entity_df is None else type(entity_df).__name__}."
                " Pass entity_df=DataFrame, or configure Feast's dask store for a retrieval by date range."
            )
        timestamp = offline_utils.infer_event_timestamp_from_entity_df(dict(entity_df.dtypes))
        for view in feature_views:
            _local(view.batch_source)

        def join() -> pa.Table:
            # files are listed here, not above: what a run observed and what it read must be the same files
            tables = [
                _feature_table(view, feature_refs, config=config, full_names=full_feature_names)
                for view in feature_views
            ]
            return point_in_time_join(
                spine_table(entity_df), tables, event_timestamp=timestamp, filter_by_created=filter_by_created_timestamp
            )

        metadata = RetrievalMetadata(
            features=feature_refs,
            keys=sorted(set(entity_df.columns) - {timestamp}),
            min_event_timestamp=entity_df[timestamp].min(),
            max_event_timestamp=entity_df[timestamp].max(),
        )
        views = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        return AsofRetrievalJob(
            join, views, full_names=full_feature_names, metadata=metadata, repo=Path(config.repo_path or "")
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """A job that gives the latest row of each entity in the range."""
        refuse_outside_acts("AsofOfflineStore.pull_latest_from_table_or_query()")
        times = [timestamp_field, *filter(None, [created_timestamp_column])]
        return _range_job(
            config,
            data_source,
            columns=[*join_key_columns, *feature_name_columns, *times],
            timestamp=timestamp_field,
            start=start_date,
            end=end_date,
            latest_of=join_key_columns,
            created=created_timestamp_column,
        )

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """A job that gives every row in the range: what a materialization reads where not only the latest counts."""
        refuse_outside_acts("AsofOfflineStore.pull_all_from_table_or_query()")
        times = [timestamp_field, *filter(None, [created_timestamp_column])]
        columns = [*join_key_columns, *feature_name_columns, *times]
        return _range_job(
            config, data_source, columns=columns, timestamp=timestamp_field, start=start_date, end=end_date
        )

    @staticmethod
    def offline_write_batch(*_arguments: Any, **_options: Any) -> NoReturn:
        """Refused: the files of a source would change unrecorded."""
        refuse_offline_write("AsofOfflineStore.offline_write_batch")

    @staticmethod
    def write_logged_features(*_arguments: Any, **_options: Any) -> NoReturn:
        """Refused: served values would be kept unrecorded."""
        refuse_offline_write("AsofOfflineStore.write_logged_features")

    @staticmethod
    def compute_monitoring_metrics(*_arguments: Any, **_options: Any) -> NoReturn:
        """Refused: it summarizes rows, without a verdict."""
        refuse_offline_write("AsofOfflineStore.compute_monitoring_metrics")

    @staticmethod
    def get_monitoring_max_timestamp(*_arguments: Any, **_options: Any) -> NoReturn:
        """Refused: it reads rows, without a verdict."""
        refuse_offline_write("AsofOfflineStore.get_monitoring_max_timestamp")


class AsofRetrievalJob(RetrievalJob):
    """The rows of one point-in-time join, computed when asked for."""

    def __init__(
        self,
        join: Callable[[], pa.Table],
        on_demand_feature_views: list[OnDemandFeatureView],
        *,
        full_names: bool,
        metadata: RetrievalMetadata | None,
        repo: Path,
    ) -> None:
        self._join, self._views, self._full_names = join, on_demand_feature_views, full_names
        self._metadata, self._repo = metadata, repo

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        refuse_outside_acts("The job of an AsofOfflineStore")
        return self._join()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas()

    @property
    def full_feature_names(self) -> bool:
        """Whether columns carry their view's name."""
        return self._full_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views that Feast computes from the joined rows."""
        return self._views

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked."""
        return self._metadata

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Write the rows as one Parquet file to ``storage``. Raises NotOffered for one that is no file."""
        if not isinstance(storage, SavedDatasetFileStorage):
            raise NotOffered(f"AsofOfflineStore writes files; found a {type(storage).__name__}.")
        write_parquet(self.to_arrow(timeout=timeout), storage, self._repo, allow_overwrite=allow_overwrite)


def write_parquet(table: pa.Table, storage: SavedDatasetFileStorage, repo: Path, *, allow_overwrite: bool) -> None:
    """Write ``table`` to the file of a saved dataset, below ``repo`` if relative.

    Raises NotOffered for another file system, and Feast's SavedDatasetLocationAlreadyExists.
    """
    import pyarrow.parquet as pq
    from feast.errors import SavedDatasetLocationAlreadyExists

    if "://" in storage.file_options.uri.removeprefix("file://"):
        raise NotOffered(
            f"{storage.file_options.uri} is no local path. Write to one, or take to_arrow() and write it yourself."
        )
    path = Path(FileSource.get_uri_for_file_path(repo, storage.file_options.uri).removeprefix("file://"))
    if path.exists() and not allow_overwrite:
        raise SavedDatasetLocationAlreadyExists(location=storage.file_options.uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def reads_plain_parquet(source: DataSource | None) -> TypeGuard[FileSource]:
    """Whether a source is local Parquet files and nothing else."""
    if not isinstance(source, FileSource) or "://" in source.path.removeprefix("file://"):
        return False
    return isinstance(source.file_format, ParquetFormat | None)


def source_files(source: FileSource, repo: Path) -> list[Path]:
    """The local Parquet files of a source: the file, all files of a directory, or those that a glob matches."""
    path = Path(FileSource.get_uri_for_file_path(repo, source.path).removeprefix("file://"))
    if path.is_dir():
        return sorted(p for p in path.rglob("*.parquet") if not p.name.startswith((".", "_")))
    if any(mark in path.name for mark in "*?["):
        return sorted(path.parent.glob(path.name))
    return [path]


def _feature_table(view: FeatureView, refs: list[str], *, config: RepoConfig, full_names: bool) -> FeatureTable:
    source, projection = _local(view.batch_source), view.projection
    theirs = {new: old for old, new in source.field_mapping.items()}
    prefix, base = projection.name_to_use(), projection.name_alias or view.name
    asked = [ref.split(":", 1)[1] for ref in refs if ref.split(":", 1)[0] == prefix]
    keys = {projection.join_key_map.get(column.name, column.name): column.name for column in view.entity_columns}
    return FeatureTable(
        rows=_dataset(source, Path(config.repo_path or "")),
        features={f"{base}__{name}" if full_names else name: theirs.get(name, name) for name in asked},
        keys={ours: theirs.get(name, name) for ours, name in keys.items() if name != "__dummy_id"},
        timestamp=theirs.get(source.timestamp_field, source.timestamp_field),
        created=theirs.get(source.created_timestamp_column, source.created_timestamp_column) or None,
        ttl=view.ttl,
    )


def _range_job(config: RepoConfig, source: DataSource, **asked: Any) -> AsofRetrievalJob:
    repo = Path(config.repo_path or "")
    local = _local(source)
    return AsofRetrievalJob(
        lambda: rows_between(_dataset(local, repo), **asked), [], full_names=False, metadata=None, repo=repo
    )


def _local(source: DataSource | None) -> FileSource:
    if not reads_plain_parquet(source):
        raise NotOffered(
            f"Found a {type(source).__name__} {getattr(source, 'name', '')} at {getattr(source, 'path', 'no path')}."
            " AsofOfflineStore reads local Parquet files, and no table format, whose files hold deleted rows too;"
            " configure one of Feast's offline stores for other sources."
        )
    return source


def _dataset(source: FileSource, repo: Path) -> Any:
    files = source_files(source, repo)
    try:
        return ds.dataset([str(path) for path in files], format="parquet")
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceUnreadable(
            f"The source {source.name} at {source.path} cannot be read: {str(error).splitlines()[0]}. Expected Parquet"
            " files; create them or correct the path of the source."
        ) from error
