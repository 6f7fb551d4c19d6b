"""What a workload says of itself: which snapshots or which model it uses, for what, and on which nodes it may run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from governance.errors import WrongQuestion

ANNOTATION = "provender.example/"
SNAPSHOTS, ARTIFACT, PURPOSE = (ANNOTATION + name for name in ("snapshots", "artifact", "purpose"))
UNSPECIFIED = "unspecified"
"""The pool of pods that may run on any node."""

TRAINING, SERVING = ("TrainJob",), ("InferenceService", "LLMInferenceService")
KINDS = (*TRAINING, *SERVING)
"""What is judged."""

_SNAPSHOT = re.compile(r"td1-sha256:[0-9a-f]{64}|random:[0-9a-f]{64}")
_ARTIFACT = re.compile(r"oms1-sha256:[0-9a-f]{64}")


class UnnamedInputs(WrongQuestion):
    """A workload does not say what it is made from."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What it wants to use, and where."""

    gate: Literal["train", "deploy"]
    snapshots: tuple[str, ...] = ()
    """of a job that trains"""
    artifact: str = ""
    """of what serves a model: ``oms1-sha256:<hex>``"""
    purpose: str | None
    pools: tuple[str, ...]
    """names of the node pools, sorted"""


def read_workload(kind: str, manifest: Mapping[str, Any], *, pool_label: str) -> Workload:
    """What the manifest of one of :data:`KINDS` says. Raises UnnamedInputs.

    :param pool_label: the node label whose value is the name of a pool
    """
    annotations = _mapping(_mapping(manifest.get("metadata")).get("annotations"))
    purpose = annotations.get(PURPOSE) or None
    pods = [*_pods(kind, _mapping(manifest.get("spec")))] or [{}]
    pools = tuple(sorted({_pool(pod, pool_label) for pod in pods}))
    if kind in TRAINING:
        return Workload(gate="train", snapshots=_snapshots(annotations), purpose=purpose, pools=pools)
    return Workload(gate="deploy", artifact=_artifact(annotations), purpose=purpose, pools=pools)


def _snapshots(annotations: Mapping[str, Any]) -> tuple[str, ...]:
    text = annotations.get(SNAPSHOTS, "")
    try:
        named = json.loads(text)
    except (TypeError, ValueError):
        named = None
    if not isinstance(named, dict) or not named or not all(_matches(_SNAPSHOT, one) for one in named.values()):
        raise UnnamedInputs(
            f"This job names no snapshots that it learns from. Expected the annotation {SNAPSHOTS} with JSON such as"
            ' {"features": "td1-sha256:<64 hex digits>"}, as the SDK submits it with GovernedTraining.'
        )
    return tuple(dict.fromkeys(named.values()))


def _artifact(annotations: Mapping[str, Any]) -> str:
    artifact = annotations.get(ARTIFACT, "")
    if not _matches(_ARTIFACT, artifact):
        raise UnnamedInputs(
            f"This endpoint names no model that it serves. Expected the annotation {ARTIFACT} with the digest of a"
            " recorded model, oms1-sha256:<64 hex digits>."
        )
    return str(artifact)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _pods(kind: str, spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The pod specs that a manifest states, each wherever its kind has them."""
    if kind == "TrainJob":
        yield from _patched_pods(spec)
    elif kind == "InferenceService":
        predictors = [spec.get("predictor"), *(_mapping(one).get("predictor") for one in _list(spec.get("canary")))]
        for predictor in map(_mapping, predictors):
            yield predictor
            if "workerSpec" in predictor:
                yield _mapping(predictor["workerSpec"])
        yield from (_mapping(spec[name]) for name in ("transformer", "explainer") if spec.get(name))
    else:
        yield from _serving_pods(spec)


def _serving_pods(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those of an LLMInferenceService: decoding always, prefill, workers and scheduler where it has them."""
    yield _mapping(spec.get("template"))
    prefill, scheduler = _mapping(spec.get("prefill")), _mapping(_mapping(spec.get("router")).get("scheduler"))
    if prefill:
        yield _mapping(prefill.get("template"))
    for other in (spec.get("worker"), prefill.get("worker"), scheduler.get("template")):
        if other is not None:
            yield _mapping(other)


def _patched_pods(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those of a TrainJob's runtime patches; what its runtime says of nodes is not in the manifest."""
    for patch in _list(spec.get("runtimePatches")):
        template = _mapping(_mapping(_mapping(patch).get("trainingRuntimeSpec")).get("template"))
        for job in _list(_mapping(template.get("spec")).get("replicatedJobs")):
            inner = _mapping(_mapping(_mapping(job).get("template")).get("spec"))
            yield _mapping(_mapping(inner.get("template")).get("spec"))


def _pool(pod: Mapping[str, Any], label: str) -> str:
    return str(_mapping(pod.get("nodeSelector")).get(label) or UNSPECIFIED)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
