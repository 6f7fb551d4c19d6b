"""AdmissionReview v1 documents, as an API server sends them, around manifests that the CRDs accept."""

from __future__ import annotations

import json
import uuid
from typing import Any

ANNOTATION = "provender.example/"
POOL = "provender.example/pool"
SELECTED = {"nodeSelector": {POOL: "gpu-a"}}


def review(
    manifest: dict[str, Any], *, operation: str = "CREATE", old: dict[str, Any] | None = None, **request: Any
) -> dict[str, Any]:
    """The question about one object; ``request`` are further members of it."""
    group, _, version = manifest["apiVersion"].partition("/")
    kind = {"group": group, "version": version, "kind": manifest["kind"]}
    asked = {
        "uid": str(uuid.uuid4()),
        "kind": kind,
        "requestKind": kind,
        "resource": {"group": group, "version": version, "resource": manifest["kind"].lower() + "s"},
        "name": manifest["metadata"].get("name", ""),
        "namespace": manifest["metadata"]["namespace"],
        "operation": operation,
        "userInfo": {"username": "system:serviceaccount:care:trainer", "groups": ["system:authenticated"]},
        "object": None if operation == "DELETE" else manifest,
        "oldObject": old,
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        **request,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}


def train_job(*snapshots: str, pools: tuple[str, ...] = ("gpu-a",), **annotations: str) -> dict[str, Any]:
    """A TrainJob that learns from these snapshots, on these pools."""
    named = {f"input{number}": one for number, one in enumerate(snapshots)}
    jobs = [{"name": f"node{n}", "template": {"spec": {"template": {"spec": _on(one)}}}} for n, one in enumerate(pools)]
    patches = [
        {"manager": "provender.example/sdk", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": jobs}}}}
    ]
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": _metadata("risk", {**({"snapshots": json.dumps(named)} if named else {}), **annotations}),
        "spec": {
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": "torch"},
            **({"runtimePatches": patches} if jobs else {}),
        },
    }


def inference_service(artifact: str, **components: Any) -> dict[str, Any]:
    """An InferenceService of that model on the pool ``gpu-a``; ``components`` are others beside its predictor."""
    predictor = {"containers": [{"name": "kserve-container", "image": "registry.local/served"}], **SELECTED}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": _metadata("risk", {"artifact": artifact}),
        "spec": {"predictor": predictor, **components},
    }


def llm_inference_service(artifact: str, **parts: Any) -> dict[str, Any]:
    """An LLMInferenceService of that model on the pool ``gpu-a``."""
    return {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": _metadata("scribe", {"artifact": artifact}),
        "spec": {
            "model": {"uri": "pvc://models/scribe", "name": "scribe"},
            "template": {"containers": [{"name": "main", "image": "registry.local/vllm"}], **SELECTED},
            **parts,
        },
    }


def _on(pool: str) -> dict[str, Any]:
    return {"nodeSelector": {POOL: pool}} if pool else {}


def _metadata(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    said = {ANNOTATION + key: value for key, value in annotations.items()}
    return {"name": name, "namespace": "care", "uid": str(uuid.uuid4()), "annotations": said}
