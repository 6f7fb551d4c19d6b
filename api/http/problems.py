"""Errors as answers: one table from our errors to HTTP codes, written as RFC 9457 problem details.

A browser that asked for a page gets the same words as a page.
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from api.http.frame import document
from audit.report.markup import element
from audit.verify.errors import VerificationError
from governance.errors import AnswerIsNo, Denied, ProvenderError, WrongQuestion
from lineage.errors import DatabaseUnreachable, UnknownArtifact, UnknownEndpoint, UnknownSnapshot

STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (UnknownEndpoint, HTTPStatus.NOT_FOUND),
    (UnknownSnapshot, HTTPStatus.NOT_FOUND),
    (UnknownArtifact, HTTPStatus.NOT_FOUND),
    (DatabaseUnreachable, HTTPStatus.SERVICE_UNAVAILABLE),
    (Denied, HTTPStatus.FORBIDDEN),
    (AnswerIsNo, HTTPStatus.CONFLICT),
    (VerificationError, HTTPStatus.CONFLICT),  # a stored record is not what we wrote
    (WrongQuestion, HTTPStatus.BAD_REQUEST),
)
"""The first line whose error fits decides; the narrow ones stand first."""

PROBLEM = "application/problem+json"


def install(application: FastAPI) -> None:
    """Make ``application`` answer every error on purpose, and every refused request, as a problem."""
    application.add_exception_handler(ProvenderError, _on_our_error)
    application.add_exception_handler(VerificationError, _on_our_error)
    application.add_exception_handler(HTTPException, _on_http_error)
    application.add_exception_handler(RequestValidationError, _on_bad_parameters)


def status_of(error: Exception) -> HTTPStatus:
    """The HTTP code of one of our errors; 500 for one that no line of the table fits."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(request: Request, status: HTTPStatus, detail: str) -> Response:
    """The answer for ``status``: a page below ``/endpoints`` and ``/``, problem details everywhere else."""
    if _wants_a_page(request):
        body = document(
            f"{status.phrase}",
            element("h1", status.phrase),
            element("p", detail),
            element("p", element("a", "All endpoints", href="/")),
        )
        return HTMLResponse(body, status)
    content = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    return JSONResponse(content, status, media_type=PROBLEM)


def _wants_a_page(request: Request) -> bool:
    path = request.url.path
    return (path == "/" or path.startswith("/endpoints")) and "text/html" in request.headers.get("accept", "")


def _on_our_error(request: Request, error: Exception) -> Response:
    return problem(request, status_of(error), str(error))


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what the handler is installed for
    answer = problem(request, HTTPStatus(error.status_code), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _on_bad_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what the handler is installed for
    said = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, f"{said}. The routes and their parameters are at /docs.")
