"""A materialization: decided, recorded with what it wrote, and no new version of any definition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from governance.errors import Denied, WrongQuestion

SPAN = (datetime(2009, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
ROWS = [{"patient_id": number} for number in range(1, 61)]


def _online(store: Any) -> dict[str, list[Any]]:
    answer: dict[str, list[Any]] = store.get_online_features(
        features=store.get_feature_service("liver_risk"), entity_rows=ROWS
    ).to_dict()
    return answer


def test_what_was_written_online_is_on_record_with_its_sources(applied: Any) -> None:
    repository, store = applied
    definitions, decisions = repository.head["definitions"], len(repository.records("decision"))
    store.materialize(*SPAN)
    records = repository.predicates("materialization")
    assert sorted(one["state"] for one in records) == ["COMPLETE", "COMPLETE", "START", "START"]
    views = {one["views"][0]["name"]: one for one in records if one["state"] == "COMPLETE"}
    assert set(views) == {"laboratory", "demographics"}
    (laboratory,) = views["laboratory"]["views"]
    assert laboratory["digest"].startswith("td1-sha256:")
    assert laboratory["rows"] == 312  # the latest visit of each patient
    assert [one["name"] for one in laboratory["sources"]] == ["laboratory_results"]
    assert laboratory["store"] == (repository.path / "data/online.db").resolve().as_uri()
    assert views["laboratory"]["request"]["purpose"] == "research"
    assert repository.head["definitions"] == definitions
    assert len(repository.records("decision")) == decisions
    assert any(value is not None for value in _online(store)["albumin_g_dl"])


def test_the_same_rows_have_the_same_digest_and_others_another(applied: Any) -> None:
    repository, store = applied
    store.materialize(*SPAN, feature_views=["laboratory"])
    store.materialize(*SPAN, feature_views=["laboratory"])
    file = repository.path / "data/sources/laboratory.parquet"
    pq.write_table(pq.read_table(file).slice(0, 1500), file)
    store.materialize(*SPAN, feature_views=["laboratory"])
    first, again, fewer = (
        one["views"][0]["digest"] for one in repository.predicates("materialization") if one["state"] == "COMPLETE"
    )
    assert first == again != fewer


def test_the_digest_is_of_rows_by_event_timestamp_then_join_keys(applied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lineage.td1 import digest_table

    _, store = applied
    digested: list[Any] = []

    def noting(table: Any) -> Any:
        digested.append(table)
        return digest_table(table)

    monkeypatch.setattr("api.feast.materialization.digest_table", noting)
    store.materialize(*SPAN, feature_views=["laboratory"])
    (table,) = digested
    order = list(zip(table["event_timestamp"].to_pylist(), table["patient_id"].to_pylist(), strict=True))
    assert len(order) == 312
    assert order == sorted(order)


def test_a_view_that_would_rewrite_its_source_is_refused(applied: Any) -> None:
    repository, store = applied
    view = store.get_feature_view("laboratory")
    view.offline = True
    store.apply([view])
    with pytest.raises(WrongQuestion, match="offline=True"):
        store.materialize(*SPAN, feature_views=["laboratory"])
    assert repository.records("materialization") == []


def test_values_do_not_reach_a_store_that_may_not_hold_them(applied: Any) -> None:
    repository, _ = applied
    repository.configure(
        lambda document: document["online_store"].update(path="data/mirror-fr/online.db"), "other.yaml"
    )
    store = repository.store("other.yaml")
    with pytest.raises(Denied, match="mirror-fr"):
        store.materialize(*SPAN, feature_views=["demographics"])
    (denied,) = repository.predicates("materialization")
    assert denied["state"] == "DENIED"
    assert not (repository.path / "data/mirror-fr").exists()


def test_a_materialization_that_fails_is_on_record(applied: Any) -> None:
    repository, store = applied
    (repository.path / "data/sources/laboratory.parquet").unlink()
    with pytest.raises(WrongQuestion, match=r"laboratory\.parquet cannot be read"):
        store.materialize(*SPAN, feature_views=["laboratory"])
    assert [one["state"] for one in repository.predicates("materialization")] == ["START", "FAIL"]


def test_an_engine_whose_writes_nobody_sees_is_refused(applied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from feast.infra.compute_engines.local.compute import LocalComputeEngine

    class BatchComputeEngine(LocalComputeEngine):
        @property
        def supports_batch(self) -> bool:
            return True

    repository, store = applied
    monkeypatch.setattr(store.provider, "_batch_engine", BatchComputeEngine.__new__(BatchComputeEngine))
    with pytest.raises(WrongQuestion, match="local compute engine"):
        store.materialize(*SPAN)
    assert repository.records("materialization") == []
