"""Feast's own stores read the repository's files, whatever the working directory is and however a path is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view

STORES = ("api.feast.AsofOfflineStore", "duckdb", "dask")


def _rows(*bilirubin: float) -> pa.Table:
    columns = {"patient_id": [1, 2][: len(bilirubin)], "event_timestamp": times([hours(-1)] * len(bilirubin))}
    return pa.table({**columns, "bilirubin": list(bilirubin)})


def _spine() -> pd.DataFrame:
    return pd.DataFrame({"patient_id": [1, 2], "event_timestamp": pd.to_datetime([NOON] * 2, utc=True)})


@pytest.fixture
def repository(tmp_path: Path) -> Callable[[str], Small]:
    """A repository on a store, and elsewhere a file under the same relative name with other values."""

    def make(store: str) -> Small:
        decoy = tmp_path / "elsewhere/sources/lab.parquet"
        decoy.parent.mkdir(parents=True)
        pq.write_table(_rows(100.0, 200.0), decoy)
        small = Small(tmp_path / "repository").prepare()
        small.configure(lambda document: document.update(offline_store={"type": store}))
        return small

    return make


def _applied(small: Small, source: Any | None = None) -> Any:
    from feast import Field
    from feast.types import Float64, Int64

    schema = [Field(name="patient_id", dtype=Int64), Field(name="bilirubin", dtype=Float64)]
    patient = entity("patient", "patient_id")
    lab = source or small.source("lab", _rows(0.75, 1.5))
    return small.applied(patient, view("laboratory", lab, [patient], schema))


def _asked(store: Any) -> Any:
    return store.get_historical_features(_spine(), features=["laboratory:bilirubin"])


@pytest.mark.parametrize("engine", STORES)
def test_a_retrieval_reads_the_file_on_record_from_any_directory(
    repository: Any, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = repository(engine)
    store = _applied(small)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert _asked(store).to_arrow().column("bilirubin").to_pylist() == [0.75, 1.5]
    (source,) = small.predicates("retrieval")[-1]["sources"]
    assert [file["path"] for file in source["files"]] == [str(small.path / "sources/lab.parquet")]


@pytest.mark.parametrize("engine", STORES)
def test_a_job_of_a_repository_that_was_opened_by_a_relative_path_reads_there(
    repository: Any, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feast import FeatureStore

    small = repository(engine)
    _applied(small)
    monkeypatch.chdir(small.path)
    job = _asked(FeatureStore(repo_path="."))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert job.to_arrow().column("bilirubin").to_pylist() == [0.75, 1.5]


@pytest.mark.parametrize("engine", STORES)
def test_a_materialization_does_too(
    repository: Any, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _applied(repository(engine))
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.materialize(hours(-9), hours(9), feature_views=["laboratory"])
    found = store.get_online_features(features=["laboratory:bilirubin"], entity_rows=[{"patient_id": 1}])
    assert found.to_dict()["bilirubin"] == [0.75]


@pytest.mark.filterwarnings("ignore:Saving dataset:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Retrieving datasets:RuntimeWarning")
@pytest.mark.parametrize("engine", STORES)
def test_a_saved_dataset_is_the_repositorys_and_what_it_holds_when_it_is_read(
    repository: Any, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that lists files when its job is made must list them anew."""
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    small = repository(engine)
    store = _applied(small)
    storage = SavedDatasetFileStorage(path="sources/saved.parquet")
    saved = store.create_saved_dataset(_asked(store), "labs", storage, tags=LABELS["tags"])
    pq.write_table(_rows(100.0, 200.0), tmp_path / "elsewhere/sources/saved.parquet")
    monkeypatch.chdir(tmp_path / "elsewhere")
    asked = store.get_saved_dataset("labs")
    assert saved.to_df()["bilirubin"].tolist() == [0.75, 1.5]
    file = small.path / "sources/saved.parquet"
    pq.write_table(pq.read_table(file).slice(0, 1), file)
    rows = asked.to_df()
    (source,) = small.predicates("retrieval")[-1]["sources"]
    assert [one["path"] for one in source["files"]] == [str(file)]
    assert rows["bilirubin"].tolist() == [0.75]


@pytest.mark.parametrize("engine", STORES)
def test_a_path_with_a_scheme_is_the_same_file_to_all(repository: Any, engine: str) -> None:
    from feast import FileSource

    small = repository(engine)
    file = small.path / "sources/lab.parquet"
    small.source("lab", _rows(0.75, 1.5))
    store = _applied(small, FileSource(name="lab", path=file.as_uri(), timestamp_field="event_timestamp", **LABELS))
    assert _asked(store).to_arrow().column("bilirubin").to_pylist() == [0.75, 1.5]
