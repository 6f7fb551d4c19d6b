"""The Ray cluster of Feast's Ray store: tasks on it, and the sources as that store reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from feast.data_format import ParquetFormat
from feast.feature_view import FeatureView
from feast.feature_view_utils import resolve_feature_view_source_with_fallback
from feast.infra.offline_stores.contrib.ray_offline_store.ray import RayOfflineStore
from feast.infra.offline_stores.file_source import FileSource
from feast.repo_config import RepoConfig

from api.feast.denial import NotOffered
from lineage.asof import FeatureTable
from lineage.distributed_join import sole

PARTITION_BYTES = 64 * 2**20
"""of a source, in memory; a partition is joined in one task"""


@dataclass(frozen=True)
class RayCluster:
    """The cluster that the configuration of Feast's Ray store names."""

    config: RepoConfig

    def __post_init__(self) -> None:
        RayOfflineStore._ensure_ray_initialized(self.config)  # noqa: SLF001 - Feast has no other way to its cluster

    def run(self, work: Callable[..., Any], *arguments: Any, results: int = 1) -> Any:
        """A reference to what ``work`` gives, which runs on some worker; of several results, one to each."""
        options = dict(self.config.offline_store.worker_task_options or {})
        return ray.remote(work).options(**options, num_returns=results).remote(*arguments)

    def run_all(self, results: int, work: Callable[..., Sequence[Any]], *arguments: Any) -> list[Any]:
        """A reference to each of the ``results`` that ``work`` gives."""
        if results == 1:
            return [self.run(sole, work, *arguments)]
        return list(self.run(work, *arguments, results=results))

    def blocks(self, view: FeatureView, table: FeatureTable) -> tuple[list[Any], int]:
        """References to Arrow tables with the source's rows in their order, and how many partitions to make."""
        found = resolve_feature_view_source_with_fallback(view, self.config)
        if found.has_transformation:
            raise NotOffered(f"The view {view.name} is transformed when it is read, which nothing here records.")
        _refuse_misread(found.data_source)
        times = [table.timestamp, *([table.created] if table.created else [])]
        columns = list(dict.fromkeys([*table.keys.values(), *times, *table.features.values()]))
        with _plain_reads():
            data = RayOfflineStore()._resolve_source_dataset(found.data_source, self.config, columns)  # noqa: SLF001 - Feast has no other way to its readers
        if not isinstance(data, ray.data.Dataset):
            raise NotOffered("A Ray cluster behind CodeFlare hands out no rows. Connect by ray_address: instead.")
        data.context.execution_options.preserve_order = True  # of rows of the same time the later one counts
        refs = data.to_arrow_refs()
        return refs, max(1, -(-(data.size_bytes() or 0) // PARTITION_BYTES))


def _refuse_misread(source: Any) -> None:
    """Raise NotOffered for files that Feast's Ray store would read as something else, or elsewhere."""
    if isinstance(source, FileSource) and (
        not isinstance(source.file_format, ParquetFormat | None) or source.s3_endpoint_override
    ):
        raise NotOffered(
            f"The source {source.name} is no plain Parquet, or at an S3 endpoint of its own: Feast's Ray store would"
            " read deleted rows, or ask another endpoint. Use api.feast.AsofOfflineStore for it."
        )


@contextmanager
def _plain_reads() -> Iterator[None]:
    """Within, Ray lists files in its older way: the one of Ray 2.60 was seen to wait 20 s for its own threads."""
    context = ray.data.DataContext.get_current()
    before, context.use_datasource_v2 = context.use_datasource_v2, False
    try:
        yield
    finally:
        context.use_datasource_v2 = before
