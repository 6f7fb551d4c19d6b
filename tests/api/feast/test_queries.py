"""Entity rows that are SQL: judged by all that is said of what they read, and by no engine but our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from governance.errors import Denied, WrongQuestion
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view

QUERY = "SELECT patient_id, event_timestamp, bilirubin FROM lab"


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """A repository that is not set up yet."""
    return Small(tmp_path / "repository").prepare()


def _lab() -> pa.Table:
    at = times([hours(-2), hours(-1)])
    return pa.table({"patient_id": [1, 2], "event_timestamp": at, "bilirubin": [0.5, 9.0]})


def _objects(small: Small, tags_of_all: Mapping[str, str] = LABELS["tags"], **bilirubin: Any) -> list[Any]:
    """A view of laboratory values, and one of wards."""
    from feast import Field
    from feast.types import Float64, Int64

    patient, key = entity("patient", "patient_id"), Field(name="patient_id", dtype=Int64)
    wards = pa.table({"patient_id": [1, 2], "event_timestamp": times([hours(-3)] * 2), "ward": [3, 4]})
    values = [key, Field(name="bilirubin", dtype=Float64, **bilirubin)]
    return [
        patient,
        view("laboratory", small.source("lab", _lab(), tags=tags_of_all), [patient], values, tags=tags_of_all),
        view(
            "wards",
            small.source("pub", wards, tags=tags_of_all),
            [patient],
            [key, Field(name="ward", dtype=Int64)],
            tags=tags_of_all,
        ),
    ]


def _asked(store: Any, query: str) -> pa.Table:
    return store.get_historical_features(query, features=["wards:ward"]).to_arrow()


def test_the_label_of_a_field_holds_for_the_column_that_a_query_takes_from_its_source(small: Small) -> None:
    store = small.applied(*_objects(small, tags={"purpose": "research"}))
    with pytest.raises(Denied, match=r"laboratory\.bilirubin"):
        _asked(store, QUERY)
    assert _asked(store, "SELECT patient_id, event_timestamp FROM pub")["ward"].to_pylist() == [3, 4]
    assert [one["state"] for one in small.predicates("retrieval")] == ["DENIED", "START", "COMPLETE"]


def test_the_label_of_a_view_holds_for_a_query_and_for_the_snapshot_it_gives(small: Small) -> None:
    (small.path / "policy.yaml").write_text(
        (small.path / "policy.yaml").read_text().replace("purposes: [care]", "purposes: [care, billing]")
    )
    import governance

    store = small.applied(*_objects(small, tags={"pii": "true", "purpose": "care"}))
    with governance.acting(purpose="care"):
        _asked(store, "SELECT patient_id, event_timestamp FROM pub")
        _asked(store, QUERY)
    before, after = (one["labels"] for one in small.predicates("retrieval") if one["state"] == "COMPLETE")
    assert (before["pii"], after["pii"]) == (False, True)
    with governance.acting(purpose="billing"), pytest.raises(Denied):
        _asked(store, QUERY)


def test_another_source_of_the_same_files_does_not_lose_their_labels(small: Small) -> None:
    from feast import FileSource

    objects = _objects(small, tags={"purpose": "research"})
    again = FileSource(name="again", path="sources/lab.parquet", timestamp_field="event_timestamp", **LABELS)
    wild = FileSource(name="wild", path="sources/l*.parquet", timestamp_field="event_timestamp", **LABELS)
    store = small.applied(*objects, again, wild)
    for name in ("again", "wild"):
        with pytest.raises(Denied, match=r"laboratory\.bilirubin"):
            _asked(store, QUERY.replace("lab", name))


def test_a_copy_of_what_a_query_gave_is_judged_like_it(small: Small) -> None:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    anywhere = {"residency": "EU", "purpose": "care"}
    store = small.applied(*_objects(small, anywhere, tags={"residency": "DE"}))
    plain = store.get_historical_features("SELECT patient_id, event_timestamp FROM pub", features=["wards:ward"])
    plain.persist(SavedDatasetFileStorage(path="abroad/plain.parquet"))
    job = store.get_historical_features(QUERY, features=["wards:ward"])
    with pytest.raises(Denied, match="laboratory"):
        job.persist(SavedDatasetFileStorage(path="abroad/saved.parquet"))
    assert not (small.path / "abroad/saved.parquet").exists()


@pytest.mark.parametrize("engine", ["duckdb", "dask"])
def test_other_engines_are_given_no_query(small: Small, engine: str) -> None:
    objects = _objects(small)
    small.configure(lambda document: document.update(offline_store={"type": engine}))
    store = small.applied(*objects)
    with pytest.raises(WrongQuestion, match=r"The entity rows are text.*Give a pandas DataFrame.*AsofOfflineStore"):
        _asked(store, QUERY)
    assert not small.predicates("retrieval")
    rows = pa.table({"patient_id": [1], "event_timestamp": times([NOON])}).to_pandas()
    assert store.get_historical_features(rows, features=["wards:ward"]).to_arrow()["ward"].to_pylist() == [3]


def test_a_saved_dataset_made_by_hand_is_judged_by_what_is_said_of_its_files(small: Small) -> None:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
    from feast.saved_dataset import SavedDataset

    store = small.applied(*_objects(small, tags={"purpose": "research"}))
    store.get_historical_features("SELECT patient_id, event_timestamp FROM pub", features=["wards:ward"]).to_arrow()
    (stored,) = (small.path / "data/objects").rglob("*.parquet")

    def made(path: str) -> SavedDataset:
        storage = SavedDatasetFileStorage(path=path)
        columns = ["patient_id", "bilirubin"]
        found = SavedDataset(
            name="mine", features=["wards:ward"], join_keys=columns, storage=storage, tags=LABELS["tags"]
        )
        found.min_event_timestamp, found.max_event_timestamp = hours(-9), hours(9)
        return found

    lab = made("sources/lab.parquet")
    with pytest.raises(Denied, match=r"laboratory\.bilirubin"):
        store._get_provider().retrieve_saved_dataset(store.config, lab)
    store.registry.apply_saved_dataset(lab, store.project, commit=True)
    with pytest.raises(Denied, match=r"laboratory\.bilirubin"):
        store.get_saved_dataset("mine")
    with pytest.raises(WrongQuestion, match="has files in common with the objects"):
        store._get_provider().retrieve_saved_dataset(store.config, made(str(stored)))
