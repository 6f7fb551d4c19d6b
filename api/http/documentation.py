"""``GET /docs``: the OpenAPI description as a plain page, without script or network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.http.frame import document
from audit.report.markup import Element, element

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/docs")
def documentation_page(request: Request) -> str:
    """Every route with its parameters, body and answers, from ``/openapi.json``."""
    described: Mapping[str, Any] = request.app.openapi()
    return document(
        "API",
        element("h1", "The HTTP API"),
        element("p", described["info"].get("description", ""), class_="lead"),
        element("p", "The same for programs: ", element("a", "openapi.json", href="/openapi.json"), "."),
        *[_operation(*found, base=str(request.base_url).rstrip("/")) for found in _operations(described)],
    )


def _operations(described: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _operation(method: str, path: str, operation: Mapping[str, Any], *, base: str) -> Element:
    parameters = operation.get("parameters", [])
    body = operation.get("requestBody")
    return element(
        "section",
        element("h2", element("code", f"{method} {path}"), id=operation["operationId"]),
        element("p", element("strong", operation.get("summary", "")), ". ", operation.get("description", "")),
        _table("Parameter", [(parameter["name"], _parameter(parameter)) for parameter in parameters]),
        element("p", "Body: ", body.get("description", "application/json")) if body else None,
        _table(
            "Answer", [(code, answer.get("description", "")) for code, answer in sorted(operation["responses"].items())]
        ),
        element("pre", _example(method, f"{base}{path}", has_body=body is not None)),
        aria_labelledby=operation["operationId"],
        class_="operation",
    )


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter.get("schema", {})
    default = f", default {json.dumps(schema['default'])}" if "default" in schema else ""
    return f"in the {parameter['in']}, {'required' if parameter.get('required') else 'optional'}{default}"


def _example(method: str, address: str, *, has_body: bool) -> str:
    sent = " -H 'Content-Type: application/json' --data @event.json" if has_body else ""
    return f"curl{f' -X {method}' if method != 'GET' else ''}{sent} '{address}'"


def _table(name: str, rows: list[tuple[str, str]]) -> Element | None:
    if not rows:
        return None
    head = element("tr", element("th", name, scope="col"), element("th", "Meaning", scope="col"))
    body = [
        element("tr", element("th", element("code", left), scope="row"), element("td", right)) for left, right in rows
    ]
    return element("table", element("thead", head), element("tbody", *body))
