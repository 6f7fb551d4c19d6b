"""The TrainJob manifest of a local job is one that a Kubernetes API server would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from api.kubeflow.launch import declared_environment, torchrun
from api.kubeflow.manifest import input_annotations, trainjob_manifest

CRD = Path(__file__).parents[4] / "shared/vectors/kubernetes/trainer.kubeflow.org_trainjobs.yaml"


def manifest(**changes: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": "fit",
        "uid": "22222222-2222-4222-8222-222222222222",
        "labels": {},
        "annotations": input_annotations(
            run="r", snapshots={"b": "td1-sha256:1", "a": "td1-sha256:2"}, code_sha256="c"
        ),
        "command": torchrun("python", rendezvous_id="x"),
        "environment": declared_environment({"MINE": "1"}),
    }
    return trainjob_manifest(**{**described, **changes})


def closed(schema: Any) -> Any:
    """The schema with unknown members forbidden, as an API server with strict field validation has it."""
    if not isinstance(schema, dict):
        return schema
    result = {
        key: {k: closed(v) for k, v in value.items()} if key == "properties" else closed(value)
        for key, value in schema.items()
    }
    if "properties" in schema and "additionalProperties" not in schema and schema.get("type") == "object":
        result["additionalProperties"] = False
    return result


@pytest.mark.skipif(not CRD.exists(), reason=f"the Kubernetes vectors are not at {CRD}")
def test_the_manifest_is_valid_against_the_trainjob_crd() -> None:
    (version,) = (v for v in yaml.safe_load(CRD.read_text())["spec"]["versions"] if v["name"] == "v1alpha1")
    validator = jsonschema.Draft202012Validator(closed(version["schema"]["openAPIV3Schema"]))

    validator.validate(manifest())
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**manifest(), "spec": {**manifest()["spec"], "unknown": 1}})
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**manifest(), "spec": {"trainer": {}}})


def test_the_manifest_names_run_code_and_inputs_and_no_path_of_this_machine() -> None:
    written = manifest()

    assert json.loads(written["metadata"]["annotations"]["provender.example/snapshots"]) == {
        "a": "td1-sha256:2",
        "b": "td1-sha256:1",
    }
    assert {"name": "MKL_CBWR", "value": "COMPATIBLE"} in written["spec"]["trainer"]["env"]
    assert str(Path.home()) not in json.dumps(written)
    assert str(Path.cwd()) not in json.dumps(written)
