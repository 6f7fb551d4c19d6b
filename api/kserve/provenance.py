"""What was asked of a model server, and what it says about itself; both as values."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from api.kserve.errors import DeploymentRefused
from api.kserve.manifest import inference_service
from api.kserve.predictor import PredictorSource
from governance.canonical import json_sha256

_SECONDS = 10.0


@dataclass(frozen=True)
class Asked:
    """An endpoint as somebody wants it."""

    endpoint: str
    artifact: str
    """``oms1-sha256:<hex>``"""
    feature_service: str
    predictor: PredictorSource
    signature_key: str
    """hex SHA-256 of the public key (SPKI, DER) that must have signed the artifact"""

    @property
    def manifest(self) -> dict[str, Any]:
        """The InferenceService that says the same."""
        return inference_service(
            endpoint=self.endpoint,
            artifact=self.artifact,
            feature_service=self.feature_service,
            predictor=self.predictor.name,
            predictor_sha256=self.predictor.sha256,
        )

    def as_json(self) -> dict[str, Any]:
        """What was asked for, for a record."""
        return {
            "artifact": self.artifact,
            "feature_service": self.feature_service,
            "predictor": self.predictor.as_json(),
            "manifest": json_sha256(self.manifest),
        }


@dataclass(frozen=True)
class Provenance:
    """What a running server reported about itself."""

    url: str
    artifact: str
    """the digest it recomputed from the files it loaded"""
    verified: str
    """when it did"""
    signature_key: str
    predictor: Mapping[str, str]
    feature_service: str
    views: tuple[str, ...]
    definitions: str
    kserve: str
    started: str


def read_provenance(url: str, endpoint: str) -> Provenance:
    """Ask the server at ``url``, once KServe says that the model is ready. Raises DeploymentRefused."""
    _get(url, "/v2/health/ready")
    _get(url, f"/v2/models/{endpoint}/ready")
    said = _get(url, f"/v2/models/{endpoint}/provenance")
    try:
        names = set(Provenance.__dataclass_fields__) - {"url", "views"}
        return Provenance(url=url, views=tuple(said["views"]), **{name: said[name] for name in names})
    except (KeyError, TypeError) as error:
        raise DeploymentRefused(f"The server at {url} says too little about itself: no {error}.") from error


def refuse_other_than(asked: Asked, found: Provenance) -> None:
    """Raise DeploymentRefused where a server is not what was asked for."""
    pairs = {
        "weights": (asked.artifact, found.artifact),
        "signature key": (asked.signature_key, found.signature_key),
        "feature service": (asked.feature_service, found.feature_service),
        "predictor": (asked.predictor.as_json(), dict(found.predictor)),
    }
    for what, (wanted, loaded) in pairs.items():
        if wanted != loaded:
            raise DeploymentRefused(
                f"Endpoint {asked.endpoint} loaded another {what} than was asked for: {loaded}, expected {wanted}."
                " The server was ended; find out what changed between the question and the start."
            )


def _get(url: str, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_SECONDS)  # loopback: no proxy is asked
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != HTTPStatus.OK:
            raise DeploymentRefused(f"The server at {url} answers {answer.status} to {path}; expected 200.")
        value: dict[str, Any] = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DeploymentRefused(f"The server at {url} does not answer {path}: {error!r}.") from error
    finally:
        connection.close()
    return value
