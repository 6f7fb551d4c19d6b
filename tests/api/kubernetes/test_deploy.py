"""What is deployed into a cluster, and the manifests that the tests ask about, are what Kubernetes takes."""

from __future__ import annotations

import base64
import ssl
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cryptography import x509
from typer.testing import CliRunner

from api.cli.main import app
from api.kubernetes.application import PATH
from api.kubernetes.workload import KINDS
from tests.api.kserve.test_manifest import closed
from tests.api.kubernetes.reviews import inference_service, llm_inference_service, train_job

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy" / "admission"
VECTORS = ROOT.parent / "shared" / "vectors" / "kubernetes"
MANIFESTS: dict[str, dict[str, Any]] = {
    "trainer.kubeflow.org_trainjobs": train_job(f"td1-sha256:{'0' * 64}"),
    "serving.kserve.io_inferenceservices": inference_service("x"),
    "serving.kserve.io_llminferenceservices": llm_inference_service("x", prefill={"replicas": 1}),
}


@pytest.fixture(scope="module")
def deployed() -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "webhook.yaml").read_text())}


@pytest.mark.skipif(not VECTORS.exists(), reason=f"the Kubernetes vectors are not at {VECTORS}")
@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifests_that_are_asked_about_are_valid_against_their_crds(name: str) -> None:
    manifest = MANIFESTS[name]
    definition = yaml.load((VECTORS / f"{name}.yaml").read_bytes(), yaml.CSafeLoader)
    wanted = manifest["apiVersion"].partition("/")[2]
    (version,) = (one for one in definition["spec"]["versions"] if one["name"] == wanted)
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft202012Validator(schema).validate(manifest)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**manifest, "spec": {"unknown": 1}})
    assert definition["spec"]["names"]["kind"] in KINDS


def test_the_cluster_asks_about_every_kind_that_is_judged_and_refuses_what_is_not(
    deployed: dict[str, dict[str, Any]],
) -> None:
    (webhook,) = deployed["ValidatingWebhookConfiguration"]["webhooks"]
    assert {resource for rule in webhook["rules"] for resource in rule["resources"]} == {
        kind.lower() + "s" for kind in KINDS
    }
    assert all(rule["operations"] == ["CREATE", "UPDATE"] for rule in webhook["rules"])
    assert (webhook["failurePolicy"], webhook["sideEffects"]) == ("Fail", "NoneOnDryRun")
    assert "namespaceSelector" not in webhook  # no namespace is left out
    assert "objectSelector" not in webhook
    asked = webhook["clientConfig"]["service"]
    service = deployed["Service"]
    assert asked["path"] == PATH
    assert (asked["name"], asked["namespace"]) == (service["metadata"]["name"], service["metadata"]["namespace"])
    assert asked["port"] == service["spec"]["ports"][0]["port"]


def test_the_pod_runs_a_command_that_is_there_with_no_rights(deployed: dict[str, dict[str, Any]]) -> None:
    pod = deployed["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert deployed["Service"]["spec"]["selector"] == pod["metadata"]["labels"]
    options = {one.partition("=")[0] for one in container["args"]}
    told = CliRunner().invoke(app, [*container["command"][1:], "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert all(option in told for option in options)
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not [kind for kind in deployed if "Role" in kind]


def test_the_certificates_are_made_without_other_software(tmp_path: Path) -> None:
    done = subprocess.run([DEPLOY / "certificates.sh", tmp_path], capture_output=True, text=True, check=True)
    bundle = base64.b64decode(done.stdout, validate=False)
    assert bundle == (tmp_path / "ca.crt").read_bytes()
    ssl.create_default_context(cadata=bundle.decode())
    certificate = x509.load_pem_x509_certificate((tmp_path / "tls.crt").read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(bundle))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "admission.provender.svc" in names.get_values_for_type(x509.DNSName)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    assert (tmp_path / "tls.key").stat().st_mode & 0o077 == 0
