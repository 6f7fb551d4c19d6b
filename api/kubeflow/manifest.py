"""The TrainJob manifest (``trainer.kubeflow.org/v1alpha1``) that says the same as a local job.

It names no path of this machine, so the same job submitted twice differs in its ``uid`` alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

API_VERSION = "trainer.kubeflow.org/v1alpha1"
RUNTIME = "torch-distributed"
NAMESPACE = "default"
ANNOTATION = "provender.example/"
WORKSPACE = "/workspace"
"""Where Kubeflow's runtimes keep a job's files."""


def trainjob_manifest(
    *,
    name: str,
    uid: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    command: Sequence[str],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """The manifest of a job with one node and one process."""
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainJob",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid,
            "labels": dict(labels),
            "annotations": dict(annotations),
        },
        "spec": {
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": RUNTIME},
            "trainer": {
                "numNodes": 1,
                "numProcPerNode": 1,
                "command": list(command),
                "env": [{"name": variable, "value": environment[variable]} for variable in sorted(environment)],
            },
        },
    }


def input_annotations(*, run: str, snapshots: Mapping[str, str], code_sha256: str) -> dict[str, str]:
    """The annotations that tie a TrainJob to its run, its code and the digests of its inputs."""
    return {
        ANNOTATION + "run": run,
        ANNOTATION + "snapshots": json.dumps(dict(snapshots), sort_keys=True),
        ANNOTATION + "code-sha256": code_sha256,
    }
