"""``POST /api/v1/lineage``: where any OpenLineage client sends its events."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import rfc8785
from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api.http.openlineage import DatasetEvent, InvalidEvent, RunEvent, read_event
from api.http.services import ReceivedEvent, ServicesDep
from audit.verify.errors import Malformed
from audit.verify.values import parse_json
from governance.canonical import json_sha256

LARGEST_EVENT = 8 * 1024 * 1024
"""Bytes of one event."""

router = APIRouter(prefix="/api/v1", tags=["lineage"])

_BODY = {
    "requestBody": {
        "required": True,
        "description": "One RunEvent, JobEvent or DatasetEvent of OpenLineage 2-0-2.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    "responses": {
        "200": {"description": "This event was stored before; nothing changed."},
        "413": {"description": "The event is larger than 8 MiB."},
        "415": {"description": "The body is not plain application/json."},
        "422": {"description": "The body is not an OpenLineage event; `detail` says why."},
    },
}


@router.post("/lineage", status_code=HTTPStatus.CREATED, summary="Record an OpenLineage event", openapi_extra=_BODY)
async def post_event(request: Request, services: ServicesDep) -> JSONResponse:
    """Validate one event and store it. Sending the same event again changes nothing and answers 200."""
    _expect_json(request)
    received = received_event(await _body(request))
    new = await run_in_threadpool(services.record_event, received)
    return JSONResponse({"digest": received.digest, "new": new}, HTTPStatus.CREATED if new else HTTPStatus.OK)


def received_event(body: bytes) -> ReceivedEvent:
    """The event in ``body``. Raises HTTPException 422 with a sentence where it is none."""
    try:
        event = parse_json(body, "The body")
        valid = read_event(event)
        return ReceivedEvent(_kind(valid), event, json_sha256(event), valid.event_time, _run(valid))
    except (Malformed, InvalidEvent, rfc8785.CanonicalizationError) as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def _kind(event: Any) -> str:
    if isinstance(event, DatasetEvent):
        return "dataset"
    return "run" if isinstance(event, RunEvent) else "job"


def _run(event: Any) -> str | None:
    return event.run.run_id.lower() if isinstance(event, RunEvent) else None


def _expect_json(request: Request) -> None:
    """A browser cannot send this content type to another site unasked, so no page can post events behind one's back."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/json" or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Found content type {sent or '(none)'!r}; expected application/json without content encoding.",
        )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_EVENT:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The event is larger than {LARGEST_EVENT:,} bytes; send it in parts.",
            )
    return bytes(body)
