"""Point-in-time retrieval on Feast's Ray store: its cluster and its sources, and the exact join of ``lineage.asof``.

Feast's own Ray join is not used. It takes no notice of a view's TTL, cuts every time down to its second (so that a
value of the same second counts before it was there), drops entity rows that are equal or have a null key, and finds
nothing beyond an hour's window where a source is large. See ``docs/engines.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import ray
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig
from ray.exceptions import RayTaskError

from api.feast.asof_views import asked_of
from api.feast.denial import NotOffered
from api.feast.on_demand import for_many_rows
from api.feast.own_acts import refuse_outside_acts
from api.feast.placed_store import placed
from api.feast.ray_cluster import RayCluster
from api.feast.request import RetrievalRequest
from governance.errors import ProvenderError
from lineage.canonical_table import ROW
from lineage.distributed import ChunkPlan, stored_chunks
from lineage.distributed_join import (
    PartitionedJoin,
    answered_chunk,
    assembled_chunk,
    chunks_apart,
    joined_partition,
    source_partitions,
    spine_partitions,
)
from lineage.opened_snapshot import OpenSnapshot


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
            cluster = RayCluster(self._config)
            spine = self._rows.append_column(ROW, pa.array(range(self._rows.num_rows), pa.int64()))
            chunks = [ray.put(chunk) for chunk in chunks_apart(spine)]
            views = [self._joined(cluster, view, spine, chunks) for view in self._request.views]
            made = [
                cluster.run(*task(number), chunk, [len(view) for view in views], *_of(views, number))
                for number, chunk in enumerate(chunks)
            ]
            return list(ray.get(made))

    def _joined(
        self, cluster: RayCluster, view: FeatureView, spine: pa.Table, chunks: Sequence[Any]
    ) -> list[list[Any]]:
        """References to what was found: for each partition, for each chunk of the spine."""
        table = asked_of(view, self._request.refs, full_names=self._request.full_feature_names)
        if not table.features:
            return []
        blocks, partitions = cluster.blocks(placed(view, Path(self._config.repo_path or "")), table)
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
        return [for_many_rows(view) for view in self._request.on_demand]

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
