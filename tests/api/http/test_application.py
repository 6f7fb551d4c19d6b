from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import NoReturn

import pytest
from fastapi.testclient import TestClient

from api.http.application import create_application
from api.http.problems import STATUS, status_of
from api.http.services import Services
from audit.verify.errors import Malformed
from governance.errors import AnswerIsNo, ConfigurationError, Denied, PolicyError, ProvenderError, WrongQuestion
from lineage.errors import DatabaseUnreachable, SnapshotCorrupt, UnknownEndpoint, ValidationFailed


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_application(services), base_url="http://localhost") as client:
        yield client


def test_endpoints_are_listed_with_state_and_weights(client: TestClient, sample: ModuleType) -> None:
    assert client.get("/api/v1/endpoints").json()["endpoints"] == [
        {
            "name": "survival",
            "state": "ready",
            "weights": f"oms1-sha256:{sample.WEIGHTS}",
            "when": "2026-03-01T10:06:00.123456Z",
        }
    ]


def test_a_report_comes_as_json_and_as_one_page_under_its_own_policy(client: TestClient, sample: ModuleType) -> None:
    assert client.get("/api/v1/endpoints/survival/report").json() == sample.report().to_json()
    page = client.get("/api/v1/endpoints/survival/report?format=html")
    assert page.headers["content-type"].startswith("text/html")
    assert "'sha256-" in page.headers["content-security-policy"]
    assert "What this does not prove" in page.text


def test_a_chain_is_nodes_and_edges_between_them(client: TestClient) -> None:
    chain = client.get("/api/v1/endpoints/survival/chain").json()
    ids = {node["id"] for node in chain["nodes"]}
    assert {edge[end] for edge in chain["edges"] for end in ("source", "target")} <= ids
    assert chain["weakest"] == "claimed"


def test_an_unknown_endpoint_is_a_problem_that_says_what_to_do(client: TestClient) -> None:
    answer = client.get("/api/v1/endpoints/nobody/report")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Not Found"
    assert "provender endpoints" in answer.json()["detail"]


def test_a_browser_that_asks_for_an_unknown_endpoint_gets_a_page(client: TestClient) -> None:
    answer = client.get("/endpoints/<b>nobody", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<b>nobody" not in answer.text


def test_an_unknown_format_is_refused_with_a_sentence(client: TestClient) -> None:
    answer = client.get("/api/v1/endpoints/survival/report?format=pdf")
    assert answer.status_code == 422
    assert "'json' or 'html'" in answer.json()["detail"]


def test_the_checkpoint_is_served_byte_for_byte(client: TestClient, services: Services) -> None:
    answer = client.get("/api/v1/ledger/checkpoint")
    assert answer.content == services.checkpoint()
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_ledger_without_checkpoint_says_so(services: Services) -> None:
    with TestClient(
        create_application(replace(services, checkpoint=lambda: None)), base_url="http://localhost"
    ) as client:
        assert "no checkpoint yet" in client.get("/api/v1/ledger/checkpoint").json()["detail"]


def test_facet_schemas_are_served_and_nothing_beside_them(client: TestClient) -> None:
    assert client.get("/facets/ExampleFacet.json").json()["$id"].endswith("/ExampleFacet.json")
    for name in ("Missing", "..%2FExampleFacet", "%2e%2e%2fsecret", "a b"):
        assert client.get(f"/facets/{name}.json").status_code == 404


def test_health_answers_without_asking_anything(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/docs", "/endpoints/survival", "/api/v1/endpoints", "/no/such/path", "/static/viewer.js"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_a_foreign_host_name_is_refused(client: TestClient) -> None:
    assert client.get("/api/v1/endpoints", headers={"Host": "evil.example"}).status_code == 400


def test_the_documentation_names_every_route_and_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page
    assert "https://cdn" not in page
    assert "<script" not in page


def test_the_viewer_is_complete_without_a_script(client: TestClient, sample: ModuleType) -> None:
    assert 'href="/endpoints/survival"' in client.get("/").text
    page = client.get("/endpoints/survival").text
    assert "<svg" in page
    for node in sample.report().nodes:
        assert f'id="node-{node.id}"' in page
    assert "The chain as a list" in page
    assert "style=" not in page


def test_a_name_with_every_kind_of_character_finds_its_way_into_links_and_back(
    services: Services, sample: ModuleType
) -> None:
    acts = [sample.deployment("naïve & co?#")]
    odd = replace(services, report=lambda name: sample.report(acts, name))
    with TestClient(create_application(odd), base_url="http://localhost") as client:
        assert client.get("/endpoints/na%C3%AFve%20%26%20co%3F%23").status_code == 200


def test_static_files_are_there_and_only_they(client: TestClient) -> None:
    for name, kind in (("viewer.js", "javascript"), ("viewer.css", "css"), ("chain.css", "css"), ("icon.svg", "svg")):
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
    assert client.get("/static/../application.py").status_code == 404
    assert client.get("/static/%2e%2e/application.py").status_code == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownEndpoint("x"), 404),
        (DatabaseUnreachable("x"), 503),
        (Denied("x"), 403),
        (SnapshotCorrupt("x"), 409),
        (ValidationFailed("x"), 409),
        (AnswerIsNo("x"), 409),
        (Malformed("x"), 409),
        (ConfigurationError("x"), 400),
        (PolicyError("x"), 400),
        (WrongQuestion("x"), 400),
        (ProvenderError("x"), 500),
    ],
)
def test_each_of_our_errors_has_its_code(services: Services, error: Exception, status: int) -> None:
    def fail(_name: str) -> NoReturn:
        raise error

    failing = replace(services, report=fail)
    with TestClient(create_application(failing), base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.get("/api/v1/endpoints/survival/report")
    assert answer.status_code == status == status_of(error)
    assert json.loads(answer.content)["detail"] == "x"


def test_the_table_of_errors_has_the_narrow_ones_first() -> None:
    kinds = [kind for kind, _status in STATUS]
    for index, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:index])
