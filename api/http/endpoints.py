"""Endpoints, their reports and their chains; the ledger's checkpoint; the schemas of our facets."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from api.http.services import ServicesDep
from audit.report.html import content_security_policy, render_html

router = APIRouter()

_FACET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Format(StrEnum):
    """How a report is written."""

    JSON = "json"
    HTML = "html"


@router.get("/api/v1/endpoints", tags=["audit"], summary="List endpoints")
def list_endpoints(services: ServicesDep) -> dict[str, Any]:
    """Every endpoint that was ever recorded, by name, with its latest state and the weights it reported."""
    return {"endpoints": [asdict(endpoint) for endpoint in services.endpoints()]}


@router.get("/api/v1/endpoints/{name}/report", tags=["audit"], summary="Report on an endpoint")
def get_report(name: str, services: ServicesDep, format: Annotated[Format, Query()] = Format.JSON) -> Response:  # noqa: A002 - the parameter's name in the URL
    """What the endpoint was made from, link by link, with evidence levels, gaps, and what this does not prove."""
    report = services.report(name)
    if format is Format.HTML:
        return HTMLResponse(render_html(report), headers={"Content-Security-Policy": content_security_policy()})
    return JSONResponse(report.to_json())


@router.get("/api/v1/endpoints/{name}/chain", tags=["audit"], summary="Chain of an endpoint")
def get_chain(name: str, services: ServicesDep) -> dict[str, Any]:
    """Nodes and edges of the report, for whoever draws them."""
    return services.report(name).chain_json()


@router.get("/api/v1/ledger/checkpoint", tags=["ledger"], summary="Last checkpoint", response_class=PlainTextResponse)
def get_checkpoint(services: ServicesDep) -> Response:
    """The ledger's last signed note (C2SP tlog-checkpoint), byte for byte."""
    note = services.checkpoint()
    if note is None:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, "The ledger has no checkpoint yet; one is signed when the first act is recorded."
        )
    return Response(note, media_type="text/plain; charset=utf-8")


@router.get("/facets/{name}.json", tags=["lineage"], summary="Schema of a facet")
def get_facet(name: str, services: ServicesDep) -> dict[str, Any]:
    """The JSON schema of one of our own OpenLineage facets."""
    path = services.facets / f"{name}.json"
    if not _FACET_NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(sorted(file.stem for file in services.facets.glob("*.json"))) or "none"
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no facet {name!r}; there are: {known}.")
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


@router.get("/health", tags=["server"], summary="Is the server up?")
def get_health() -> dict[str, str]:
    """Answers as soon as requests are served; it asks no database."""
    return {"status": "ok"}
