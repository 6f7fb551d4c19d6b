"""What a caller holds after ``get_historical_features()``: it asks once more before it reads, and hides no refusal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from governance.errors import Denied, WrongQuestion
from tests.api.feast.universal.small_repository import NOON, Small, entity, hours, times, view

pytestmark = [
    pytest.mark.filterwarnings("ignore:Saving dataset:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Retrieving datasets:RuntimeWarning"),
]

MOMENTS = [hours(-3), hours(-1), hours(-2)]


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """A repository that is not set up yet."""
    return Small(tmp_path / "repository").prepare()


@pytest.fixture
def store(small: Small) -> Any:
    """One view of values at three moments."""
    from feast import Field
    from feast.types import Float64, Int64

    rows = pa.table({"patient_id": [1, 2, 3], "event_timestamp": times(MOMENTS), "rate": [0.5, 0.25, 1.0]})
    patient = entity("patient", "patient_id")
    schema = [Field(name="patient_id", dtype=Int64), Field(name="rate", dtype=Float64)]
    return small.applied(patient, view("laboratory", small.source("visits", rows), [patient], schema))


def _job(store: Any, rows: Any = None) -> Any:
    spine = pd.DataFrame({"patient_id": [1], "event_timestamp": [NOON]}) if rows is None else rows
    return store.get_historical_features(spine, features=["laboratory:rate"])


def _storage(path: str = "data/saved.parquet") -> Any:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    return SavedDatasetFileStorage(path=path)


def test_a_policy_that_was_changed_after_the_question_counts_before_the_answer(small: Small, store: Any) -> None:
    job = _job(store)
    policy = small.path / "policy.yaml"
    before = policy.read_text()
    policy.write_text(before.replace("purposes: [care]", "purposes: [billing]"))
    with pytest.raises(Denied, match="care"):
        job.to_arrow()
    policy.write_text(before)
    assert [one["state"] for one in small.predicates("retrieval")] == ["START", "DENIED"]
    assert small.predicates("retrieval")[-1]["verdict"]["outcome"] == "deny"
    with pytest.raises(Exception, match="has failed already"):
        job.to_arrow()
    assert _job(store).to_arrow().num_rows == 1


@pytest.mark.parametrize("way", ["to_arrow", "to_df", "persist"])
def test_a_time_limit_is_refused_and_not_ignored(small: Small, store: Any, way: str) -> None:
    job = _job(store)
    arguments = [_storage()] if way == "persist" else []
    with pytest.raises(WrongQuestion, match="timeout=5 was given"):
        getattr(job, way)(*arguments, timeout=5)
    assert not (small.path / "data/saved.parquet").exists()
    assert job.to_arrow(timeout=None).num_rows == 1


def test_what_a_query_gave_becomes_a_saved_dataset_with_its_first_and_last_moment(small: Small, store: Any) -> None:
    job = _job(store, "SELECT patient_id, event_timestamp FROM visits")
    tags = {"residency": "DE", "purpose": "care"}
    saved = store.create_saved_dataset(job, "training", _storage(), tags=tags)
    assert saved.to_arrow()["rate"].to_pylist() == [0.5, 1.0, 0.25]
    assert (job.metadata.min_event_timestamp, job.metadata.max_event_timestamp) == (min(MOMENTS), max(MOMENTS))
    assert store.get_saved_dataset("training").to_arrow().num_rows == 3
    read = small.predicates("retrieval")[-1]["request"]["options"]
    last = max(MOMENTS) + timedelta(seconds=1)  # so far Feast reads
    assert (pd.Timestamp(read["start_date"]), pd.Timestamp(read["end_date"])) == (min(MOMENTS), last)


def test_rows_that_could_not_be_read_back_by_their_time_are_not_saved(small: Small, store: Any) -> None:
    other = pd.DataFrame({"patient_id": [1], "seen": [NOON]})
    none = pa.table({"patient_id": pa.array([], pa.int64()), "event_timestamp": times([])})
    query = "SELECT patient_id, event_timestamp AS seen FROM visits"
    for rows in (other, none, query):
        with pytest.raises(WrongQuestion, match="no time in a column event_timestamp"):
            store.create_saved_dataset(_job(store, rows), "training", _storage())
    assert not (small.path / "data/saved.parquet").exists()
    assert not small.predicates("write")
