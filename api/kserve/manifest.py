"""The InferenceService manifest (``serving.kserve.io/v1beta1``) that says the same as a deployment here.

It names no path and no port of this machine: the same endpoint deployed twice has the same manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

API_VERSION = "serving.kserve.io/v1beta1"
NAMESPACE = "default"
ANNOTATION = "provender.example/"
CONTAINER = "kserve-container"
"""The name by which KServe knows the container that answers."""
REPOSITORY = "/mnt/repository"
PORT = 8080


def inference_service(
    *, endpoint: str, artifact: str, feature_service: str, predictor: str, predictor_sha256: str
) -> dict[str, Any]:
    """The manifest of an endpoint.

    :param predictor: ``FILE.py:function``, relative to the repository
    """
    annotations = {
        ANNOTATION + "artifact": artifact,
        ANNOTATION + "feature-service": feature_service,
        ANNOTATION + "predictor-sha256": predictor_sha256,
    }
    served = server_arguments(
        repo=REPOSITORY,
        endpoint=endpoint,
        artifact=artifact,
        feature_service=feature_service,
        predictor=predictor,
        port=PORT,
    )
    container = {"name": CONTAINER, "command": ["python", "-m", "api.kserve"], "args": list(served)}
    return {
        "apiVersion": API_VERSION,
        "kind": "InferenceService",
        "metadata": {"name": endpoint, "namespace": NAMESPACE, "annotations": annotations},
        "spec": {"predictor": {"containers": [container]}},
    }


def server_arguments(
    *, repo: str, endpoint: str, artifact: str, feature_service: str, predictor: str, port: int
) -> Sequence[str]:
    """The arguments of ``python -m api.kserve``."""
    return (
        f"--repo={repo}",
        f"--endpoint={endpoint}",
        f"--artifact={artifact}",
        f"--feature-service={feature_service}",
        f"--predictor={predictor}",
        f"--port={port}",
    )
