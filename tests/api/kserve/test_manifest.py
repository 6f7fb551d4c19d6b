"""The InferenceService manifest of a deployment is one that a Kubernetes API server would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from api.kserve.manifest import inference_service
from api.kserve.server import _parser

CRD = Path(__file__).parents[4] / "shared/vectors/kubernetes/serving.kserve.io_inferenceservices.yaml"


def manifest(**changes: str) -> dict[str, Any]:
    described = {
        "endpoint": "liver-risk",
        "artifact": "oms1-sha256:" + "ab" * 32,
        "feature_service": "liver_risk",
        "predictor": "training/liver_risk.py:predict",
        "predictor_sha256": "cd" * 32,
    }
    return inference_service(**{**described, **changes})


def closed(schema: Any) -> Any:
    """The schema with unknown members forbidden, as an API server with strict field validation has it."""
    if not isinstance(schema, dict):
        return schema
    result = {
        key: {k: closed(v) for k, v in value.items()} if key == "properties" else closed(value)
        for key, value in schema.items()
    }
    if "properties" in schema and "additionalProperties" not in schema and schema.get("type") == "object":
        result["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return result


@pytest.mark.skipif(not CRD.exists(), reason=f"the Kubernetes vectors are not at {CRD}")
def test_the_manifest_is_valid_against_the_inferenceservice_crd() -> None:
    (version,) = (
        v for v in yaml.load(CRD.read_bytes(), yaml.CSafeLoader)["spec"]["versions"] if v["name"] == "v1beta1"
    )
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}  # the API server's own schema of metadata is not in a CRD
    validator = jsonschema.Draft202012Validator(schema)

    validator.validate(manifest())
    nameless = {"predictor": {"containers": [{"image": "x"}]}}
    for spec in ({}, nameless, {"unknown": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**manifest(), "spec": spec})


def test_the_manifest_names_what_is_served_and_starts_a_server_that_understands_it() -> None:
    written = manifest()
    (container,) = written["spec"]["predictor"]["containers"]
    asked = _parser().parse_args(container["args"])
    assert (asked.endpoint, asked.feature_service, asked.port) == ("liver-risk", "liver_risk", 8080)
    assert (
        written["metadata"]["annotations"]["provender.example/artifact"] == asked.artifact == f"oms1-sha256:{'ab' * 32}"
    )
    assert str(Path.cwd()) not in json.dumps(written)


def test_another_predictor_gives_another_manifest() -> None:
    assert manifest() == manifest()
    assert manifest() != manifest(predictor_sha256="ef" * 32)
