"""The retrieval job a caller gets: it executes once, and every way out of it is the recorded snapshot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Any, NoReturn

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage

from api.feast.denial import FeastRefused, NotOffered, told_to_feast
from api.feast.distributed import ChunkedJob
from lineage.entity_rows import EVENT_TIMESTAMP
from lineage.opened_snapshot import OpenSnapshot
from lineage.snapshots import Snapshot


class GovernedRetrievalJob(RetrievalJob):
    """One job, one run, one snapshot, whichever threads ask for it.

    :param run: executes the engine's job, records, and gives the snapshot; with the canonical rows, unless they stayed
        on the machines of an engine.
    :param copy: writes canonical rows to a storage if the labels allow its place.
    :param opened: the stored snapshot, to be read verified.
    :param export: writes canonical rows to the configured staging location; None where there is none.
    """

    def __init__(
        self,
        inner: RetrievalJob,
        run: Callable[[RetrievalJob], tuple[pa.Table | None, Snapshot]],
        copy: Callable[[pa.Table, SavedDatasetFileStorage, bool], None],
        opened: Callable[[Snapshot], OpenSnapshot],
        *,
        export: Callable[[pa.Table], list[str]] | None = None,
    ) -> None:
        self._inner, self._run, self._copy, self._opened, self._export = inner, run, copy, opened, export
        self._once = Lock()
        self._done: tuple[pa.Table | None, Snapshot] | None = None
        self._failed: str | None = None

    @property
    def snapshot(self) -> Snapshot:
        """Which snapshot the retrieval became. Raises NotOffered before the job ran."""
        if self._done is None:
            raise NotOffered("This job has not run yet, so there is no snapshot. Call to_df() or to_arrow() first.")
        return self._done[1]

    def to_arrow(self, validation_reference: Any = None, timeout: int | None = None) -> pa.Table:
        """The rows, on-demand views included, in the canonical types and the spine's order.

        Raises NotOffered for a validation reference and for a time limit.
        """
        if timeout is not None:
            raise NotOffered(
                f"timeout={timeout!r} was given. A retrieval is recorded from its start to its end, so it is not cut"
                " off; call without a timeout, and ask for fewer rows or features where it takes too long."
            )
        if validation_reference is not None:
            raise NotOffered(
                "A validation reference was given. Feast's profiler does not work with Great Expectations 1.x; put a"
                " suite into expectations/<feature service>.json, which every retrieval of the service is held against."
            )
        with self._once, told_to_feast():
            rows, snapshot = self._result()
            return self._opened(snapshot).to_arrow() if rows is None else rows

    def to_spark_df(self) -> Any:
        """The stored snapshot as a Spark DataFrame in the spine's order. Raises NotOffered for another engine's job."""
        return self._stored("to_spark_df", "Spark")

    def to_ray_dataset(self) -> Any:
        """The stored snapshot as a Ray dataset in the spine's order. Raises NotOffered for another engine's job."""
        return self._stored("to_ray_dataset", "Ray")

    def _stored(self, way: str, engine: str) -> Any:
        if not isinstance(self._inner, ChunkedJob) or self._inner.engine != engine:
            self._refuse(way)
        with self._once, told_to_feast():
            return self._inner.stored(self._opened(self._result()[1]))

    def _result(self) -> tuple[pa.Table | None, Snapshot]:
        if self._failed is not None:
            raise FeastRefused(
                f"This retrieval has failed already ({self._failed}), and its run is closed. Ask again with"
                " get_historical_features()."
            )
        if self._done is None:
            try:
                self._done = self._run(self._inner)
            except BaseException as error:
                self._failed = type(error).__name__
                raise
        return self._done

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self.to_arrow(timeout=timeout)

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self.to_df(timeout=timeout)

    @property
    def full_feature_names(self) -> bool:
        """Whether columns carry their view's name."""
        return bool(self._inner.full_feature_names)

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The on-demand views that were computed into the rows."""
        return list(self._inner.on_demand_feature_views)

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked. Entity rows of a query are known once they were asked for: then the job runs first."""
        known = self._inner.metadata
        if known is None or known.min_event_timestamp is not None:
            return known
        return RetrievalMetadata(known.features, known.keys, *_first_and_last(self.to_arrow()))

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Write the snapshot's rows to a file of a saved dataset, where it may lie.

        Raises NotOffered for other storages and for rows that Feast could not read back by their ``event_timestamp``,
        FeastDenied for a place that the labels exclude.
        """
        if not isinstance(storage, SavedDatasetFileStorage):
            raise NotOffered(
                f"persist() to {type(storage).__name__} would let the engine write rows that were not recorded. Use"
                " SavedDatasetFileStorage, or to_arrow() and write the rows yourself."
            )
        rows = self.to_arrow(timeout=timeout)
        if None in _first_and_last(rows):
            raise NotOffered(
                f"The rows have no time in a column {EVENT_TIMESTAMP}, by which Feast reads a saved dataset back. Name"
                " the timestamp of the entity rows so, and ask for at least one row; or write the rows of to_arrow()"
                " yourself."
            )
        with told_to_feast():
            self._copy(rows, storage, allow_overwrite)

    def to_sql(self) -> NoReturn:
        """Refused: the rows of that query would leave unrecorded."""
        raise NotOffered(
            "to_sql() is refused: what the query returns would leave unrecorded. Use to_df() or to_arrow()."
        )

    def supports_remote_storage_export(self) -> bool:
        """Whether the offline store is configured with a ``staging_location``."""
        return self._export is not None

    def to_remote_storage(self) -> list[str]:
        """Write the snapshot's rows below the staging location, where they may lie; gives URIs of Parquet files.

        Raises NotOffered without one, FeastDenied for a place that the labels exclude.
        """
        if self._export is None:
            raise NotOffered(
                "to_remote_storage() needs a place to write to. Set `offline_store: staging_location:` to a directory"
                " or to s3://bucket/prefix. The snapshot's `uri` names the stored rows."
            )
        rows = self.to_arrow()
        with told_to_feast():
            return self._export(rows)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("to_"):
            self._refuse(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _refuse(self, way: str) -> NoReturn:
        raise NotOffered(
            f"{way}() is refused: it would pass the engine's rows by the record. Use to_df() or to_arrow()."
        )


def _first_and_last(rows: pa.Table) -> tuple[datetime | None, datetime | None]:
    """The first and last event timestamp; None of what has none."""
    if EVENT_TIMESTAMP not in rows.column_names:
        return None, None
    ends = pc.min_max(rows.column(EVENT_TIMESTAMP)).as_py()
    return ends["min"], ends["max"]
