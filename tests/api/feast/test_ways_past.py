"""Ways by which rows could leave, or values be written, past verdict and record: each is refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from governance.errors import Denied, WrongQuestion

SPAN = (datetime(2009, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
REFS = ["laboratory:bilirubin_mg_dl"]


def _rows(repository: Any, number: int = 2) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(repository.path / "data/sources/laboratory.parquet").to_pandas().head(number)
    return frame


def _spine() -> pd.DataFrame:
    return pd.DataFrame({"patient_id": [1, 2], "event_timestamp": pd.to_datetime(["2012-01-01"] * 2, utc=True)})


def _all_records(repository: Any) -> int:
    """How many records there are, without the counts of reads, which are recorded each second."""
    return sum(one.kind != "online-reads" for one in repository.parts.records.all())


def test_the_providers_offline_store_gives_rows_to_nobody_else(applied: Any) -> None:
    repository, store = applied
    offline, view = store.provider.offline_store, store.get_feature_view("laboratory")
    asked = (store.config, view.batch_source, ["patient_id"], ["bilirubin_mg_dl"], "event_timestamp", None, *SPAN)
    before = _all_records(repository)
    with pytest.raises(WrongQuestion, match="without a verdict"):
        offline.get_historical_features(store.config, [view], REFS, _spine(), store.registry, store.project)
    with pytest.raises(WrongQuestion, match="without a verdict"):
        offline.pull_latest_from_table_or_query(*asked)
    with pytest.raises(WrongQuestion, match="without a verdict"):
        offline.pull_all_from_table_or_query(*asked)
    with pytest.raises(WrongQuestion, match="refused"):
        offline.compute_monitoring_metrics(store.config, view.batch_source, [])
    job = store.get_historical_features(_spine(), features=REFS)
    with pytest.raises(WrongQuestion, match="without a verdict"):
        job._inner.to_df()
    assert job.to_df().shape[0] == 2
    assert _all_records(repository) == before + 2


def test_the_stores_of_feast_itself_are_guarded_by_the_provider_too(applied: Any) -> None:
    repository, _ = applied
    repository.configure(lambda document: document.update(offline_store={"type": "duckdb"}), "duckdb.yaml")
    store = repository.store("duckdb.yaml")
    view = store.get_feature_view("laboratory")
    with pytest.raises(WrongQuestion, match="without a verdict"):
        store.provider.offline_store.get_historical_features(
            store.config, [view], REFS, _spine(), store.registry, store.project
        )


@pytest.mark.filterwarnings("ignore")
def test_feasts_offline_server_gives_and_takes_nothing(applied: Any) -> None:
    from feast.offline_server import OfflineServer

    repository, store = applied
    file = repository.path / "data/sources/laboratory.parquet"
    content = file.read_bytes()
    server = OfflineServer(store, "grpc://127.0.0.1:0")
    try:
        server.flights = {"rows": pa.Table.from_pandas(_spine()), "new": pa.Table.from_pandas(_rows(repository))}
        common = {"feature_view_names": ["laboratory"], "name_aliases": [None], "project": store.project}
        wanted = {**common, "feature_refs": REFS, "full_feature_names": False}
        ranged = {
            "data_source_name": "laboratory_results",
            "join_key_columns": ["patient_id"],
            "feature_name_columns": ["bilirubin_mg_dl"],
            "timestamp_field": "event_timestamp",
            "created_timestamp_column": None,
            "start_date": SPAN[0].isoformat(),
            "end_date": SPAN[1].isoformat(),
        }
        with pytest.raises(WrongQuestion, match="without a verdict"):
            server.get_historical_features(wanted, "rows")
        with pytest.raises(WrongQuestion, match="without a verdict"):
            server.pull_all_from_table_or_query(ranged)
        with pytest.raises(WrongQuestion, match="without a verdict"):
            server.pull_latest_from_table_or_query(ranged)
        with pytest.raises(WrongQuestion, match="without a verdict"):
            server.offline_write_batch({**common, "progress": None}, "new")
    finally:
        server.shutdown()
    assert file.read_bytes() == content


def test_a_source_is_not_written_where_its_rows_may_not_lie(applied: Any) -> None:
    """A view handed in by the caller says where its source is: that place is judged, not the registered one."""
    from feast import FileSource

    repository, store = applied
    view = store.get_feature_view("demographics")
    place = repository.path / "data/mirror-fr"
    view.batch_source = FileSource(name="patient_register", path=str(place), timestamp_field="event_timestamp")
    with pytest.raises(Denied, match="mirror-fr"):
        store.provider.offline_write_batch(store.config, view, pa.Table.from_pandas(_rows(repository)), None)
    assert not place.exists()
    (denied,) = repository.predicates("write")
    assert denied["state"] == "DENIED"


def test_values_are_not_written_online_where_nobody_records_them(applied: Any) -> None:
    repository, store = applied
    store.materialize(*SPAN, feature_views=["laboratory"])
    read = {"features": REFS, "entity_rows": [{"patient_id": 1}]}
    before, records = store.get_online_features(**read).to_dict(), _all_records(repository)
    view = store.get_feature_view("laboratory")
    with pytest.raises(WrongQuestion, match="nobody would record"):
        store.provider.online_store.online_write_batch(store.config, view, [], None)
    with pytest.raises(WrongQuestion, match="nobody would record"):
        asyncio.run(store.provider.online_store.online_write_batch_async(store.config, view, [], None))
    with pytest.raises(WrongQuestion, match="nobody would record"):
        store.provider.online_store.write_precomputed_vector(None, None)
    assert store.get_online_features(**read).to_dict() == before
    assert _all_records(repository) == records


def test_an_on_demand_view_is_not_materialized_unrecorded(applied: Any) -> None:
    repository, store = applied
    view = store.get_on_demand_feature_view("liver_scores")
    view.write_to_online_store = True
    store.apply([view])
    records = _all_records(repository)
    with pytest.raises(WrongQuestion, match="write_to_online_store"):
        store.materialize(*SPAN)
    with pytest.raises(WrongQuestion, match="write_to_online_store"):
        store.provider.materialize_single_feature_view(
            store.config,
            store.get_on_demand_feature_view(view.name),
            *SPAN,
            store.registry,
            store.project,
            lambda _length: None,
        )
    assert _all_records(repository) == records


def test_the_providers_online_store_is_read_through_the_gate_only(applied: Any) -> None:
    _, store = applied
    online, view = store.provider.online_store, store.get_feature_view("laboratory")
    for name in ("online_read", "online_read_async", "get_online_features", "retrieve_online_documents_v2"):
        with pytest.raises(WrongQuestion, match="without a verdict"):
            getattr(online, name)(store.config, view, [])
    with pytest.raises(WrongQuestion, match="without a verdict"):
        store.provider.online_read(store.config, view, [])
