"""The same rows behind several engines: a governed repository for each, with one kind of every feature in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.api.feast.conftest import Repository

START = datetime(2026, 3, 1, tzinfo=UTC)
PERSONAL = {"residency": "DE", "pii": "true", "purpose": "care"}

POLICY = """\
version: 1
zones: {EU: [DE]}
places:
  - {match: "**", zone: DE}
packs: [residency, ownership]
callers:
  - {match: "process:*", purposes: [care]}
"""

FEATURES = (
    "readings:whole",
    "readings:small",
    "readings:ratio",
    "readings:single",
    "readings:flag",
    "readings:seen",
    "profile:text",
    "profile:tags",
    "profile:marks",
    "pairs:level",
)


def write_sources(folder: Path, *, units: int = 40, rows: int = 30) -> None:
    """The files: ``readings`` by unit, in UTC; ``profile`` by name, in times without zone; ``pairs`` by both keys."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(_readings(units, rows), folder / "readings.parquet")
    pq.write_table(_profile(units), folder / "profile.parquet")
    pq.write_table(_pairs(units), folder / "pairs.parquet")


def _readings(units: int, rows: int) -> pa.Table:
    number = units * rows
    at = np.arange(number)
    time = [START + timedelta(hours=int(3 * (n // units)), microseconds=int(n % 7)) for n in at]
    return pa.table(
        {
            "unit": pa.array(at % units, pa.int64()),
            "event_timestamp": pa.array(time, pa.timestamp("us", "UTC")),
            "created": pa.array([one + timedelta(minutes=5) for one in time], pa.timestamp("us", "UTC")),
            "whole": pa.array([None if n % 5 == 0 else n * 1_000_003 for n in at.tolist()], pa.int64()),
            "small": pa.array((at % 1000).tolist(), pa.int32()),
            "ratio": pa.array([None if n % 11 == 0 else n / 7 for n in at.tolist()], pa.float64()),
            "single": pa.array((at / 3).tolist(), pa.float32()),
            "flag": pa.array([None if n % 13 == 0 else n % 2 == 0 for n in at.tolist()], pa.bool_()),
            "seen": pa.array([None if n % 4 == 0 else time[n] for n in at.tolist()], pa.timestamp("us", "UTC")),
        }
    )


def _profile(units: int) -> pa.Table:
    at = list(range(units))
    time = [START.replace(tzinfo=None) - timedelta(days=n) for n in at]
    return pa.table(
        {
            "name": [f"ward-{n}" for n in at],
            "event_timestamp": pa.array(time, pa.timestamp("us")),
            "text": [None if n % 6 == 0 else "" if n % 6 == 1 else f"Größe {n} ∞" for n in at],
            "tags": pa.array([[f"t{n}", "ä"] if n % 3 else ["x"] for n in at], pa.list_(pa.string())),
            "marks": pa.array([list(range(n % 4 + 1)) for n in at], pa.list_(pa.int64())),
        }
    )


def _pairs(units: int) -> pa.Table:
    at = list(range(units))
    return pa.table(
        {
            "unit": pa.array(at, pa.int64()),
            "name": [f"ward-{n % 5}" for n in at],
            "event_timestamp": pa.array([START - timedelta(minutes=n) for n in at], pa.timestamp("us", "UTC")),
            "level": pa.array([n / 16 for n in at], pa.float64()),
        }
    )


def spine(rows: int, *, units: int = 40, doubled: bool = True) -> pd.DataFrame:
    """Entity rows, with labels: some of units that nobody knows, some too early, some twice, in times without zone."""
    at = np.arange(rows)
    time = pd.to_datetime(START.replace(tzinfo=None)) + pd.to_timedelta((at * 37 + 1) % 7_000, unit="m")
    frame = pd.DataFrame(
        {
            "unit": (at * 7) % (units + 3),
            "name": [f"ward-{n % (units + 2)}" for n in at.tolist()],
            "event_timestamp": time - pd.Timedelta(hours=5),
            "label": (at % 2).astype("int32"),
            "weight": np.where(at % 9 == 0, np.nan, at / 8),
        }
    )
    if doubled:
        frame = pd.concat([frame, frame.iloc[: rows // 10]], ignore_index=True)
    return frame


def definitions(source: Callable[[str, str], Any], *, ttl: timedelta | None = timedelta(days=2)) -> list[Any]:
    """Feast objects; ``source`` makes the data source of a name, with its created column or the empty string."""
    from feast import Entity, FeatureView, Field, ValueType
    from feast.types import Array, Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp

    unit = Entity(name="unit", join_keys=["unit"], value_type=ValueType.INT64, owner="o@h.example", tags=PERSONAL)
    name = Entity(name="name", join_keys=["name"], value_type=ValueType.STRING, owner="o@h.example", tags=PERSONAL)
    types = {"whole": Int64, "small": Int32, "ratio": Float64, "single": Float32, "flag": Bool, "seen": UnixTimestamp}
    common: dict[str, Any] = {"owner": "o@h.example", "tags": PERSONAL, "online": False}
    readings = FeatureView(
        name="readings",
        entities=[unit],
        ttl=ttl,
        schema=[Field(name="unit", dtype=Int64), *(Field(name=one, dtype=kind) for one, kind in types.items())],
        source=source("readings", "created"),
        **common,
    )
    profile = FeatureView(
        name="profile",
        entities=[name],
        ttl=timedelta(0),
        schema=[
            Field(name="name", dtype=String),
            Field(name="text", dtype=String),
            Field(name="tags", dtype=Array(String)),
            Field(name="marks", dtype=Array(Int64)),
        ],
        source=source("profile", ""),
        **common,
    )
    pairs = FeatureView(
        name="pairs",
        entities=[unit, name],
        ttl=timedelta(0),
        schema=[
            Field(name="unit", dtype=Int64),
            Field(name="name", dtype=String),
            Field(name="level", dtype=Float64),
        ],
        source=source("pairs", ""),
        **common,
    )
    return [unit, name, readings, profile, pairs]


def on_demand(source: Callable[[str, str], Any]) -> list[Any]:
    """Views that are computed from the rows of another: ``doubled`` from columns, ``graded`` from one row at a time."""
    from feast import Field
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64

    readings = next(one for one in definitions(source) if one.name == "readings")

    def doubled(features: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"twice": features["ratio"] * 2})

    def graded(row: dict[str, Any]) -> dict[str, Any]:
        return {"grade": None if row["ratio"] is None else float(row["ratio"] > 1)}

    said: dict[str, Any] = {"sources": [readings], "owner": "o@h.example", "tags": PERSONAL}
    twice, grade = [Field(name="twice", dtype=Float64)], [Field(name="grade", dtype=Float64)]
    return [
        on_demand_feature_view(**said, schema=twice)(doubled),
        on_demand_feature_view(**said, schema=grade, mode="python", singleton=True)(graded),
    ]


def repository(path: Path, offline_store: Mapping[str, Any]) -> Repository:
    """A governed repository without objects yet, on ``offline_store``."""
    path.mkdir(parents=True)
    document = {
        "project": "wards",
        "provider": "api.feast.GovernedProvider",
        "registry": {"registry_store_type": "api.feast.GovernedRegistryStore", "path": "data/registry"},
        "offline_store": dict(offline_store),
        "online_store": {"type": "sqlite", "path": "data/online.db"},
        "governance": {"policy": "policy.yaml", "origin": "provender.example/wards"},
        "entity_key_serialization_version": 3,
    }
    (path / "feature_store.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (path / "policy.yaml").write_text(POLICY)
    return Repository(path)


def file_source(folder: Path) -> Callable[[str, str], Any]:
    """Sources that every engine reads that reads files."""
    from feast import FileSource

    def source(name: str, created: str) -> Any:
        return FileSource(
            name=name,
            path=str(folder / f"{name}.parquet"),
            timestamp_field="event_timestamp",
            created_timestamp_column=created or "",
            owner="o@h.example",
            tags=PERSONAL,
        )

    return source


def spark_source(folder: Path) -> Callable[[str, str], Any]:
    """The same files as Spark's sources."""
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    def source(name: str, created: str) -> Any:
        return SparkSource(
            name=name,
            path=(folder / f"{name}.parquet").as_uri(),
            file_format="parquet",
            timestamp_field="event_timestamp",
            created_timestamp_column=created or "",
            owner="o@h.example",
            tags=PERSONAL,
        )

    return source


def postgresql_source(name: str, created: str) -> Any:
    """The same rows as :func:`load_postgresql` put them into tables."""
    from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import PostgreSQLSource

    return PostgreSQLSource(
        name=name,
        query=f"SELECT * FROM {name}",
        timestamp_field="event_timestamp",
        created_timestamp_column=created or "",
        owner="o@h.example",
        tags=PERSONAL,
    )


_COLUMNS = {
    "int64": "bigint",
    "int32": "integer",
    "double": "double precision",
    "float": "real",
    "bool": "boolean",
    "string": "text",
    "timestamp[us, tz=UTC]": "timestamptz",
    "timestamp[us]": "timestamp",
    "list<element: string>": "text[]",
    "list<element: int64>": "bigint[]",
}


def load_postgresql(port: int, user: str, folder: Path) -> None:
    """Copy the files into tables of their names."""
    import psycopg

    with psycopg.connect(host="127.0.0.1", port=port, user=user, dbname="postgres") as connection:
        for file in sorted(folder.glob("*.parquet")):
            table = pq.read_table(file)
            columns = ", ".join(f"{one.name} {_COLUMNS[str(one.type)]}" for one in table.schema)
            connection.execute(f"CREATE TABLE {file.stem} ({columns})".encode())
            with connection.cursor().copy(f"COPY {file.stem} FROM STDIN".encode()) as copy:
                for row in table.to_pylist():
                    copy.write_row(tuple(row.values()))


def retrieved(repository: Repository, spine: pd.DataFrame, features: Sequence[str] = FEATURES) -> Any:
    """The job of a retrieval, which has run."""
    job = repository.store().get_historical_features(spine, features=list(features))
    job.to_arrow()
    return job
