from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from api.http.application import create_application
from api.http.events import LARGEST_EVENT
from api.http.openlineage import InvalidEvent, read_event
from api.http.services import Services

SCHEMA = Path(__file__).parents[3].parent / "shared/vectors/openlineage/OpenLineage.json"
PRODUCER = "https://example.org/producer"
BASE = {
    "eventTime": "2026-03-01T10:00:00.000Z",
    "producer": PRODUCER,
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
}
FACET = {"_producer": PRODUCER, "_schemaURL": "https://example.org/facet.json", "anything": {"at": ["all"]}}
RUN: dict[str, Any] = {
    **BASE,
    "eventType": "COMPLETE",
    "run": {"runId": "3f5e83fa-3480-44ff-99c5-ff943904e5e8", "facets": {"x": FACET}},
    "job": {"namespace": "n", "name": "j", "facets": {}},
    "inputs": [{"namespace": "n", "name": "d", "facets": {"x": FACET}, "inputFacets": {"y": FACET}}],
    "outputs": [{"namespace": "n", "name": "o", "outputFacets": {}}],
}
JOB: dict[str, Any] = {**BASE, "job": {"namespace": "n", "name": "j"}, "inputs": []}
DATASET: dict[str, Any] = {**BASE, "dataset": {"namespace": "n", "name": "d", "facets": {"x": FACET}}}


def changed(event: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    copy = deepcopy(event)
    change(copy)
    return copy


GOOD = [
    RUN,
    JOB,
    DATASET,
    changed(RUN, lambda event: event.pop("eventType")),
    changed(RUN, lambda event: event.update(dataset=DATASET["dataset"])),
    changed(RUN, lambda event: event.update(extra=1)),
    changed(RUN, lambda event: event.update(eventTime="2026-03-01T10:00:00+01:00")),
]
BAD = [
    changed(RUN, lambda event: event.pop("job")),
    changed(RUN, lambda event: event.pop("eventTime")),
    changed(RUN, lambda event: event.pop("producer")),
    changed(RUN, lambda event: event.pop("schemaURL")),
    changed(RUN, lambda event: event.update(eventType="DONE")),
    changed(RUN, lambda event: event.update(eventTime="yesterday")),
    changed(RUN, lambda event: event.update(eventTime=1772359200)),
    changed(RUN, lambda event: event.update(eventTime="2026-13-01T10:00:00Z")),
    changed(RUN, lambda event: event.update(producer="not a uri")),
    changed(RUN, lambda event: event["run"].update(runId="7")),
    changed(RUN, lambda event: event["run"]["facets"].update(x={})),
    changed(RUN, lambda event: event["run"]["facets"].update(x=3)),
    changed(RUN, lambda event: event["job"].update(name=3)),
    changed(RUN, lambda event: event.update(inputs={})),
    changed(RUN, lambda event: event["inputs"][0].pop("name")),
    changed(RUN, lambda event: event["outputs"][0].update(outputFacets={"x": {"_producer": PRODUCER}})),
    changed(JOB, lambda event: event.update(dataset=DATASET["dataset"])),
    changed(DATASET, lambda event: event["dataset"].pop("namespace")),
    dict(BASE),
    {},
]


@pytest.mark.parametrize("event", GOOD)
def test_what_the_specification_allows_is_read(event: dict[str, Any]) -> None:
    read_event(event)


@pytest.mark.parametrize("event", BAD)
def test_what_the_specification_forbids_is_refused_with_a_sentence(event: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent, match=r"Not an OpenLineage 2-0-2 event: .+\."):
        read_event(event)


@pytest.mark.skipif(not SCHEMA.exists(), reason="the public test vectors are not beside this checkout")
def test_the_published_schema_agrees_with_each_verdict() -> None:
    validator = jsonschema.Draft202012Validator(
        json.loads(SCHEMA.read_text(encoding="utf-8")), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    assert [event for event in GOOD if not validator.is_valid(event)] == []
    formats = {"date-time", "uri"} - set(jsonschema.Draft202012Validator.FORMAT_CHECKER.checkers)
    if not formats:
        assert [event for event in BAD if validator.is_valid(event)] == []


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_application(services), base_url="http://localhost") as client:
        yield client


def test_an_event_is_stored_once_however_often_and_however_spaced_it_comes(client: TestClient) -> None:
    first = client.post("/api/v1/lineage", json=RUN)
    assert (first.status_code, first.json()["new"]) == (201, True)
    turned = dict(reversed(RUN.items()))
    again = client.post(
        "/api/v1/lineage", content=json.dumps(turned, indent=3), headers={"Content-Type": "application/json"}
    )
    assert (again.status_code, again.json()) == (200, {"digest": first.json()["digest"], "new": False})


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_strict_json_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/v1/lineage", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("The body")


def test_numbers_that_canonical_json_cannot_say_are_refused(client: TestClient) -> None:
    facet = {**FACET, "huge": 2**60}
    answer = client.post("/api/v1/lineage", json=changed(RUN, lambda event: event["run"]["facets"].update(x=facet)))
    assert answer.status_code == 422


def test_another_content_type_is_refused_so_that_no_web_page_can_post(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = client.post("/api/v1/lineage", content=json.dumps(RUN), headers={"Content-Type": kind})
        assert answer.status_code == 415


def test_an_event_that_is_too_large_is_refused(client: TestClient) -> None:
    body = b'{"a":"' + b"x" * LARGEST_EVENT + b'"}'
    assert client.post("/api/v1/lineage", content=body, headers={"Content-Type": "application/json"}).status_code == 413
