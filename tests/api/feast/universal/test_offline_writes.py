"""What Feast's universal tests ask of writing to files: sources, logs, saved datasets, exports; each on record."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from governance.errors import AnswerIsNo, Denied, WrongQuestion
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view

pytestmark = [
    pytest.mark.filterwarnings("ignore:Saving dataset:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Retrieving datasets:RuntimeWarning"),
]


def _rows(*values: float, first: float = -3, patient: int = 1) -> pa.Table:
    moments = [hours(first + at) for at in range(len(values))]
    return pa.table(
        {
            "patient_id": [patient] * len(values),
            "event_timestamp": times(moments),
            "created": times(moments),
            "rate": pa.array(values, pa.float32()),
        }
    )


def _laboratory(small: Small, **options: Any) -> list[Any]:
    from feast import Field
    from feast.types import Float32, Int64

    patient = entity("patient", "patient_id")
    source = small.source("visits", _rows(0.5, 0.25), created_timestamp_column="created")
    schema = [Field(name="patient_id", dtype=Int64), Field(name="rate", dtype=Float32)]
    return [patient, view("laboratory", source, [patient], schema, ttl=timedelta(hours=9), **options)]


def _now(store: Any, *moments: Any) -> list[Any]:
    spine = pd.DataFrame({"patient_id": [1] * len(moments), "event_timestamp": list(moments)})
    found: list[Any] = store.get_historical_features(spine, features=["laboratory:rate"]).to_arrow()["rate"].to_pylist()
    return found


def test_rows_written_one_after_another_are_read_back_and_on_record_with_the_files_before_and_after(
    small: Small,
) -> None:
    store = small.applied(*_laboratory(small))
    assert _now(store, NOON) == [0.25]
    frame = _rows(1.0, 2.0, first=-1).to_pandas()
    store.write_to_offline_store("laboratory", frame[["rate", "created", "event_timestamp", "patient_id"]])
    store.write_to_offline_store("laboratory", _rows(4.0, first=1).to_pandas())
    assert _now(store, hours(-2), hours(-1), NOON, hours(2)) == [0.25, 1.0, 2.0, 4.0]
    start, first, _, second = small.predicates("write")
    assert (start["state"], first["state"], second["state"]) == ("START", "COMPLETE", "COMPLETE")
    assert first["request"]["object"] == "feature_view:laboratory"
    assert (first["written"]["rows"], second["written"]["rows"]) == (2, 1)
    assert first["written"]["digest"].startswith("td1-sha256:")
    assert first["written"]["before"]["files"] != first["written"]["after"]["files"]
    assert first["written"]["after"]["files"] == second["written"]["before"]["files"]
    read = next(one for one in reversed(small.predicates("retrieval")) if one["state"] == "COMPLETE")
    assert read["sources"][0]["files"] == second["written"]["after"]["files"]


def test_rows_of_other_columns_are_refused_and_change_nothing(small: Small) -> None:
    store = small.applied(*_laboratory(small))
    frame = _rows(1.0).to_pandas()
    with pytest.raises(ValueError, match=r"missing_expected_columns: \['rate'\]"):
        store.write_to_offline_store("laboratory", frame.rename(columns={"rate": "other"}))
    laboratory, other = store.get_feature_view("laboratory"), _rows(1.0).drop_columns(["rate"])
    with pytest.raises(WrongQuestion, match=r"missing \['rate'\]"):
        store.provider.offline_write_batch(store.config, laboratory, other, None)
    with pytest.raises(AnswerIsNo, match="patient_id") as refusal:
        store.write_to_offline_store("laboratory", frame.assign(patient_id="Maria Musterfrau"))
    assert "Musterfrau" not in str(refusal.value)
    assert _now(store, hours(1)) == [0.25]
    assert [one["state"] for one in small.predicates("write")] == ["START", "FAIL"] * 2


def test_a_push_reaches_the_files_behind_the_view(small: Small) -> None:
    from feast import Field, PushSource, StreamFeatureView
    from feast.data_source import PushMode
    from feast.types import Float32, Int64

    patient, _ = _laboratory(small)
    batch = small.source("beats", _rows(0.5), created_timestamp_column="created", field_mapping={"rate": "pulse"})
    push = PushSource(name="monitor", batch_source=batch, **LABELS)
    schema = [Field(name="patient_id", dtype=Int64), Field(name="pulse", dtype=Float32)]
    stream = StreamFeatureView(
        name="laboratory", source=push, entities=[patient], schema=schema, ttl=timedelta(hours=9), **LABELS
    )
    store = small.applied(patient, batch, stream)
    store.push("monitor", _rows(8.0, first=0).to_pandas(), to=PushMode.OFFLINE)
    spine = pd.DataFrame({"patient_id": [1], "event_timestamp": [NOON]})
    found = store.get_historical_features(spine, features=["laboratory:pulse"]).to_arrow()
    assert found["pulse"].to_pylist() == [8.0]
    assert small.predicates("write")[-1]["request"]["object"] == "stream_feature_view:laboratory"


def test_appends_at_once_lose_no_row(small: Small) -> None:
    store = small.applied(*_laboratory(small))
    laboratory = store.get_feature_view("laboratory")

    def append(number: int) -> None:
        rows = _rows(float(number), patient=100 + number)
        store.provider.offline_write_batch(store.config, laboratory, rows, None)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(append, range(6)))
    found = store.get_historical_features(
        None, features=["laboratory:rate"], start_date=hours(-9), end_date=hours(9)
    ).to_df()
    assert sorted(found["patient_id"]) == [1, 1, *range(100, 106)]


def _with_logs(small: Small, place: str, **options: Any) -> tuple[Any, Any]:
    from feast import FeatureService
    from feast.feature_logging import LoggingConfig
    from feast.infra.offline_stores.file_source import FileLoggingDestination

    patient, laboratory = _laboratory(small)
    destination = FileLoggingDestination(path=place, **options)
    service = FeatureService(
        name="risk", features=[laboratory], logging_config=LoggingConfig(destination=destination), **LABELS
    )
    store = small.applied(patient, laboratory, service)
    return store, store.get_feature_service("risk")


def _logs(store: Any, service: Any, *requests: str) -> pa.Table:
    from feast.feature_logging import FeatureServiceLoggingSource

    schema = FeatureServiceLoggingSource(service, store.project).get_schema(store.registry)
    at = [hours(number) for number in range(len(requests))]
    return pa.Table.from_pydict(
        {
            "patient_id": [1] * len(requests),
            "laboratory__rate": [0.5] * len(requests),
            "laboratory__rate__timestamp": [one.replace(tzinfo=None) for one in at],
            "laboratory__rate__status": [1] * len(requests),
            "__log_timestamp": at,
            "__log_date": [one.date() for one in at],
            "__request_id": list(requests),
        },
        schema=schema,
    )


@pytest.mark.parametrize("partitioned", ["plain", "by date"])
def test_served_values_are_logged_and_read_back_on_record(
    make_small: Callable[..., Small], tmp_path: Path, partitioned: str
) -> None:
    small = make_small()
    options = {"partition_by": ["__log_date"]} if partitioned == "by date" else {}
    store, service = _with_logs(small, "data/logs", **options)
    store.write_logged_features(logs=_logs(store, service, "a", "b"), source=service)
    flushed = tmp_path / "flushed"
    flushed.mkdir()
    pq.write_table(_logs(store, service, "c"), flushed / "part.parquet")
    store.write_logged_features(logs=flushed, source=service)
    job = store._get_provider().retrieve_feature_service_logs(service, hours(0), hours(1), store.config, store.registry)
    assert sorted(job.to_df()["__request_id"]) == ["a", "b", "c"]
    assert [one["state"] for one in small.predicates("write")] == ["START", "COMPLETE"] * 2
    read = small.predicates("retrieval")[-1]
    assert read["request"]["object"] == "feature_service:risk"
    assert {one["path"] for one in read["sources"][0]["files"]} == {
        one["path"] for one in small.predicates("write")[-1]["written"]["after"]["files"]
    }


def test_logs_do_not_go_where_the_values_may_not_lie(make_small: Callable[..., Small]) -> None:
    small = make_small()
    store, service = _with_logs(small, "data/abroad")
    with pytest.raises(Denied, match="abroad"):
        store.write_logged_features(logs=_logs(store, service, "a"), source=service)
    assert not (small.path / "data/abroad").exists()


def _storage(small: Small, path: str) -> Any:
    from feast.data_format import DeltaFormat, ParquetFormat
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    form = DeltaFormat() if small.kind == "delta" else ParquetFormat()
    suffix = ".parquet" if small.kind == "file" else ""
    return SavedDatasetFileStorage(path=f"{path}{suffix}", file_format=form)


def test_a_saved_dataset_gives_back_what_was_retrieved(small: Small) -> None:
    from feast.errors import SavedDatasetLocationAlreadyExists

    store = small.applied(*_laboratory(small))
    spine = pd.DataFrame({"patient_id": [1, 1, 7], "event_timestamp": [NOON, hours(-2.5), NOON]})
    job = store.get_historical_features(spine, features=["laboratory:rate"])
    saved = store.create_saved_dataset(job, "training", _storage(small, "data/training"), tags={"residency": "DE"})
    rows = job.to_arrow().sort_by([("event_timestamp", "ascending"), ("patient_id", "ascending")])
    assert saved.to_arrow().select(rows.column_names).to_pylist() == rows.to_pylist()
    again = store.get_historical_features(spine.head(1), features=["laboratory:rate"])
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        again.persist(_storage(small, "data/training"))
    again.persist(_storage(small, "data/training"), allow_overwrite=True)
    assert store.get_saved_dataset("training").to_arrow().num_rows == 1


def test_a_saved_dataset_does_not_take_the_place_of_a_source(small: Small) -> None:
    from feast.errors import SavedDatasetLocationAlreadyExists
    from feast.saved_dataset import SavedDatasetStorage

    store = small.applied(*_laboratory(small))
    source = store.get_data_source("visits")
    job = store.get_historical_features(
        pd.DataFrame({"patient_id": [1], "event_timestamp": [NOON]}), features=["laboratory:rate"]
    )
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        job.persist(SavedDatasetStorage.from_data_source(source))
    assert _now(store, NOON) == [0.25]


def test_an_export_lies_below_the_staging_location_and_is_on_record(make_small: Callable[..., Small]) -> None:
    small = make_small(staging_location="data/staging")
    store = small.applied(*_laboratory(small))
    spine = pd.DataFrame({"patient_id": [1], "event_timestamp": [NOON]})
    job = store.get_historical_features(spine, features=["laboratory:rate"])
    assert job.supports_remote_storage_export()
    (uri,) = job.to_remote_storage()
    path = Path(uri.removeprefix("file://"))
    assert path.parent == small.path / "data/staging"
    assert pq.read_table(path).equals(job.to_arrow())
    written = small.predicates("write")[-1]
    assert written["request"]["way"] == "to_remote_storage"
    assert written["written"]["digest"] == job.snapshot.digest


def test_without_a_staging_location_nothing_is_exported(make_small: Callable[..., Small]) -> None:
    small = make_small()
    store = small.applied(*_laboratory(small))
    spine = pd.DataFrame({"patient_id": [1], "event_timestamp": [NOON]})
    job = store.get_historical_features(spine, features=["laboratory:rate"])
    assert not job.supports_remote_storage_export()
    with pytest.raises(WrongQuestion, match="staging_location"):
        job.to_remote_storage()


@pytest.mark.parametrize("latest", ["latest alone", "all rows"])
def test_what_is_served_online_is_what_history_says(small: Small, latest: str) -> None:
    small.configure(
        lambda document: document.update(materialization={"pull_latest_features": latest == "latest alone"})
    )
    store = small.applied(*_laboratory(small, online=True))
    read = {"features": ["laboratory:rate"], "entity_rows": [{"patient_id": 1}, {"patient_id": 7}]}
    store.materialize(hours(-9), hours(-2.5))
    assert store.get_online_features(**read).to_dict()["rate"] == [0.5, None]
    store.materialize_incremental(NOON)
    assert store.get_online_features(**read).to_dict()["rate"] == [0.25, None]
    assert _now(store, hours(-2.5), NOON) == [0.5, 0.25]


def test_limits_that_are_none_are_a_clear_error(make_small: Callable[..., Small]) -> None:
    small = make_small(memory_limit="much")
    store = small.applied(*_laboratory(small))
    with pytest.raises(WrongQuestion, match="memory_limit is 'much'"):
        _now(store, NOON)


def test_a_retrieval_within_limits_spills_where_it_is_told_and_leaves_nothing(
    make_small: Callable[..., Small],
) -> None:
    small = make_small(memory_limit="200MB", threads=1, spill_directory="data/spill")
    store = small.applied(*_laboratory(small))
    assert _now(store, NOON) == [0.25]
    spill = small.path / "data/spill"
    assert not spill.exists() or list(spill.iterdir()) == []


def test_spilled_rows_do_not_lie_where_they_may_not(make_small: Callable[..., Small]) -> None:
    small = make_small(spill_directory="data/abroad/spill")
    with pytest.raises(Denied, match="abroad"):
        small.applied(*_laboratory(small))
