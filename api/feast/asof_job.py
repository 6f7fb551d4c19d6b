"""The job of an :class:`AsofOfflineStore`: rows that are computed when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage

from api.feast.denial import NotOffered
from api.feast.offline_files import Staging, save
from api.feast.own_acts import refuse_outside_acts


class AsofRetrievalJob(RetrievalJob):
    """The rows of one retrieval, computed when asked for, each time anew.

    :param join: computes them, on-demand views not included.
    :param staging: where ``to_remote_storage()`` writes; None where the configuration names no place.
    """

    def __init__(
        self,
        join: Callable[[], pa.Table],
        on_demand_feature_views: list[OnDemandFeatureView],
        *,
        full_names: bool,
        metadata: RetrievalMetadata | None,
        repo: Path,
        staging: Staging | None = None,
    ) -> None:
        self._join, self._views, self._full_names = join, on_demand_feature_views, full_names
        self._metadata, self._repo, self._staging = metadata, repo, staging

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
        """Write the rows to the file, directory or Delta table of ``storage``. Raises NotOffered for another."""
        if not isinstance(storage, SavedDatasetFileStorage):
            raise NotOffered(f"AsofOfflineStore writes files; found a {type(storage).__name__}.")
        save(self.to_arrow(timeout=timeout), storage, self._repo, allow_overwrite=allow_overwrite)

    def supports_remote_storage_export(self) -> bool:
        """Whether the configuration names a ``staging_location``."""
        return self._staging is not None

    def to_remote_storage(self) -> list[str]:
        """Write the rows as a Parquet file below the staging location; gives its URI. Raises NotOffered without one."""
        if self._staging is None:
            raise NotOffered(
                "to_remote_storage() needs a place to write to. Set `offline_store: staging_location:` to a directory"
                " or to s3://bucket/prefix."
            )
        return self._staging.export(self.to_arrow())
