"""A governed copy of the example repository with online values, and a signed artifact: everything an endpoint needs."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from safetensors.numpy import save_file

from api.assembly import Provender
from api.kserve.deployment import Deployment
from api.kserve.predictor import read_predictor
from api.kserve.provenance import Asked, Provenance
from api.kserve.record import DeploymentRecords
from audit.model_signature import sign
from lineage.artifact import Artifact, ArtifactStore

ROOT = Path(__file__).resolve().parents[3]
PREDICTOR = "training/liver_risk.py:predict"
ENDPOINT = "liver-risk"
SERVICE = "liver_risk"
FEATURES = 10

PROGRAM = """
import runpy, sys
from datetime import UTC, datetime
from feast.cli.cli import cli
from feast import FeatureStore

sys.argv = ["sources.py"]
runpy.run_path("prepare/sources.py", run_name="__main__")
cli(["apply"], standalone_mode=False)
FeatureStore(repo_path=".").materialize(datetime(2009, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
"""


@dataclass(frozen=True)
class Hospital:
    """The repository, opened, and the artifact to serve."""

    parts: Provender
    artifact: Artifact

    @property
    def repo(self) -> Path:
        return self.parts.settings.repo

    def start(self, **changes: Any) -> Deployment:
        asked = {
            "endpoint": ENDPOINT,
            "artifact": self.artifact.digest,
            "feature_service": SERVICE,
            "predictor": PREDICTOR,
        }
        return Deployment.start(self.parts, **{**asked, **changes})

    def states(self, endpoint: str) -> list[str]:
        """What is recorded of an endpoint, oldest first."""
        found = self.parts.records.by_subject_name(f"endpoint:{endpoint}", "deployment")
        return [record.predicate["state"] for record in found]


def signed_artifact(parts: Provender, *, seed: int, key: Path | None = None) -> Artifact:
    """Small made-up weights of the shape that the example's predictor takes, signed and stored."""
    directory = parts.settings.repo / "data" / f"model-{seed}"
    directory.mkdir(parents=True)
    weight = np.random.default_rng(seed).normal(size=FEATURES).astype(np.float32)
    tensors: dict[str, np.ndarray[Any, Any]] = {
        "mean": np.zeros(FEATURES, np.float32),
        "scale": np.ones(FEATURES, np.float32),
        "weight": weight / 100,
        "bias": np.array(-1, np.float32),
    }
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    sign(directory, private_key=key or parts.keys.model_path)
    return ArtifactStore(parts.directory).put(directory)


def deployment_records(parts: Provender, endpoint: str, artifact: str) -> DeploymentRecords:
    """What makes the records of a deployment that no server stands behind."""
    source = read_predictor(PREDICTOR, repo=parts.settings.repo)
    asked = Asked(endpoint, artifact, SERVICE, source, parts.keys.model_public.keyid)
    return DeploymentRecords(parts.settings.project, str(uuid.uuid4()), asked, "liver")


def reported(artifact: str) -> Provenance:
    """What a server could have said of itself."""
    moment = "2026-01-01T00:00:00.000000Z"
    return Provenance(
        url="http://127.0.0.1:1",
        artifact=artifact,
        verified=moment,
        signature_key="00" * 32,
        predictor={"name": PREDICTOR, "sha256": "00" * 32},
        feature_service=SERVICE,
        views=("laboratory",),
        definitions="00" * 32,
        kserve="0.21.0",
        started=moment,
    )


def call(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of one request; a body makes it a POST."""
    parsed = urlsplit(url)
    connection = HTTPConnection(parsed.netloc, timeout=30)
    content = body if body is None or isinstance(body, str) else json.dumps(body)
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.request("GET" if body is None else "POST", parsed.path, content, sent)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text.decode()


def patients(*numbers: Any, **changes: Any) -> dict[str, Any]:
    """An inference request of the V2 protocol about these patients."""
    one = {"name": "patient_id", "shape": [len(numbers)], "datatype": "INT64", "data": list(numbers)}
    return {"inputs": [{**one, **changes}]}


def ended(process: psutil.Process, *, seconds: float = 15) -> bool:
    """Whether a process ends in time. An orphan may stay as a zombie where process 1 collects none."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False
