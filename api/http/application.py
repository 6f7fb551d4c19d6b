"""The HTTP application, assembled in one function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.trustedhost import TrustedHostMiddleware

from api.http import documentation, endpoints, events, pages, problems
from api.http.security import SecurityHeaders
from api.http.services import Services

STATIC = Path(__file__).parent / "static"

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Names by which a browser on this machine calls the server."""

_DESCRIPTION = (
    "Provenance of deployed models: reports, chains and the ledger's checkpoint for auditors, and an OpenLineage"
    " endpoint for whoever has events to record. Errors are RFC 9457 problem details."
)


def create_application(services: Services, *, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """The application that answers from ``services``.

    ``hosts`` are the names it may be called by in the ``Host`` header; a name that somebody else's DNS points
    here is refused, so that no web page can read a server on loopback. ``["*"]`` accepts every name.
    """
    application = FastAPI(
        title="Provender",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's own pages load their script from a CDN
        redoc_url=None,
    )
    application.state.services = services
    application.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    application.add_middleware(SecurityHeaders)
    problems.install(application)
    for module in (pages, endpoints, events, documentation):
        application.include_router(module.router)
    application.mount("/static", StaticFiles(directory=STATIC), name="static")
    return application
