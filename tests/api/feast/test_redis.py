"""A real Redis as the online store: it gets values where the policy says it stands, and none where it may not."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from governance.errors import Denied

pytestmark = [pytest.mark.system, pytest.mark.slow]

SPAN = (datetime(2009, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
ROWS = [{"patient_id": number} for number in range(1, 61)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis of this test alone, on loopback, that keeps nothing; the client of its database 0."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen([*command, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL) as process:
        try:
            with redis.Redis(host="127.0.0.1", port=port) as client:
                _wait(client)
                yield client
        finally:
            process.terminate()


def _wait(client: redis.Redis) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def repository(make_repository: Callable[..., Any], server: redis.Redis) -> Any:
    """The example repository with its online values in that Redis, which stands in Germany."""
    made = make_repository()
    node = f"localhost:{server.get_connection_kwargs()['port']}"
    made.configure(lambda document: document.update(online_store={"type": "redis", "connection_string": node}))
    policy = made.path / "policy.yaml"
    rule = '  - {match: "redis://localhost:*/*", zone: DE}\n'
    policy.write_text(
        policy.read_text().replace('  - {match: "file://**", zone: DE}', rule + '  - {match: "file://**", zone: DE}')
    )
    assert rule in policy.read_text()
    return made


def keys(server: redis.Redis) -> Any:
    """How many keys its database holds."""
    return server.dbsize()


def place_in_france(repository: Any) -> None:
    policy = repository.path / "policy.yaml"
    policy.write_text(
        policy.read_text().replace('redis://localhost:*/*", zone: DE', 'redis://localhost:*/*", zone: FR')
    )


def test_values_go_to_a_redis_that_stands_where_they_may_be_and_come_back(repository: Any, server: redis.Redis) -> None:
    store = repository.apply()
    store.materialize(*SPAN)
    records = [one for one in repository.predicates("materialization") if one["state"] == "COMPLETE"]
    port = server.get_connection_kwargs()["port"]
    assert {one["views"][0]["store"] for one in records} == {f"redis://localhost:{port}/0"}
    assert keys(server) == 312  # one hash for each patient
    online = store.get_online_features(features=store.get_feature_service("liver_risk"), entity_rows=ROWS).to_dict()
    assert len(online["albumin_g_dl"]) == len(ROWS)
    assert all(value is not None for value in online["albumin_g_dl"])


def test_a_redis_in_another_country_is_refused_when_definitions_are_applied(
    repository: Any, server: redis.Redis
) -> None:
    place_in_france(repository)
    with pytest.raises(Denied, match=r"redis://localhost:\d+/0.* FR"):
        repository.apply()
    (decision,) = repository.predicates("decision")
    assert (decision["gate"], decision["outcome"]) == ("apply", "deny")
    assert keys(server) == 0


def test_a_redis_that_moved_to_another_country_gets_no_further_values(repository: Any, server: redis.Redis) -> None:
    store = repository.apply()
    place_in_france(repository)
    with pytest.raises(Denied, match="redis://localhost"):
        store.materialize(*SPAN, feature_views=["demographics"])  # the laboratory's may be in France
    assert [one["state"] for one in repository.predicates("materialization")] == ["DENIED"]
    assert keys(server) == 0
