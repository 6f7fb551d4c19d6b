"""``OpenAsofOfflineStore``: the store as Feast's universal tests call it, without a governed provider around it.

Outside acts of the governed provider an :class:`AsofOfflineStore` refuses. Here each call, and each way out of its
jobs, is such an act; nothing else differs. For tests alone: what it gives is neither decided nor recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob
from feast.saved_dataset import SavedDatasetStorage

from api.feast.asof_store import AsofOfflineStore, AsofOfflineStoreConfig
from api.feast.own_acts import own_act


class OpenAsofOfflineStoreConfig(AsofOfflineStoreConfig):
    """The same settings."""

    type: str = "tests.api.feast.universal.open_store.OpenAsofOfflineStore"


class OpenJob(RetrievalJob):
    """A job of the store, each way out an act of its own."""

    def __init__(self, job: RetrievalJob) -> None:
        self._job = job

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        with own_act():
            return self._job._to_arrow_internal(timeout)

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        with own_act():
            return self._job._to_df_internal(timeout)

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,  # noqa: FBT001, FBT002 # Feast's signature
        timeout: int | None = None,
    ) -> None:
        with own_act():
            self._job.persist(storage, allow_overwrite, timeout)

    def supports_remote_storage_export(self) -> bool:
        return self._job.supports_remote_storage_export()

    def to_remote_storage(self) -> list[str]:
        with own_act():
            return self._job.to_remote_storage()

    @property
    def full_feature_names(self) -> bool:
        return self._job.full_feature_names

    @property
    def on_demand_feature_views(self) -> list[Any]:
        return self._job.on_demand_feature_views

    @property
    def metadata(self) -> Any:
        return self._job.metadata


def _opened(way: Callable[..., Any]) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        with own_act():
            answer = way(*arguments, **options)
        return OpenJob(answer) if isinstance(answer, RetrievalJob) else answer

    return staticmethod(call)


class OpenAsofOfflineStore(AsofOfflineStore, OfflineStore):
    """The store, open to everybody."""

    get_historical_features = _opened(AsofOfflineStore.get_historical_features)
    pull_latest_from_table_or_query = _opened(AsofOfflineStore.pull_latest_from_table_or_query)
    pull_all_from_table_or_query = _opened(AsofOfflineStore.pull_all_from_table_or_query)
    offline_write_batch = _opened(AsofOfflineStore.offline_write_batch)
    write_logged_features = _opened(AsofOfflineStore.write_logged_features)
