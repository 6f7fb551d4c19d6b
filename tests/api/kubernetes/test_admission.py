"""The webhook as an API server meets it: real TLS, AdmissionReview v1, and decisions on record."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.assembly import Provender
from lineage.snapshots import Snapshot
from tests.api.kubernetes.certificates import Certificates, made
from tests.api.kubernetes.reviews import (
    ANNOTATION,
    inference_service,
    llm_inference_service,
    review,
    train_job,
)
from tests.api.recorded import FAILED, LABELS, governed_parts, stored, trained

ROOT = Path(__file__).resolve().parents[3]
POLICY = """version: 1
zones: {EU: [DE, FR]}
places:
  - {match: "file://**", zone: DE}
  - {match: "k8s://prod/care/gpu-a", zone: DE}
  - {match: "k8s://prod/care/gpu-fr", zone: FR}
packs: [residency]
callers:
  - {match: "kubernetes:system:serviceaccount:care:*", purposes: [care, research]}
"""
ASKED = {**LABELS, "purpose": ["care"], "undeclared": []}
FILE = """project: liver_care
registry: {registry_store_type: api.feast.GovernedRegistryStore, path: data/registry}
online_store: {type: sqlite, path: data/online.db}
governance: {policy: policy.yaml}
"""


@dataclass(frozen=True)
class Webhook:
    """A running ``provender admission serve``, and the repository that it judges by."""

    parts: Provender
    url: str
    certificates: Certificates

    def post(self, content: bytes) -> httpx.Response:
        trusted = ssl.create_default_context(cafile=self.certificates.authority)
        return httpx.post(f"{self.url}/validate", content=content, verify=trusted, timeout=30)

    def ask(self, document: dict[str, Any]) -> dict[str, Any]:
        """The response to a review, whose uid it repeats."""
        answer = self.post(json.dumps(document).encode()).json()
        assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        response: dict[str, Any] = answer["response"]
        assert response.pop("uid") == document["request"]["uid"]
        return response

    def decisions(self) -> list[dict[str, Any]]:
        return [one.predicate for one in self.parts.records.all("decision")]

    def policy(self, change: Callable[[str], str]) -> None:
        path = self.parts.settings.policy
        path.write_text(change(path.read_text()))


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[Webhook]:
    (tmp_path / "feature_store.yaml").write_text(FILE)
    parts, certificates = governed_parts(tmp_path, POLICY), made(tmp_path)
    command = [sys.executable, "-m", "api.cli.main", "admission", "serve", "--repo", str(tmp_path), "--port", "0"]
    named = ["--cluster", "prod", "--certificate", str(certificates.certificate), "--key", str(certificates.key)]
    server = subprocess.Popen([*command, *named], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    said = server.stderr.readline()
    assert said.startswith("Serving https://127.0.0.1:"), said + server.stderr.read()
    try:
        yield Webhook(parts, said.split()[1], certificates)
    finally:
        server.terminate()
        server.communicate(timeout=30)
        parts.engine.dispose()


def test_a_job_that_may_learn_from_its_snapshots_is_let_in_and_recorded(webhook: Webhook) -> None:
    snapshot = stored(webhook.parts, labels=ASKED)
    assert webhook.ask(review(train_job(snapshot.id, purpose="care"))) == {"allowed": True}
    (decision,) = webhook.decisions()
    assert (decision["gate"], decision["outcome"]) == ("train", "allow")
    request = decision["request"]
    assert request["snapshots"] == [snapshot.id]
    assert request["places"] == {"compute": ["k8s://prod/care/gpu-a"]}
    assert request["purpose"] == "care"
    (record,) = webhook.parts.records.all("decision")
    assert record.statement["subject"][0]["name"] == "trainjob:care/risk"


@pytest.mark.parametrize(
    ("pools", "annotations", "said"),
    [
        (("gpu-fr",), {"purpose": "care"}, "k8s://prod/care/gpu-fr lies in FR; allowed: DE"),
        (("gpu-a", "gpu-fr"), {"purpose": "care"}, "k8s://prod/care/gpu-fr lies in FR; allowed: DE"),
        (("gpu-a", ""), {"purpose": "care"}, "k8s://prod/care/unspecified lies in no known zone"),
        ((), {"purpose": "care"}, "k8s://prod/care/unspecified lies in no known zone"),
        (("gpu-a",), {"purpose": "research"}, "purpose research is not allowed; allowed: care"),
        (("gpu-a",), {}, "no purpose is stated; allowed: care"),
        (("gpu-a",), {"purpose": "marketing"}, "is not granted purpose marketing"),
    ],
    ids=["France", "one of two", "any node", "no patch", "purpose", "no purpose", "not granted"],
)
def test_a_job_is_denied_with_the_reason_and_that_is_recorded(
    webhook: Webhook, pools: tuple[str, ...], annotations: dict[str, str], said: str
) -> None:
    snapshot = stored(webhook.parts, labels=ASKED)
    response = webhook.ask(review(train_job(snapshot.id, pools=pools, **annotations)))
    assert response["allowed"] is False
    assert response["status"]["code"] == 403
    assert said in response["status"]["message"]
    assert "fix:" in response["status"]["message"]
    assert [one["outcome"] for one in webhook.decisions()] == ["deny"]


def test_a_dry_run_is_answered_and_not_recorded(webhook: Webhook) -> None:
    snapshot = stored(webhook.parts)
    assert webhook.ask(review(train_job(snapshot.id), dryRun=True)) == {"allowed": True}
    assert webhook.ask(review(train_job(snapshot.id, pools=("gpu-fr",)), dryRun=True))["allowed"] is False
    assert webhook.decisions() == []


def test_a_warning_lets_in_and_is_said(webhook: Webhook) -> None:
    webhook.policy(lambda text: text + "levels: {residency.place: {train: warn}}\n")
    snapshot = stored(webhook.parts)
    response = webhook.ask(review(train_job(snapshot.id, pools=("gpu-fr",))))
    assert response["allowed"] is True
    (warning,) = response["warnings"]
    assert warning.startswith("residency.place snapshot:td1-sha256:")
    assert len(warning) <= 256
    assert [one["outcome"] for one in webhook.decisions()] == ["allow"]


def test_snapshots_that_nobody_recorded_or_that_failed_are_refused(webhook: Webhook) -> None:
    unknown = f"td1-sha256:{'0' * 64}"
    unrecorded, failed = stored(webhook.parts, recorded=False, rows=70), stored(webhook.parts, FAILED, rows=80)
    for name, said in ((unknown, "no snapshot"), (unrecorded.id, "record"), (failed.id, "critical expectations")):
        response = webhook.ask(review(train_job(name)))
        assert response["allowed"] is False
        assert said in response["status"]["message"].lower()


@pytest.mark.parametrize("named", ["", "{}", "[]", "nonsense", '{"a": 1}', '{"a": "latest"}'])
def test_a_job_that_names_no_snapshots_is_refused(webhook: Webhook, named: str) -> None:
    manifest = train_job()
    manifest["metadata"]["annotations"][f"{ANNOTATION}snapshots"] = named
    response = webhook.ask(review(manifest))
    assert response["allowed"] is False
    assert "names no snapshots that it learns from. Expected the annotation" in response["status"]["message"]


def test_a_model_is_served_where_its_snapshots_may_be(webhook: Webhook) -> None:
    here, there = stored(webhook.parts, rows=60), stored(webhook.parts, rows=70, labels={**LABELS, "residency": ["FR"]})
    both, german = trained(webhook.parts, here, there), trained(webhook.parts, here)
    for make in (inference_service, llm_inference_service):
        assert webhook.ask(review(make(german))) == {"allowed": True}
        refused = webhook.ask(review(make(both)))
        assert "lies in DE; allowed: FR" in refused["status"]["message"]
    assert {(one["gate"], one["request"]["artifact"]) for one in webhook.decisions()} == {
        ("deploy", german),
        ("deploy", both),
    }


@pytest.mark.parametrize(
    "component",
    [
        {"transformer": {"containers": [{"name": "t", "image": "t"}]}},
        {"explainer": {"containers": [{"name": "e", "image": "e"}]}},
        {"canary": [{"predictor": {"containers": [{"name": "c", "image": "c"}]}}]},
    ],
    ids=["transformer", "explainer", "canary"],
)
def test_every_component_of_an_endpoint_has_to_be_somewhere(webhook: Webhook, component: dict[str, Any]) -> None:
    model = trained(webhook.parts, stored(webhook.parts))
    response = webhook.ask(review(inference_service(model, **component)))
    assert "k8s://prod/care/unspecified lies in no known zone" in response["status"]["message"]


@pytest.mark.parametrize(
    "part",
    [{"prefill": {"replicas": 1}}, {"worker": {"containers": []}}, {"router": {"scheduler": {"template": {}}}}],
    ids=["prefill", "worker", "scheduler"],
)
def test_every_pod_of_a_large_model_has_to_be_somewhere(webhook: Webhook, part: dict[str, Any]) -> None:
    model = trained(webhook.parts, stored(webhook.parts))
    response = webhook.ask(review(llm_inference_service(model, **part)))
    assert "k8s://prod/care/unspecified lies in no known zone" in response["status"]["message"]


def test_a_model_of_unknown_origin_is_denied(webhook: Webhook) -> None:
    response = webhook.ask(review(inference_service(f"oms1-sha256:{'0' * 64}")))
    assert "snapshot:unknown" in response["status"]["message"]
    assert "no residency" in response["status"]["message"]
    nameless = webhook.ask(review(inference_service("latest")))
    assert nameless["status"]["code"] == 422
    assert "names no model that it serves. Expected the annotation" in nameless["status"]["message"]


def test_an_update_is_judged_where_it_changes_what_was_judged(webhook: Webhook) -> None:
    snapshot = stored(webhook.parts)
    old = train_job(snapshot.id)
    touched = {**old, "status": {"conditions": []}}
    assert webhook.ask(review(touched, operation="UPDATE", old=old)) == {"allowed": True}
    assert webhook.decisions() == []
    moved = train_job(snapshot.id, pools=("gpu-fr",))
    assert webhook.ask(review(moved, operation="UPDATE", old=old))["allowed"] is False
    relabelled = train_job(snapshot.id, purpose="marketing")
    assert webhook.ask(review(relabelled, operation="UPDATE", old=old))["allowed"] is True  # no purpose label
    assert len(webhook.decisions()) == 2


def test_what_takes_nothing_in_is_let_through(webhook: Webhook) -> None:
    manifest = train_job()
    assert webhook.ask(review(manifest, operation="DELETE", old=manifest)) == {"allowed": True}
    assert webhook.ask(review(manifest, operation="UPDATE", subResource="status")) == {"allowed": True}
    assert webhook.decisions() == []


def test_another_kind_is_refused_since_nobody_judged_it(webhook: Webhook) -> None:
    response = webhook.ask(review({**train_job(), "kind": "Pod"}))
    assert response["allowed"] is False
    assert "judges TrainJob, InferenceService, LLMInferenceService, not Pod" in response["status"]["message"]


def test_the_caller_is_who_kubernetes_authenticated(webhook: Webhook) -> None:
    snapshot = stored(webhook.parts, labels=ASKED)
    stranger = {"username": "system:serviceaccount:sales:bot"}
    response = webhook.ask(review(train_job(snapshot.id, purpose="care"), userInfo=stranger))
    assert "kubernetes:system:serviceaccount:sales:bot is not granted purpose care" in response["status"]["message"]


def test_an_object_without_a_name_yet_is_judged(webhook: Webhook) -> None:
    snapshot: Snapshot = stored(webhook.parts)
    manifest = train_job(snapshot.id)
    del manifest["metadata"]["name"], manifest["metadata"]["uid"]
    assert webhook.ask(review(manifest)) == {"allowed": True}
    (record,) = webhook.parts.records.all("decision")
    assert record.statement["subject"][0]["name"] == "trainjob:care/(unnamed)"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "is no AdmissionReview of admission.k8s.io/v1"),
        (b'{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"}', "is no AdmissionReview"),
        (
            b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}',
            "`uid` of the AdmissionReview is not there",
        ),
        (b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": 1}', "is of type int"),
        (
            b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"kind":{"kind":"TrainJob"}}}',
            "`uid` of the AdmissionReview is not there",
        ),
    ],
    ids=["broken", "deep", "list", "beta", "empty", "number", "no uid"],
)
def test_what_is_no_review_is_told_so(webhook: Webhook, content: bytes, said: str) -> None:
    answer = webhook.post(content)
    assert answer.status_code == 400
    assert said in answer.text


def test_where_nothing_can_be_recorded_nothing_is_let_in(webhook: Webhook) -> None:
    snapshot = stored(webhook.parts)
    webhook.parts.settings.policy.unlink()
    response = webhook.ask(review(train_job(snapshot.id)))
    assert response["allowed"] is False
    assert "found no policy that can be read" in response["status"]["message"]


def test_a_certificate_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "feature_store.yaml").write_text(FILE)
    governed_parts(tmp_path, POLICY).engine.dispose()
    (tmp_path / "bad.pem").write_text("nonsense")
    command = [sys.executable, "-m", "api.cli.main", "admission", "serve", "--repo", str(tmp_path), "--cluster", "prod"]
    files = ["--certificate", str(tmp_path / "bad.pem"), "--key", str(tmp_path / "gone.key")]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot be used" in done.stderr
    assert "Expected two PEM files that belong together." in done.stderr.replace("\n", " ")


def test_it_is_healthy(webhook: Webhook) -> None:
    trusted = ssl.create_default_context(cafile=webhook.certificates.authority)
    assert httpx.get(f"{webhook.url}/healthz", verify=trusted).text == "ok"
