"""The same data gives the same digest whatever engine of Feast's has it; Spark and Ray have test files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from governance.errors import WrongQuestion
from tests.api.feast import engines
from tests.api.feast.conftest import Repository
from tests.postgresql import USER, postgresql

OURS = {"type": "api.feast.AsofOfflineStore"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wards")
    engines.write_sources(folder)
    return folder


@pytest.fixture(scope="module")
def ours(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = engines.repository(tmp_path_factory.mktemp("ours") / "repository", OURS)
    made.store().apply(engines.definitions(engines.file_source(sources)))
    return made


def test_feasts_duckdb_store(ours: Repository, sources: Path, tmp_path: Path) -> None:
    theirs = engines.repository(tmp_path / "repository", {"type": "duckdb"})
    theirs.store().apply(engines.definitions(engines.file_source(sources)))
    spine = engines.spine(2000)
    assert engines.retrieved(theirs, spine).snapshot.digest == engines.retrieved(ours, spine).snapshot.digest


def test_feasts_dask_store_where_it_loses_no_row(sources: Path, tmp_path: Path) -> None:
    """It answers one of several rows with equal keys and time, and none where all values are too old or too new."""
    theirs = engines.repository(tmp_path / "repository", {"type": "dask"})
    theirs.store().apply(engines.definitions(engines.file_source(sources), ttl=timedelta(0)))
    for_ever = engines.repository(tmp_path / "ours", OURS)
    for_ever.store().apply(engines.definitions(engines.file_source(sources), ttl=timedelta(0)))
    spine = engines.spine(2000, doubled=False)
    spine["event_timestamp"] += pd.Timedelta(hours=6)
    spine = spine.drop_duplicates(["unit", "event_timestamp"], ignore_index=True)
    features = [one for one in engines.FEATURES if one.startswith("readings")]
    found, expected = (engines.retrieved(one, spine, features) for one in (theirs, for_ever))
    assert found.snapshot.digest == expected.snapshot.digest


@pytest.fixture(scope="module")
def server(sources: Path) -> Iterator[int]:
    with postgresql() as port:
        engines.load_postgresql(port, USER, sources)
        yield port


@pytest.fixture
def tables(server: int, tmp_path: Path) -> Repository:
    """A repository whose sources are tables."""
    store = {"type": "postgres", "host": "127.0.0.1", "port": server, "database": "postgres", "user": USER}
    made = engines.repository(
        tmp_path / "repository", {**store, "password": "", "db_schema": "public", "sslmode": "disable"}
    )
    made.store().apply(engines.definitions(engines.postgresql_source))
    return made


@pytest.mark.system
def test_feasts_postgresql_store(ours: Repository, tables: Repository) -> None:
    spine = engines.spine(300)
    assert engines.retrieved(tables, spine).snapshot.digest == engines.retrieved(ours, spine).snapshot.digest


@pytest.mark.system
def test_keys_that_a_store_would_confuse_are_refused(ours: Repository, tables: Repository) -> None:
    """(1, "2ward") and (12, "ward") are one row to Feast's SQL stores: one would get the other's features."""
    at = pd.Timestamp(engines.START)
    spine = pd.DataFrame({"unit": [1, 12], "name": ["2ward", "ward"], "event_timestamp": [at, at]})
    with pytest.raises(WrongQuestion, match=r"keys \['unit', 'name'\] that are equal"):
        engines.retrieved(tables, spine)
    assert [one["state"] for one in tables.predicates("retrieval")] == ["START", "FAIL"]
    apart = spine.assign(event_timestamp=[at, at + pd.Timedelta(seconds=1)])
    assert engines.retrieved(tables, apart).to_arrow().num_rows == 2
    assert engines.retrieved(ours, spine).to_arrow().column("level").type == pa.float64()
