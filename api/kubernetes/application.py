"""The webhook as an HTTPS application: ``POST /validate`` takes an AdmissionReview, ``GET /healthz`` says it is up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from api.http.serve import Server, bound
from api.kubernetes.admission import Admission
from api.kubernetes.review import MalformedReview, read_review
from governance.errors import ConfigurationError

PATH = "/validate"
LARGEST = 8 << 20
"""bytes of a request; the objects of an API server are much smaller"""


def create_application(admission: Admission) -> FastAPI:
    """The application that answers by ``admission``."""
    application = FastAPI(title="Provender admission", docs_url=None, redoc_url=None, openapi_url=None)

    @application.post(PATH)
    async def validate(request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > LARGEST:
            return PlainTextResponse(f"More than {LARGEST} bytes are no AdmissionReview.", 413)
        try:
            review = read_review(await _json(request))
        except MalformedReview as error:
            return PlainTextResponse(str(error), 400)
        answer = await run_in_threadpool(admission.answer, review)
        return JSONResponse(answer.as_review(review.uid))

    @application.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok")

    return application


async def _json(request: Request) -> object:
    try:
        return await request.json()
    except (ValueError, RecursionError):
        raise MalformedReview("The request is no JSON. Expected an AdmissionReview of admission.k8s.io/v1.") from None


def serve_admission(
    admission: Admission,
    *,
    certificate: Path,
    key: Path,
    host: str = "127.0.0.1",
    port: int = 8443,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer over TLS until interrupted. Raises ConfigurationError where certificate, key or address cannot be used.

    :param port: 0 takes a free one
    :param ready: called with the address once it accepts connections
    """
    config = uvicorn.Config(
        create_application(admission),
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"The certificate {certificate} and its key {key} cannot be used: {error.strerror or error}. Expected two"
            " PEM files that belong together."
        ) from error
    with bound(host, port) as listening, contextlib.suppress(KeyboardInterrupt):
        Server(config, f"https://{host}:{listening.getsockname()[1]}", ready).run(sockets=[listening])
