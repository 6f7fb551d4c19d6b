"""Any of Feast's stores behind Feast's own offline server: a client of it meets the verdict and leaves the record."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import yaml

from governance.errors import Denied, WrongQuestion
from tests.api.feast.conftest import Repository
from tests.api.feast.doors.conftest import free_port

REFS = ["laboratory:bilirubin_mg_dl", "demographics:age_at_enrolment_years"]
SPINE = pd.DataFrame({"patient_id": [1, 2, 1], "event_timestamp": [datetime(2026, 1, 1, tzinfo=UTC)] * 3})
ASOF = "api.feast.AsofOfflineStore"


@dataclass(frozen=True)
class Served:
    """A repository, its store in this process, and a client of its servers."""

    repository: Any
    store: Any
    client: Any


def _wrapped(repository: Any, kind: str) -> None:
    repository.configure(
        lambda document: document.update(
            offline_store={"type": "api.feast.GovernedOfflineStore", "store": {"type": kind}}
        )
    )


@pytest.fixture(params=["duckdb", "dask", ASOF])
def served(request: pytest.FixtureRequest, repository: Any) -> Iterator[Served]:
    from feast import FeatureStore
    from feast.offline_server import OfflineServer
    from feast.registry_server import start_server

    _wrapped(repository, request.param)
    store, port = repository.apply(), free_port()
    registry = start_server(repository.store(), port, wait_for_termination=False)
    offline = OfflineServer(repository.store(), "grpc://127.0.0.1:0")
    flight = threading.Thread(target=offline.serve)
    flight.start()
    document = {
        "project": "liver_care",
        "provider": "local",
        "registry": {"registry_type": "remote", "path": f"localhost:{port}"},
        "offline_store": {"type": "remote", "host": "127.0.0.1", "port": offline.port},
        "entity_key_serialization_version": 3,
    }
    place = repository.path.parent / "client"
    place.mkdir()
    (place / "feature_store.yaml").write_text(yaml.safe_dump(document))
    try:
        yield Served(repository, store, FeatureStore(repo_path=str(place)))
    finally:
        offline.shutdown()
        flight.join()
        registry.stop(None).wait()


def test_a_retrieval_by_the_offline_server_is_the_same_recorded_snapshot(served: Served, liver_spine: Any) -> None:
    spine = liver_spine.drop_duplicates(["patient_id", "event_timestamp"])  # dask loses what stands there twice
    job = served.store.get_historical_features(spine, features=REFS)
    mine = job.to_df()
    theirs = served.client.get_historical_features(spine, features=REFS).to_df()
    pd.testing.assert_frame_equal(theirs, mine, check_dtype=False)
    first, second = (one for one in served.repository.predicates("retrieval") if one["state"] == "COMPLETE")
    assert first["engine"] == second["engine"]
    digests = [served.repository.parts.recorded_snapshots().manifest(one["snapshot"]).digest for one in (first, second)]
    assert digests == [job.snapshot.digest] * 2
    assert len([one for one in served.repository.predicates("retrieval") if one["state"] == "START"]) == 2


def test_a_client_of_the_offline_server_is_denied_like_anybody(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENDER_PURPOSE", "marketing")  # of the server, which answers for its clients here
    with pytest.raises(Denied, match=r"purpose\.allowed"):
        served.store.get_historical_features(SPINE, features=REFS).to_df()
    with pytest.raises(Exception, match=r"purpose\.allowed"):  # as Arrow Flight hands it over
        served.client.get_historical_features(SPINE, features=REFS).to_df()
    states = [one["state"] for one in served.repository.predicates("retrieval")]
    assert states == ["DENIED", "DENIED"]


@pytest.mark.parametrize("way", ["pull_all_from_table_or_query", "pull_latest_from_table_or_query"])
def test_rows_of_a_source_do_not_leave_by_the_offline_server(served: Served, way: str) -> None:
    source = served.store.get_data_source("laboratory_results")
    span = datetime(2009, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    pull = getattr(served.client._get_provider().offline_store, way)
    asked = (["patient_id"], ["bilirubin_mg_dl"], "event_timestamp", None, *span)
    with pytest.raises(Exception, match="without a verdict and a record"):  # as Arrow Flight hands it over
        pull(served.client.config, source, *asked).to_df()


def test_logs_are_not_written_past_the_provider(served: Served) -> None:
    from api.feast import GovernedOfflineStore
    from api.feast.denial import NotOffered

    with pytest.raises(NotOffered, match="without a verdict and a record"):
        GovernedOfflineStore.write_logged_features(served.store.config, None, None, None, None)


@pytest.mark.parametrize("within", [{}, {"type": "api.feast.GovernedOfflineStore"}], ids=["none", "itself"])
def test_the_store_within_has_to_be_named(repository: Any, within: dict[str, str]) -> None:
    def change(document: dict[str, Any]) -> None:
        document["offline_store"] = {"type": "api.feast.GovernedOfflineStore", "store": within}

    repository.configure(change)
    with pytest.raises(WrongQuestion, match=r"`offline_store: store: type:` is .*Expected the type of one of Feast's"):
        repository.apply()
    assert not (repository.path / "data/online.db").exists()


def test_everything_else_of_a_repository_works_as_with_the_store_itself(make_repository: Any) -> None:
    plain, wrapped = make_repository("plain"), make_repository("wrapped")
    plain.configure(lambda document: document.update(offline_store={"type": "duckdb"}))
    _wrapped(wrapped, "duckdb")
    span = datetime(2009, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    kinds: dict[str, list[str]] = {}
    for name, one in (("plain", plain), ("wrapped", wrapped)):
        store = _lived(one, span)
        assert store.get_online_features(features=REFS, entity_rows=[{"patient_id": 1}]).to_dict()
        kinds[name] = [record.kind for record in one.parts.records.all() if record.kind != "online-reads"]
    assert kinds["wrapped"] == kinds["plain"]


def _lived(repository: Repository, span: tuple[datetime, datetime]) -> Any:
    store = repository.apply()
    store.materialize(*span)
    store.get_historical_features(SPINE, features=store.get_feature_service("liver_risk")).to_df()
    return store
