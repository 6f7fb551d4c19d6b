"""Rows handed in for the online store: decided, on record with their digest, and served."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

import governance
from governance.errors import Denied, WrongQuestion
from tests.api.feast.views import follow_up_view

REFS = ["follow_up:outcome"]


def _rows(*outcomes: str) -> pd.DataFrame:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    rows = {"patient_id": range(1, len(outcomes) + 1), "event_timestamp": now, "created_timestamp": now}
    return pd.DataFrame({**rows, "outcome": outcomes})


def _served(store: Any, patient: int = 1) -> Any:
    answer = store.get_online_features(features=REFS, entity_rows=[{"patient_id": patient}])
    return answer.to_dict()["outcome"][0]


@pytest.fixture
def pushable(repository: Any) -> tuple[Any, Any]:
    from feast import PushSource

    store = repository.apply()
    export, view = follow_up_view(store)
    pushed = PushSource(name="pushed", batch_source=export, owner=view.owner, tags=view.tags)
    view.batch_source, view.stream_source = export, pushed
    store.apply([view, pushed, export])
    return repository, store


def test_what_is_written_online_is_served_and_on_record(pushable: Any) -> None:
    repository, store = pushable
    store.write_to_online_store("follow_up", _rows("alive", "transplanted"))
    assert _served(store) == "alive"
    started, complete = repository.records("write")
    assert started.predicate["state"] == "START"
    assert complete.predicate["state"] == "COMPLETE"
    assert complete.predicate["request"]["way"] == "online_write"
    assert complete.predicate["request"]["place"].endswith("/data/online.db")
    assert complete.predicate["written"]["rows"] == 2
    assert complete.predicate["written"]["digest"].startswith("random:")  # so few rows could be guessed
    (output,) = complete.predicate["event"]["outputs"]
    assert output["name"] == "online/follow_up"
    assert "alive" not in str(complete.predicate)


def test_many_rows_are_named_by_their_digest_whatever_their_order(pushable: Any) -> None:
    repository, store = pushable
    rows = _rows(*[f"outcome {number}" for number in range(60)])
    store.push("pushed", rows)
    store.push("pushed", rows.iloc[::-1])
    written = [one["written"]["digest"] for one in repository.predicates("write") if one["state"] == "COMPLETE"]
    assert len(written) == 2
    assert len(set(written)) == 1
    assert written[0].startswith("td1-sha256:")


def test_a_purpose_that_is_not_granted_writes_nothing(pushable: Any) -> None:
    repository, store = pushable
    store.push("pushed", _rows("alive"))
    with governance.acting(purpose="marketing"), pytest.raises(Denied, match=r"purpose\.allowed"):
        store.push("pushed", _rows("forged"))
    assert _served(store) == "alive"
    assert repository.predicates("write")[-1]["state"] == "DENIED"


def test_a_store_that_fails_leaves_a_failed_run(pushable: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from feast.infra.online_stores.sqlite import SqliteOnlineStore

    repository, store = pushable

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as crash:
        crash.setattr(SqliteOnlineStore, "online_write_batch", full)
        with pytest.raises(WrongQuestion, match="No space left"):
            store.push("pushed", _rows("alive"))
    assert repository.predicates("write")[-1]["state"] == "FAIL"
    store.push("pushed", _rows("alive"))
    assert _served(store) == "alive"


def test_an_asynchronous_write_is_decided_too(pushable: Any) -> None:
    repository, store = pushable
    with governance.acting(purpose="marketing"), pytest.raises(Denied, match=r"purpose\.allowed"):
        asyncio.run(store.write_to_online_store_async("follow_up", _rows("forged")))
    with pytest.raises(NotImplementedError):  # SQLite writes no other way than at once; the gate was passed
        asyncio.run(store.write_to_online_store_async("follow_up", _rows("alive")))
    assert [one["state"] for one in repository.predicates("write")] == ["DENIED", "START", "FAIL"]


def test_a_view_that_is_not_registered_is_written_to_by_nobody(pushable: Any) -> None:
    repository, store = pushable
    _, view = follow_up_view(store, "unknown")
    with pytest.raises(Denied, match="not defined"):
        store.provider.ingest_df(view, _rows("alive"))
    assert repository.predicates("write")[-1]["state"] == "DENIED"


def test_the_providers_own_batch_is_refused_where_nobody_watches(pushable: Any) -> None:
    _, store = pushable
    view = store.get_feature_view("follow_up")
    with pytest.raises(WrongQuestion, match="nobody would record"):
        store.provider.online_write_batch(store.config, view, [], None)
