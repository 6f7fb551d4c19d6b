"""``AsofOfflineStore``: Feast's file sources joined point-in-time by ``lineage.asof``.

    offline_store: {type: api.feast.AsofOfflineStore, memory_limit: 2GiB}

It gives and takes rows within acts of the governed provider only, because Feast's offline server builds it straight
from the configuration, past any provider. It inherits nothing from Feast's own DuckDB store, which would bring ways
to read and write files past those acts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.utils import compute_non_entity_date_range

from api.feast.asof_job import AsofRetrievalJob
from api.feast.asof_views import feature_table, join_keys
from api.feast.entity_source import EntitySource, entity_source
from api.feast.feature_refs import view_and_feature
from api.feast.offline_files import Staging, append_logs, append_to_source, logged_rows
from api.feast.on_demand import for_many_rows
from api.feast.own_acts import refuse_outside_acts
from api.feast.requested_on_demand import requested_on_demand
from api.feast.source_rows import column_types, dataset_of, refuse_unreadable
from lineage.asof import FeatureTable, point_in_time_join
from lineage.asof_range import features_in_range
from lineage.duckdb_engine import Limits
from lineage.time_range import rows_between

__all__ = ["AsofOfflineStore", "AsofOfflineStoreConfig", "AsofRetrievalJob"]


class AsofOfflineStoreConfig(FeastConfigBaseModel):
    """``offline_store:`` block of an :class:`AsofOfflineStore`."""

    type: str = "api.feast.AsofOfflineStore"

    memory_limit: str | None = None
    """How much memory a retrieval may take: a number and a unit, such as ``2GiB``."""

    threads: int | None = None
    """How many processors a retrieval may use."""

    spill_directory: str | None = None
    """Where rows lie meanwhile that do not fit into memory; relative to the repository."""

    staging_location: str | None = None
    """Where ``to_remote_storage()`` writes: a directory, or ``s3://bucket/prefix``."""

    staging_location_endpoint_override: str | None = None
    """Endpoint of an S3 store that is not AWS's."""


class AsofOfflineStore(OfflineStore):
    """Offline store over files; the join runs when the job is asked for its rows."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """A job that joins ``feature_views`` to entity rows, or gives what they hold in a date range.

        :param entity_df: a DataFrame, Arrow table or Polars frame; SQL over names of data sources; None for the range
        """
        refuse_outside_acts("AsofOfflineStore.get_historical_features()")
        repo, limits = _repo(config), limits_of(config)
        on_demand = list(requested_on_demand(feature_refs, registry, project))
        keys = sorted({key for view in feature_views for key in join_keys(view)})

        def tables() -> list[FeatureTable]:
            # files are listed here, not above: what a run observed and what it read must be the same files
            return [
                feature_table(view, feature_refs, repo=repo, full_names=full_feature_names) for view in feature_views
            ]

        for view in feature_views:
            refuse_unreadable(view.batch_source, repo)
        if entity_df is None:
            span = compute_non_entity_date_range(feature_views, start_date=start_date, end_date=end_date)
            join = _in_range(tables, span, limits, filter_by_created=filter_by_created_timestamp)
            metadata = RetrievalMetadata(feature_refs, keys, *span)
        else:
            rows = entity_source(entity_df, registry=registry, project=project, repo=repo, keys=keys, limits=limits)
            rows.require_request_data(on_demand)
            join = _at_entity_rows(tables, rows, limits, filter_by_created=filter_by_created_timestamp)
            columns = sorted(set(rows.schema.names) - {rows.event_timestamp})
            metadata = RetrievalMetadata(feature_refs, columns, *rows.times)
        metadata.features = [":".join(view_and_feature(ref)) for ref in feature_refs]
        return AsofRetrievalJob(
            join,
            [for_many_rows(view) for view in on_demand],
            full_names=full_feature_names,
            metadata=metadata,
            repo=repo,
            staging=Staging.of(config),
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
            created=created_timestamp_column or None,
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
    def offline_write_batch(
        config: RepoConfig, feature_view: FeatureView, table: pa.Table, progress: Callable[[int], Any] | None
    ) -> None:
        """Add ``table`` to the files behind ``feature_view``. Raises SourceUnreadable, LossyCast."""
        refuse_outside_acts("AsofOfflineStore.offline_write_batch()")
        append_to_source(table, feature_view.batch_source, _repo(config))
        if progress:
            progress(table.num_rows)

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,  # noqa: ARG004 # Feast passes it by name
        logging_config: LoggingConfig,
        registry: BaseRegistry,  # noqa: ARG004 # likewise
    ) -> None:
        """Add served values to the files of ``logging_config``. Raises SourceUnreadable, LossyCast."""
        refuse_outside_acts("AsofOfflineStore.write_logged_features()")
        append_logs(logged_rows(data), logging_config.destination, _repo(config))

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """Names and Arrow types of the columns of a source, without a download. Raises SourceUnreadable."""
        return column_types(data_source, _repo(config))


def limits_of(config: RepoConfig) -> Limits:
    """How much of the machine the configuration lets a retrieval take. Raises ConfigurationError."""
    store = config.offline_store
    spill = getattr(store, "spill_directory", None)
    return Limits(
        getattr(store, "memory_limit", None),
        getattr(store, "threads", None),
        None if spill is None else _repo(config) / Path(spill).expanduser(),
    )


def _repo(config: RepoConfig) -> Path:
    return Path(config.repo_path or "")


def _at_entity_rows(
    tables: Callable[[], list[FeatureTable]], rows: EntitySource, limits: Limits, *, filter_by_created: bool
) -> Callable[[], pa.Table]:
    return lambda: point_in_time_join(
        rows.rows(),
        tables(),
        event_timestamp=rows.event_timestamp,
        filter_by_created=filter_by_created,
        limits=limits,
    )


def _in_range(
    tables: Callable[[], list[FeatureTable]],
    span: tuple[datetime, datetime],
    limits: Limits,
    *,
    filter_by_created: bool,
) -> Callable[[], pa.Table]:
    start, end = span
    return lambda: features_in_range(tables(), start=start, end=end, filter_by_created=filter_by_created, limits=limits)


def _range_job(config: RepoConfig, source: DataSource, **asked: Any) -> AsofRetrievalJob:
    repo, limits = _repo(config), limits_of(config)
    refuse_unreadable(source, repo)
    return AsofRetrievalJob(
        lambda: rows_between(dataset_of(source, repo), **asked, limits=limits),
        [],
        full_names=False,
        metadata=None,
        repo=repo,
    )
