"""Point-in-time retrieval on Feast's Ray store: its cluster and its sources, and the exact join of ``lineage.asof``.

Feast's own Ray join is not used. It takes no notice of a view's TTL, cuts every time down to its second (so that a
value of the same second counts before it was there), drops entity rows that are equal or have a null key, and finds
nothing beyond an hour's window where a source is large. See ``docs/engines.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import ray
from feast.feature_view import FeatureView
from feast.feature_view_utils import resolve_feature_view_source_with_fallback
from feast.infra.offline_stores.contrib.ray_offline_store.ray import RayOfflineStore
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig
from ray.exceptions import RayTaskError

from api.feast.asof_views import asked_of
from api.feast.denial import NotOffered
from api.feast.own_acts import refuse_outside_acts
from api.feast.request import RetrievalRequest
from governance.errors import ProvenderError
from lineage.asof import FeatureTable
from lineage.canonical_table import ROW
from lineage.distributed import ChunkPlan, stored_chunks
from lineage.distributed_join import (
    PartitionedJoin,
    answered_chunk,
    assembled_chunk,
    joined_partition,
    sole,
    source_partitions,
    spine_partitions,
)
from lineage.opened_snapshot import OpenSnapshot
from lineage.td1 import CHUNK_ROWS

_PARTITION_BYTES = 64 * 2**20
"""of a source, in memory; a partition is joined in one task"""


class RayRows(RetrievalJob):
    """The rows of one retrieval, computed on Ray when they are asked for."""

    engine = "Ray"

    def __init__(self, config: RepoConfig, request: RetrievalRequest, rows: pa.Table) -> None:
        self._config, self._request, self._rows = config, request, rows

    def chunk_answers(self, plan: ChunkPlan) -> list[str]:
        """Each chunk of 65,536 entity rows finished by the worker that holds it; see ``lineage.distributed``."""
        return self._finished(lambda number: (answered_chunk, plan, number)) if plan.rows else []

    def stored(self, snapshot: OpenSnapshot) -> ray.data.Dataset:
        """The rows of ``snapshot``, a block for each chunk, which a worker verifies as it reads it."""
        return stored_dataset(snapshot)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return pa.concat_tables(self._finished(lambda _: (assembled_chunk,)))

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas()

    def _finished(self, task: Callable[[int], tuple[Any, ...]]) -> list[Any]:
        """What the task of each chunk gives; it gets the chunk, and what was found in each partition of each view."""
        refuse_outside_acts("The job of a RayOfflineStore")
        with _plain_errors():
            cluster = _Cluster(self._config)
            spine = self._rows.append_column(ROW, pa.array(range(self._rows.num_rows), pa.int64()))
            chunks = [ray.put(spine.slice(at, CHUNK_ROWS)) for at in range(0, spine.num_rows or 1, CHUNK_ROWS)]
            views = [self._joined(cluster, view, spine, chunks) for view in self._request.views]
            made = [
                cluster.run(*task(number), chunk, [len(view) for view in views], *_of(views, number))
                for number, chunk in enumerate(chunks)
            ]
            return list(ray.get(made))

    def _joined(self, cluster: _Cluster, view: FeatureView, spine: pa.Table, chunks: Sequence[Any]) -> list[list[Any]]:
        """References to what was found: for each partition, for each chunk of the spine."""
        table = asked_of(view, self._request.refs, full_names=self._request.full_feature_names)
        if not table.features:
            return []
        blocks, partitions = cluster.blocks(view, table)
        types = self._request.types()
        join = PartitionedJoin(
            table,
            types={name: types[name] for name in table.keys},
            event_timestamp=self._request.timestamp,
            filter_by_created=bool(self._request.options.get("filter_by_created_timestamp", False)),
            partitions=partitions if table.keys else 1,
            reach=_reach(spine.column(self._request.timestamp)),
        )
        cut = [cluster.run_all(join.partitions, spine_partitions, join, chunk) for chunk in chunks]
        cut += [cluster.run_all(join.partitions, source_partitions, join, block) for block in blocks]
        return [
            cluster.run_all(len(chunks), joined_partition, join, len(chunks), *(pieces[at] for pieces in cut))
            for at in range(join.partitions)
        ]

    @property
    def full_feature_names(self) -> bool:
        """Whether columns carry their view's name."""
        return self._request.full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views that Feast computes from the rows, on the driver."""
        return list(self._request.on_demand)

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked."""
        ends = pc.min_max(self._rows.column(self._request.timestamp)).as_py()
        keys = sorted({*self._rows.column_names} - {self._request.timestamp})
        return RetrievalMetadata(list(self._request.refs), keys, ends["min"], ends["max"])


def ray_rows(config: RepoConfig, request: RetrievalRequest) -> RayRows:
    """The job for ``request``. Raises NotOffered for entity rows that nobody has at hand."""
    if request.rows is None:
        raise NotOffered(
            "On Ray, entity rows have to be there as a DataFrame or an Arrow table; found"
            f" {'a date range' if request.spine is None else 'a query'}. Ask one of the other stores for those rows."
        )
    return RayRows(config, request, request.rows)


def stored_dataset(snapshot: OpenSnapshot) -> ray.data.Dataset:
    """A stored snapshot as a dataset in the snapshot's order."""
    if not snapshot.chunks:
        return ray.data.from_arrow(snapshot.schema.empty_table())
    numbers = ray.data.range(snapshot.chunks, override_num_blocks=snapshot.chunks)
    numbers.context.execution_options.preserve_order = True
    return numbers.map_batches(partial(stored_chunks, snapshot), batch_size=1, batch_format="pyarrow")


@dataclass(frozen=True)
class _Cluster:
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
        times = [table.timestamp, *([table.created] if table.created else [])]
        columns = list(dict.fromkeys([*table.keys.values(), *times, *table.features.values()]))
        with _plain_reads():
            data = RayOfflineStore()._resolve_source_dataset(found.data_source, self.config, columns)  # noqa: SLF001 - Feast has no other way to its readers
        if not isinstance(data, ray.data.Dataset):
            raise NotOffered("A Ray cluster behind CodeFlare hands out no rows. Connect by ray_address: instead.")
        data.context.execution_options.preserve_order = True  # of rows of the same time the later one counts
        refs = data.to_arrow_refs()
        return refs, max(1, -(-(data.size_bytes() or 0) // _PARTITION_BYTES))


@contextmanager
def _plain_reads() -> Iterator[None]:
    """Within, Ray lists files as it did before 2.5x: the new way was seen to wait 20 s for its own threads."""
    context = ray.data.DataContext.get_current()
    before, context.use_datasource_v2 = context.use_datasource_v2, False
    try:
        yield
    finally:
        context.use_datasource_v2 = before


def _reach(times: Any) -> tuple[int, int] | None:
    ends = pc.min_max(times.cast(pa.int64())).as_py()
    return None if ends["min"] is None else (ends["min"], ends["max"])


def _of(views: Sequence[Sequence[Sequence[Any]]], number: int) -> Iterator[Any]:
    for view in views:
        for partition in view:
            yield partition[number]


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What our own code said on a worker, without Ray's report around it."""
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, ProvenderError):
            raise error.cause from None
        raise
