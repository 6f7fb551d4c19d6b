"""The contenders of the retrieval benchmark, each of which runs in a process of its own."""

from __future__ import annotations

import functools
import importlib
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from retrieval_data import TTL, Shape

Run = Callable[[], pa.Table]


@contextmanager
def asof_sql(shape: Shape, folder: Path, *, tie_break: bool = True) -> Iterator[Run]:
    """What a good engineer writes in DuckDB: a view for each source, one ASOF join each, the spine's order."""
    import duckdb

    spine = pq.read_table(folder / "spine.parquet")
    query = _query(shape, folder, tie_break=tie_break)

    def run() -> pa.Table:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
            connection.register("spine", spine)
            return connection.sql(query).to_arrow_table()

    yield run


def _query(shape: Shape, folder: Path, *, tie_break: bool) -> str:
    newest = "QUALIFY row_number() OVER (PARTITION BY entity, event_timestamp ORDER BY created DESC) = 1"
    parts, selected, joins = ["s AS (SELECT row_number() OVER () AS number, * FROM spine)"], [], []
    for view in range(shape.views):
        names = shape.names(view)
        columns = ", ".join(["entity", "event_timestamp", *names])
        rows = f"SELECT {columns} FROM read_parquet('{shape.source(folder, view)}')"  # noqa: S608 - our own names
        parts.append(f"f{view} AS ({rows} {newest if tie_break else ''})")
        young = f"f{view}.event_timestamp >= s.event_timestamp - INTERVAL {TTL.days} DAY"
        selected += [f"CASE WHEN {young} THEN f{view}.{name} END AS {name}" for name in names]
        joins.append(
            f"ASOF LEFT JOIN f{view} ON s.entity = f{view}.entity AND s.event_timestamp >= f{view}.event_timestamp"
        )
    return (
        f"WITH {', '.join(parts)} SELECT s.entity, s.event_timestamp, {', '.join(selected)}"  # noqa: S608 - as above
        f" FROM s {' '.join(joins)} ORDER BY s.number"
    )


@contextmanager
def bare_join(shape: Shape, folder: Path, *, memory: str | None = None) -> Iterator[Run]:
    """Our join from files to Arrow, ungoverned."""
    import pyarrow.dataset as ds

    from lineage.asof import FeatureTable, point_in_time_join
    from lineage.duckdb_engine import Limits

    spine = pq.read_table(folder / "spine.parquet")

    def table(view: int) -> FeatureTable:
        features = {name: name for name in shape.names(view)}
        rows = ds.dataset(shape.source(folder, view))
        return FeatureTable(rows, features, {"entity": "entity"}, "event_timestamp", "created", TTL)

    def run() -> pa.Table:
        tables = [table(view) for view in range(shape.views)]
        return point_in_time_join(spine, tables, event_timestamp="event_timestamp", limits=Limits(memory=memory))

    yield run


@contextmanager
def polars_asof(shape: Shape, folder: Path) -> Iterator[Run]:
    """Polars' ``join_asof``; of rows with one time its last by creation wins, as it should."""
    import polars as pl

    spine = pl.read_parquet(folder / "spine.parquet").with_row_index("number")

    def run() -> pa.Table:
        rows = spine.sort("event_timestamp")
        for view in range(shape.views):
            source = pl.read_parquet(shape.source(folder, view)).sort("event_timestamp", "created").drop("created")
            rows = rows.join_asof(source, on="event_timestamp", by="entity", tolerance=TTL, check_sortedness=False)
        return rows.sort("number").drop("number").to_arrow()

    yield run


@contextmanager
def feast(shape: Shape, folder: Path, *, store: dict[str, Any], governed: bool = False) -> Iterator[Run]:
    """A temporary Feast repository: ``get_historical_features(...).to_arrow()``, entity rows in pandas."""
    from retrieval_repository import feature_store

    frame = pq.read_table(folder / "spine.parquet").to_pandas()
    names = [f"view_{view}:{name}" for view in range(shape.views) for name in shape.names(view)]
    with tempfile.TemporaryDirectory() as place:
        repository = feature_store(Path(place), shape, folder, store=store, governed=governed)
        yield lambda: repository.get_historical_features(frame, features=names).to_arrow()


OURS = {"type": "api.feast.AsofOfflineStore"}
CONTENDERS: dict[str, Callable[..., Any]] = {
    "ASOF JOIN": asof_sql,
    "ASOF JOIN without tie-break": functools.partial(asof_sql, tie_break=False),
    "our join": bare_join,
    "our join, 2 GiB": functools.partial(bare_join, memory="2GiB"),
    "governed": functools.partial(feast, store=OURS, governed=True),
    "governed, 2 GiB": functools.partial(feast, store={**OURS, "memory_limit": "2GiB"}, governed=True),
    "Polars join_asof": polars_asof,
    "Feast duckdb": functools.partial(feast, store={"type": "duckdb"}),
    "Feast dask": functools.partial(feast, store={"type": "dask"}),
}
STEPS = [
    ("entity rows to Arrow", "api.feast.entity_source", "spine_table"),
    ("join", "api.feast.asof_store", "point_in_time_join"),
    ("canonical form", "api.feast.retrieval", "canonical_table"),
    ("validation", "api.feast.retrieval", "Retrieval._validate"),
    ("digest and snapshot", "lineage.snapshots", "Writing.put"),
    ("records", "lineage.recorder", "Recorder.record"),
    ("announcement", "lineage.recorder", "Recorder.announce"),
    ("source state", "api.feast.provider", "GovernedProvider._observed"),
    ("source state again", "api.feast.provider", "GovernedProvider._still"),
]
"""What a governed retrieval spends its time on, by the function that does it; the rest is verdict and Feast itself."""


def measured(name: str, shape: Shape, folder: Path, *, runs: int) -> dict[str, Any]:
    """Of each of ``runs`` runs: seconds (wall and processor), peak memory beyond the start and in all, a check sum."""
    with CONTENDERS[name](shape, folder) as run:
        start = psutil.Process().memory_info().rss
        steps = _timed_steps() if name.startswith("governed") else {}
        found = []
        for _ in range(runs):
            steps.update(dict.fromkeys(steps, 0.0))
            wall, processor = time.perf_counter(), time.process_time()
            table = run()
            seconds = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
            whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            found.append(
                {
                    **seconds,
                    "peak": whole - start,
                    "process": whole,
                    "steps": dict(steps),
                    "check": _check(table, shape),
                }
            )
            del table
        return {"runs": found}


def _check(table: pa.Table, shape: Shape) -> list[Any]:
    """Rows, nulls and a sum over the first and last feature: equal answers agree in these."""
    import pyarrow.compute as pc

    first, last = table.column(shape.names(0)[0]), table.column(shape.names(shape.views - 1)[-1])
    return [table.num_rows, first.null_count, *(pc.sum(column).as_py() or 0 for column in (first, last))]


def _timed_steps() -> dict[str, float]:
    """Patches the functions of ``STEPS`` so that each adds to its entry the time that none within it took."""
    seconds: dict[str, float] = {}
    inner: list[float] = []

    def timed(label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            inner.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                took, within = time.perf_counter() - start, inner.pop()
                seconds[label] += took - within
                if inner:
                    inner[-1] += took

        return call

    for label, module, path in STEPS:
        owner: Any = importlib.import_module(module)
        *holders, last = path.split(".")
        for holder in holders:
            owner = getattr(owner, holder, None)
        if owner is not None and hasattr(owner, last):
            seconds[label] = 0.0
            setattr(owner, last, timed(label, getattr(owner, last)))
    return seconds
