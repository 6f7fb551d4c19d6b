"""Rows of Feast's Spark store as Spark has them: cast, hashed and written chunk by chunk on its executors.

Feast hands its rows on by way of pandas, where integers with nulls become floats; these go by way of Arrow.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pyarrow as pa
from feast.infra.offline_stores.contrib.spark_offline_store.spark import (
    SparkRetrievalJob,
    get_spark_session_or_start_new_with_repoconfig,
)
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig
from pyspark.errors import PySparkTypeError
from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from api.feast.denial import NotOffered
from api.feast.on_demand import for_many_rows
from api.feast.request import RetrievalRequest
from lineage.canonical_table import ROW
from lineage.distributed import ChunkPlan, chunk_answer
from lineage.opened_snapshot import OpenSnapshot
from lineage.td1 import CHUNK_ROWS

_EXACT = {
    "spark.sql.session.timeZone": "UTC",  # a time without zone means UTC, in files as in entity rows
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",  # its other way makes NaN of a null
}


class SparkRows(RetrievalJob):
    """A job of Feast's Spark store, read by way of Arrow."""

    engine = "Spark"

    def __init__(self, job: SparkRetrievalJob) -> None:
        self._job = job

    def chunk_answers(self, plan: ChunkPlan) -> list[str]:
        """Each chunk of 65,536 entity rows finished by the executor that holds it; see ``lineage.distributed``."""
        with exact(self._job.spark_session):
            rows = self._job.to_spark_df()

            def answer(key: tuple[Any, ...], group: pa.Table) -> pa.Table:
                return pa.table({"answer": [chunk_answer(plan, key[0].as_py(), group)]})

            chunks = rows.groupBy(functions.expr(f"{ROW} div {CHUNK_ROWS}"))
            return [row["answer"] for row in chunks.applyInArrow(answer, "answer string").collect()]

    def stored(self, snapshot: OpenSnapshot) -> DataFrame:
        """The rows of ``snapshot``, one partition for each chunk, which an executor verifies as it reads it."""
        return stored_frame(self._job.spark_session, snapshot)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        with exact(self._job.spark_session):
            return self._job.to_spark_df().toArrow()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas()

    @property
    def full_feature_names(self) -> bool:
        """Whether columns carry their view's name."""
        return bool(self._job.full_feature_names)

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views that Feast computes from the rows, on the driver."""
        return [for_many_rows(view) for view in self._job.on_demand_feature_views]

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked."""
        return self._job.metadata


@contextmanager
def exact(session: SparkSession) -> Iterator[None]:
    """Within, ``session`` takes times for UTC and moves rows as Arrow; then its settings are as they were."""
    before = {name: session.conf.get(name, None) for name in _EXACT}
    for name, value in _EXACT.items():
        session.conf.set(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            session.conf.unset(name) if old is None else session.conf.set(name, old)


def spark_rows(config: RepoConfig, request: RetrievalRequest, make: Callable[[], SparkRetrievalJob]) -> SparkRows:
    """The job that Feast's store makes. Raises NotOffered for a date range."""
    if request.spine is None:
        raise NotOffered(
            "A date range was asked for. Feast's Spark store answers it with one row for each key at the end of the"
            " range, not with the rows in it. Pass entity rows, or use api.feast.AsofOfflineStore."
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of a session that Feast starts on this machine
    with exact(get_spark_session_or_start_new_with_repoconfig(config.offline_store)):
        return SparkRows(make())


def stored_frame(session: SparkSession, snapshot: OpenSnapshot) -> DataFrame:
    """A stored snapshot as a DataFrame in the snapshot's order. Raises NotOffered for types that Spark lacks."""
    try:
        wanted = from_arrow_schema(snapshot.schema)
    except PySparkTypeError:
        types = sorted({str(one) for one in snapshot.schema.types})
        raise NotOffered(f"Spark lacks a type among {types}. Use to_arrow() or to_df().") from None
    arrow = to_arrow_schema(wanted, timezone="UTC")

    def read(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                yield from snapshot.chunk(number).cast(arrow).to_batches()

    chunks = session.range(0, snapshot.chunks, 1, numPartitions=max(snapshot.chunks, 1))
    return chunks.mapInArrow(read, wanted)
