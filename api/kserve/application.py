"""The application: KServe's V2 endpoints over its data plane, and our own route that says what was loaded.

KServe's server binds every interface and offers to load and unload models by request; this one is given its socket
and mounts the routes for reading and inference alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve import Model, ModelRepository
from kserve.constants.constants import V2_ROUTE_PREFIX
from kserve.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady, ServerNotLive, ServerNotReady
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v2_datamodels import InferenceRequest
from kserve.protocol.rest.v2_endpoints import V2Endpoints
from starlette.middleware.trustedhost import TrustedHostMiddleware

from governance.errors import Denied

LOOPBACK = ("127.0.0.1", "localhost")

_STATUS: dict[type[Exception], HTTPStatus] = {
    Denied: HTTPStatus.FORBIDDEN,
    InvalidInput: HTTPStatus.BAD_REQUEST,
    ModelNotFound: HTTPStatus.NOT_FOUND,
    ModelNotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    ServerNotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    ServerNotLive: HTTPStatus.SERVICE_UNAVAILABLE,
    InferenceError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""As KServe answers (a denying verdict is ours). Its own handlers also log refused requests, entity keys included."""


class _Plane(DataPlane):  # type: ignore[misc] # KServe's classes are untyped for mypy
    """KServe's data plane, which always promises a protocol extension that is not mounted here."""

    def metadata(self) -> dict[str, Any]:
        return {**super().metadata(), "extensions": []}


def create_application(model: Model, provenance: Mapping[str, Any]) -> FastAPI:
    """The application that serves ``model`` and answers ``provenance`` about it."""
    repository = ModelRepository()
    repository.update(model)

    @asynccontextmanager
    async def lifespan(_application: FastAPI) -> AsyncIterator[None]:
        yield
        model.stop()

    application = FastAPI(title=f"Endpoint {model.name}", docs_url=None, redoc_url=None, lifespan=lifespan)
    application.include_router(_routes(V2Endpoints(_Plane(repository)), model.name, provenance))
    application.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK))
    for kind in _STATUS:
        application.add_exception_handler(kind, _refused)
    application.add_exception_handler(RequestValidationError, _malformed)
    return application


def _routes(endpoints: V2Endpoints, name: str, provenance: Mapping[str, Any]) -> APIRouter:
    router = APIRouter(prefix=V2_ROUTE_PREFIX)

    async def infer(request: Request, response: Response, model_name: str, body: InferenceRequest) -> Any:
        return await endpoints.infer(request, response, model_name, body)

    def answer_provenance(model_name: str) -> dict[str, Any]:
        if model_name != name:
            raise ModelNotFound(model_name)
        return dict(provenance)

    router.get("")(endpoints.metadata)
    router.get("/health/live")(endpoints.live)
    router.get("/health/ready")(endpoints.ready)
    router.get("/models")(endpoints.models)
    router.get("/models/{model_name}")(endpoints.model_metadata)
    router.get("/models/{model_name}/ready")(endpoints.model_ready)
    router.get("/models/{model_name}/provenance")(answer_provenance)
    router.post("/models/{model_name}/infer", response_model=None)(infer)
    return router


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    return JSONResponse({"error": str(error)}, status_code=status)


async def _malformed(_request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in found)
    text = f"This is not an inference request of the V2 protocol: {said}."
    return JSONResponse({"error": text}, status_code=HTTPStatus.BAD_REQUEST)
