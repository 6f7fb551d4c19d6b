"""Retrievals on Feast's Spark and Ray stores: where their rows come from, and when they stay where they are.

Neither library is imported before a repository asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.repo_config import RepoConfig

from api.feast.asof_store import AsofOfflineStoreConfig
from api.feast.asof_views import join_keys
from api.feast.concatenated_keys import refuse_confused_rows
from api.feast.denial import NotOffered
from api.feast.request import RetrievalRequest
from governance.canonical import rfc3339
from lineage.canonical_table import TIMESTAMP
from lineage.distributed import ChunkPlan, Gathered, gathered
from lineage.errors import RetrievalBroken
from lineage.lossless import lossless
from lineage.opened_snapshot import OpenSnapshot
from lineage.snapshot_parts import SnapshotParts
from lineage.snapshots import SnapshotStore
from lineage.td1 import digest_table


@runtime_checkable
class ChunkedJob(Protocol):
    """A job that can finish each chunk of its rows where it lies."""

    engine: str
    """``Spark`` or ``Ray``"""

    def chunk_answers(self, plan: ChunkPlan) -> list[str]:
        """What :func:`lineage.distributed.gathered` reads; the chunks are written then."""

    def stored(self, snapshot: OpenSnapshot) -> Any:
        """The rows of a stored snapshot as this engine has rows: in their order, each chunk verified as it is read."""


@dataclass(frozen=True)
class WrittenChunks:
    """The rows of a retrieval, on many machines and in no driver's memory."""

    parts: SnapshotParts
    content: Gathered

    @property
    def schema(self) -> pa.Schema:
        """Of the rows."""
        return self.parts.schema

    def reader(self) -> pa.RecordBatchReader:
        """The rows once more, a chunk at a time."""
        return self.parts.reader()

    @property
    def statistics(self) -> dict[str, Any]:
        """Null counts, and the first and last event time, as a manifest has them."""
        ends = self.content.event_time
        times = None if ends is None else [rfc3339(pa.scalar(end, TIMESTAMP).as_py()) for end in ends]
        return {"nulls": dict(self.content.nulls), "event_time": times}


def engine_job(config: RepoConfig, request: RetrievalRequest, make: Callable[[], Any]) -> RetrievalJob:
    """The job for ``request``: what Feast's store makes, read exactly; on Ray our own join.

    Raises NotOffered for what the store would answer wrongly.
    """
    for view in request.views:
        join_keys(view)
    refuse_confused_rows(config, request)
    match type(config.offline_store).__name__:
        case "SparkOfflineStoreConfig":
            from api.feast.spark_rows import spark_rows

            return spark_rows(config, request, make)
        case "RayOfflineStoreConfig":
            from api.feast.ray_rows import ray_rows

            return ray_rows(config, request)
    if not isinstance(config.offline_store, AsofOfflineStoreConfig):
        _refuse_row_by_row(request)
    job: RetrievalJob = make()
    return job


def engine_of(config: RepoConfig, store: type, *, ours: bool) -> dict[str, str]:
    """Name and version of what computes retrievals; ``join`` says so where the join is ours though the store is not.

    :param ours: ``store`` is our own
    """
    engines = {"SparkOfflineStoreConfig": "pyspark", "RayOfflineStoreConfig": "ray"}
    kind = type(config.offline_store).__name__
    on_duckdb = ours or "duckdb" in str(store.__mro__).lower()
    engine = {"name": store.__name__, "version": version("duckdb" if on_duckdb else engines.get(kind, "feast"))}
    return {**engine, "join": f"provender {version('provender')}"} if kind == "RayOfflineStoreConfig" else engine


@contextmanager
def written_chunks(job: ChunkedJob, request: RetrievalRequest, store: SnapshotStore) -> Iterator[WrittenChunks]:
    """Let the engine cast, hash and write the rows of ``request``; what is not put into ``store`` then is gone.

    Raises RetrievalBroken, LossyCast, NotDigestible, ObjectsUnreachable, and whatever the engine raises.
    """
    with store.stage_parts(canonical_schema(request)) as parts:
        plan = ChunkPlan(parts.writer, request.numbered_rows or 0, request.timestamp)
        found = gathered(plan, job.chunk_answers(plan))
        _require_entity_rows(request, found)
        yield WrittenChunks(parts.of(found.parts), found)


def canonical_schema(request: RetrievalRequest) -> pa.Schema:
    """Columns and types of the answer, before there is one: the entity rows', then what was asked for."""
    types, own = request.types(), [] if request.rows is None else request.rows.column_names
    return pa.schema([(name, types[name]) for name in [*own, *(column for _, _, column in request.columns)]])


def _refuse_row_by_row(request: RetrievalRequest) -> None:
    single = sorted(view.name for view in request.on_demand if view.singleton)
    if single:
        raise NotOffered(
            f"The on-demand views {single} are written for one row (singleton=True), and this store would hand them"
            " whole columns, its missing numbers as NaN. Use api.feast.AsofOfflineStore, or write them for columns."
        )


def _require_entity_rows(request: RetrievalRequest, found: Gathered) -> None:
    """Raise RetrievalBroken where the engine gave back other entity rows than it got."""
    if request.rows is None:
        return
    types = request.types()
    own = pa.table({one: lossless(one, request.rows.column(one), types[one]) for one in request.rows.column_names})
    theirs = {column.name: column.root for column in found.digest.columns}
    changed = [column.name for column in digest_table(own).columns if theirs[column.name] != column.root]
    if changed:
        raise RetrievalBroken(
            f"The engine changed the entity rows in the columns {changed}. Expected them as they were given; nothing"
            " was recorded as a snapshot. Use another offline store, or report the engine."
        )
