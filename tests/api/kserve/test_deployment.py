"""Endpoints on this machine: real KServe, real Feast, real signatures, real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.assembly import assemble
from api.kserve.deployment import Deployment
from api.kserve.errors import DeploymentRefused
from api.kserve.process import ServerProcess
from api.settings import load_settings
from audit.errors import LedgerForked
from audit.evidence import gather
from audit.statement import StatementSeal
from governance.canonical import json_sha256
from governance.errors import ConfigurationError, Denied
from lineage.recorder import Recorder
from tests.api.kserve.hospital import (
    ENDPOINT,
    PREDICTOR,
    ROOT,
    Hospital,
    call,
    deployment_records,
    ended,
    patients,
    reported,
    signed_artifact,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def endpoint(hospital: Hospital) -> Iterator[Deployment]:
    with hospital.start() as deployment:
        yield deployment
    assert hospital.states(ENDPOINT)[-2:] == ["ready", "ended"]
    assert not psutil.pid_exists(deployment.pid)


def test_kserves_own_endpoints_say_what_is_there(endpoint: Deployment) -> None:
    assert call(f"{endpoint.url}/v2") == (200, {"name": "kserve", "version": "0.21.0", "extensions": []})
    assert call(f"{endpoint.url}/v2/health/live") == (200, {"live": True})
    assert call(f"{endpoint.url}/v2/health/ready") == (200, {"ready": True})
    assert call(f"{endpoint.url}/v2/models/{ENDPOINT}/ready") == (200, {"name": ENDPOINT, "ready": True})
    _status, metadata = call(f"{endpoint.url}/v2/models/{ENDPOINT}")
    assert metadata["inputs"] == [{"name": "patient_id", "datatype": "INT64", "shape": [-1]}]
    assert metadata["outputs"] == [{"name": "probability", "datatype": "FP64", "shape": [-1]}]


def test_nobody_may_load_or_unload_by_request(endpoint: Deployment) -> None:
    for verb in ("load", "unload"):
        assert call(f"{endpoint.url}/v2/repository/models/{ENDPOINT}/{verb}", {})[0] == 404


def test_it_listens_on_one_loopback_address_only(endpoint: Deployment) -> None:
    port = urlsplit(endpoint.url).port
    with pytest.raises(ConnectionRefusedError):  # where 0.0.0.0 is bound, every address of this machine answers
        socket.create_connection(("127.0.0.2", port or 0), timeout=5)
    assert call(f"{endpoint.url}/v2", Host="elsewhere.example")[0] == 400


def test_each_patient_gets_a_probability_and_the_digest_of_the_weights(
    endpoint: Deployment, hospital: Hospital
) -> None:
    status, answer = call(endpoint.infer_url, {"id": "42", **patients(1, 2, 1)})
    assert status == 200
    assert (answer["id"], answer["model_version"]) == ("42", hospital.artifact.digest)
    (output,) = answer["outputs"]
    first, second, again = output["data"]
    assert (output["name"], output["shape"]) == ("probability", [3])
    assert 0 < second < first < 1
    assert again == first


def test_a_patient_without_features_gets_no_inference(endpoint: Deployment) -> None:
    status, answer = call(endpoint.infer_url, patients(1, 99999))
    assert status == 400
    assert "no features of patient_id 99999 in demographics, laboratory" in answer["error"]


@pytest.mark.parametrize("body", ["nonsense", {}, {"inputs": 1}, patients(1.5), patients("1"), patients(1, name="x")])
def test_a_malformed_request_is_refused_in_words(endpoint: Deployment, body: object) -> None:
    status, answer = call(endpoint.infer_url, body)
    assert status == 400
    assert answer["error"].endswith(".")


def test_what_was_asked_of_the_endpoint_is_not_in_its_log(endpoint: Deployment) -> None:
    call(endpoint.infer_url, patients(7654321))
    assert "7654321" not in endpoint.log.read_text()


def test_it_says_what_it_loaded_and_that_is_recorded(endpoint: Deployment, hospital: Hospital) -> None:
    status, said = call(f"{endpoint.url}/v2/models/{ENDPOINT}/provenance")
    assert status == 200
    assert said["artifact"] == endpoint.provenance.artifact == hospital.artifact.digest
    assert said["signature_key"] == hospital.parts.keys.model_public.keyid
    assert said["predictor"]["name"] == PREDICTOR

    ready = hospital.parts.records.by_run(endpoint.id)[0].predicate
    assert ready["state"] == "ready"
    assert ready["loaded"]["digest"] == said["artifact"]
    assert ready["definitions"] == said["definitions"]
    assert ready["predictor"] == said["predictor"]
    manifest = (endpoint.log.parent / "inferenceservice.json").read_bytes()
    assert ready["asked"]["manifest"] == json_sha256(json.loads(manifest))


def test_the_chain_reaches_the_sources_of_the_online_values_and_their_definitions(
    endpoint: Deployment, hospital: Hospital
) -> None:
    assert endpoint.provenance.views == ("demographics", "laboratory")
    chain = gather(ENDPOINT, records=hospital.parts.records, ledger=hospital.parts.ledger).chain
    reached = {(link.source.kind, link.target.kind) for link in chain.links if not link.gap}
    assert {("endpoint", "materialization"), ("materialization", "source"), ("materialization", "decision")} <= reached
    assert {link.target.kind for link in chain.gaps} == {"signature", "training"}  # nobody recorded these test weights


def test_a_changed_byte_in_the_weights_is_refused_and_recorded(hospital: Hospital) -> None:
    artifact = signed_artifact(hospital.parts, seed=2)
    weights = artifact.path / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(DeploymentRefused, match="changed after they were recorded"):
        hospital.start(endpoint="tampered", artifact=artifact.digest)

    (record,) = hospital.parts.records.by_subject_name("endpoint:tampered", "deployment")
    assert record.predicate["state"] == "refused"
    assert record.predicate["loaded"] == {}
    assert "changed after they were recorded" in record.predicate["reason"]
    assert record.predicate["event"]["eventType"] == "FAIL"
    assert record.statement["subject"][0]["digest"] == {"oms1-sha256": artifact.digest.removeprefix("oms1-sha256:")}


def test_weights_signed_by_another_key_are_refused(hospital: Hospital, tmp_path: Path) -> None:
    key = tmp_path / "other.pem"
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, plain))
    artifact = signed_artifact(hospital.parts, seed=3, key=key)

    with pytest.raises(DeploymentRefused, match="signature"):
        hospital.start(endpoint="forged", artifact=artifact.digest)
    assert hospital.states("forged") == ["refused"]


def test_an_artifact_that_is_not_there_is_refused(hospital: Hospital) -> None:
    with pytest.raises(DeploymentRefused, match="There is no artifact"):
        hospital.start(endpoint="unknown", artifact=f"oms1-sha256:{'0' * 64}")
    assert hospital.states("unknown") == ["refused"]


def test_weights_of_unknown_origin_are_denied_where_the_policy_wants_labels(hospital: Hospital) -> None:
    policy = hospital.repo / "policy.yaml"
    lenient = policy.read_text()
    policy.write_text(lenient.replace("levels: {residency.required: {deploy: warn}}", ""))
    try:
        with pytest.raises(Denied, match=r"snapshot:unknown(.|\n)*no residency"):
            hospital.start(endpoint="unheard-of")
    finally:
        policy.write_text(lenient)
    (record,) = hospital.parts.records.by_subject_name("endpoint:unheard-of")
    assert (record.predicate["gate"], record.predicate["outcome"]) == ("deploy", "deny")
    assert record.predicate["request"]["artifact"] == hospital.artifact.digest


def test_a_wrong_question_records_nothing(hospital: Hospital) -> None:
    before = len(hospital.parts.records.all("deployment"))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigurationError, match="Cannot listen"):
        hospital.start(port=taken.getsockname()[1])
    for changes in ({"endpoint": "Liver Risk"}, {"artifact": "latest"}, {"predictor": "gone.py:predict"}):
        with pytest.raises(ConfigurationError):
            hospital.start(**changes)
    assert len(hospital.parts.records.all("deployment")) == before


def test_an_unknown_feature_service_names_those_that_exist(hospital: Hospital) -> None:
    with pytest.raises(ConfigurationError, match="there are: liver_risk"):
        hospital.start(feature_service="kidney_risk")


def test_a_server_that_died_by_itself_is_recorded_as_that(hospital: Hospital, tmp_path: Path) -> None:
    died = ServerProcess([sys.executable, "-c", "raise SystemExit(3)"], environment=os.environ, log=tmp_path / "log")
    died.wait(seconds=30)
    records, said = (
        deployment_records(hospital.parts, "lost", hospital.artifact.digest),
        reported(hospital.artifact.digest),
    )
    hospital.parts.recorder.record(records.ready(said, ()))
    with Deployment(hospital.parts, process=died, provenance=said, records=records, log=tmp_path / "log") as lost:
        assert lost.pid == died.pid
    lost.stop()

    _ready, record = hospital.parts.records.by_subject_name("endpoint:lost")
    assert (record.predicate["state"], record.predicate["event"]["eventType"]) == ("ended", "FAIL")
    assert record.predicate["reason"] == "the server ended by itself with exit code 3"
    assert record.predicate["online"][0]["materialization"]


def refuse() -> None:
    raise LedgerForked("the ledger was cut")


def test_an_endpoint_whose_ready_record_the_ledger_refuses_ends_and_that_is_recorded(hospital: Hospital) -> None:
    parts = hospital.parts
    cut = Hospital(
        replace(parts, recorder=Recorder(parts.engine, StatementSeal(parts.keys), after=refuse)), hospital.artifact
    )
    with pytest.raises(LedgerForked, match="cut") as refusal:
        cut.start(endpoint="unlogged")

    assert hospital.states("unlogged") == ["ready", "ended"]
    _ready, record = parts.records.by_subject_name("endpoint:unlogged", "deployment")
    assert "recording that it was ready failed: LedgerForked" in record.predicate["reason"]
    assert record.predicate["event"]["eventType"] == "FAIL"
    assert any("While the end of run" in note for note in refusal.value.__notes__)
    assert not [one for one in psutil.Process().children() if "--endpoint=unlogged" in one.cmdline()]


def test_a_refusal_is_heard_also_where_it_cannot_be_logged(hospital: Hospital) -> None:
    parts = hospital.parts
    cut = Hospital(
        replace(parts, recorder=Recorder(parts.engine, StatementSeal(parts.keys), after=refuse)), hospital.artifact
    )
    with pytest.raises(DeploymentRefused, match="There is no artifact"):
        cut.start(endpoint="neither", artifact=f"oms1-sha256:{'0' * 64}")


def test_what_the_block_raised_is_not_hidden_by_an_end_that_somebody_else_recorded(
    hospital: Hospital, tmp_path: Path
) -> None:
    died = ServerProcess([sys.executable, "-c", ""], environment=os.environ, log=tmp_path / "log")
    died.wait(seconds=30)
    records = deployment_records(hospital.parts, "closed", hospital.artifact.digest)
    said = reported(hospital.artifact.digest)
    with (
        pytest.raises(RuntimeError, match="the cause"),
        Deployment(hospital.parts, process=died, provenance=said, records=records, log=tmp_path / "log"),
    ):
        raise RuntimeError("the cause")
    assert hospital.states("closed") == []  # its run was never opened here


ABANDONED = """
import os, sys
from pathlib import Path
from api.assembly import opened
from tests.api.kserve.hospital import deployment_records, reported
parts = opened(Path(sys.argv[1]))
records = deployment_records(parts, "abandoned", sys.argv[2])
parts.recorder.record(records.ready(reported(sys.argv[2]), ()))
os._exit(9)
"""


def test_the_next_recorder_records_the_end_of_an_endpoint_whose_process_is_gone(hospital: Hospital) -> None:
    command = [sys.executable, "-c", ABANDONED, str(hospital.repo), hospital.artifact.digest]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode == 9

    assemble(load_settings(hospital.repo)).engine.dispose()
    assert hospital.states("abandoned") == ["ready", "ended"]


INTERRUPTED = f"""
import sys
from pathlib import Path
from api.assembly import opened
from api.assembly import assemble
from api.kserve.deployment import Deployment
Deployment.start(opened(Path(sys.argv[1])), endpoint="interrupted", artifact=sys.argv[2],
                 feature_service="liver_risk", predictor={PREDICTOR!r})
"""


def test_ctrl_c_while_it_starts_leaves_no_process_and_no_record(hospital: Hospital) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(hospital.repo), hospital.artifact.digest]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True) as starter:
        server = first_child(starter.pid)
        starter.send_signal(signal.SIGINT)
        assert starter.wait() != 0
    assert ended(server)
    assert hospital.states("interrupted") == []


def first_child(pid: int) -> psutil.Process:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if children := psutil.Process(pid).children():
            return children[0]
        time.sleep(0.02)
    raise AssertionError(f"process {pid} started no other")
