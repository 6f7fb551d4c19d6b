"""The demonstration from scratch, twice, and everything a person then does with what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import psutil
import pytest
from referencing import Registry, Resource

from api.assembly import Provender, assemble
from api.settings import load_settings

ROOT = Path(__file__).parents[3]
VECTORS = ROOT.parent / "shared" / "vectors" / "openlineage"


@dataclass(frozen=True)
class Demonstration:
    folder: Path
    result: dict[str, Any]
    stderr: str
    seconds: float

    @property
    def repository(self) -> Path:
        return Path(self.result["repo"])

    def parts(self) -> Provender:
        return assemble(load_settings(self.repository))


def provender(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api.cli.main", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def demonstrate(folder: Path) -> Demonstration:
    started = time.monotonic()
    done = provender("demo", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return Demonstration(folder, json.loads(done.stdout), done.stderr, time.monotonic() - started)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    return demonstrate(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    return demonstrate(tmp_path_factory.mktemp("second"))


def verify(demo: Demonstration, bundle: Path, *, data: Path | None = None) -> dict[str, Any]:
    more = ["--data", str(data)] if data else []
    done = provender("verify", str(bundle), "--trust", demo.result["trust"], "--json", *more, cwd=demo.folder)
    assert done.returncode in {0, 1}, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["ok"] == (done.returncode == 0)
    return document


def failed(document: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["reason"] for step in document["steps"] if step["outcome"] == "FAILED"}


def test_prints_one_json_document_that_names_what_was_made(demo: Demonstration) -> None:
    result = demo.result
    assert result["endpoint"] == "liver-risk"
    assert result["snapshot"].startswith("td1-sha256:")
    assert result["artifact"].startswith("oms1-sha256:")
    assert all(Path(result[name]).is_file() for name in ("report", "bundle", "trust"))


def test_shows_the_refusal_with_object_rule_path_and_fix(demo: Demonstration) -> None:
    for words in (
        "residency.required",
        "data_source:outcomes_export",
        "ownership.owner",
        "lies in FR",
        "fix:",
        "path:",
    ):
        assert words in demo.stderr
    assert "Traceback" not in demo.stderr


def test_twice_from_scratch_gives_the_same_snapshot_and_the_same_weights(
    demo: Demonstration, again: Demonstration
) -> None:
    assert again.result["snapshot"] == demo.result["snapshot"]
    assert again.result["artifact"] == demo.result["artifact"]
    assert again.result["run"] != demo.result["run"]


def test_can_be_run_a_second_time_where_it_already_ran(again: Demonstration) -> None:
    second = demonstrate(again.folder)
    assert second.result["snapshot"] == again.result["snapshot"]
    assert second.result["artifact"] == again.result["artifact"]
    assert verify(second, Path(second.result["bundle"]), data=Path(second.result["data"]))["ok"]


def test_the_bundle_verifies_and_the_data_is_recomputed(demo: Demonstration) -> None:
    document = verify(demo, Path(demo.result["bundle"]), data=Path(demo.result["data"]))
    assert document["level"] == "LOG-SIGNED"
    said = {link["to"]["kind"]: link for link in document["links"]}
    assert said["weights"]["evidence"].startswith("content recomputed here; what was done with it: operator's claim")
    assert said["snapshot"]["evidence"].startswith("content recomputed here")
    assert document["gaps"] == 0
    assert not [link["gap"] for link in document["links"] if link["gap"]]


def test_the_chain_reaches_every_source_file_of_the_repository(demo: Demonstration) -> None:
    document = verify(demo, Path(demo.result["bundle"]))
    names = {Path(link["to"]["name"]).name for link in document["links"] if link["to"]["kind"] in {"source", "spine"}}
    assert names == {"laboratory.parquet", "demographics.parquet", "follow_up.parquet"}


@pytest.mark.parametrize("place", ["first byte", "middle", "last byte"])
def test_a_flipped_byte_of_the_bundle_is_detected(demo: Demonstration, tmp_path: Path, place: str) -> None:
    data = bytearray(Path(demo.result["bundle"]).read_bytes())
    data[{"first byte": 0, "middle": len(data) // 2, "last byte": -1}[place]] ^= 1
    tampered = tmp_path / "tampered.bundle"
    tampered.write_bytes(data)
    assert failed(verify(demo, tampered))


def test_a_flipped_byte_of_the_snapshot_is_detected_with_its_reason(demo: Demonstration, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(demo.repository / "data" / "objects", data / "objects")
    (parquet,) = (data / "objects" / "snapshots").rglob("data.parquet")
    content = bytearray(parquet.read_bytes())
    content[len(content) // 3] ^= 1
    parquet.chmod(0o644)
    parquet.write_bytes(content)
    reasons = failed(verify(demo, Path(demo.result["bundle"]), data=data))
    assert list(reasons) == ["snapshot data"]


def test_a_flipped_byte_of_the_weights_is_detected_with_its_reason(demo: Demonstration, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(demo.repository / "data" / "objects", data / "objects")
    (weights,) = (data / "objects" / "artifacts").rglob("*.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    reasons = failed(verify(demo, Path(demo.result["bundle"]), data=data))
    assert list(reasons) == ["model data"]
    assert "model.safetensors" in reasons["model data"]


def test_another_operators_trust_file_is_refused(demo: Demonstration, again: Demonstration) -> None:
    done = provender("verify", demo.result["bundle"], "--trust", again.result["trust"], "--json", cwd=demo.folder)
    assert done.returncode == 1
    assert "manifest signature" in failed(json.loads(done.stdout))


def test_verifying_takes_less_than_two_seconds_and_imports_no_framework(demo: Demonstration) -> None:
    code = (
        "import sys; sys.argv = ['provender', *sys.argv[1:]]\n"
        "from api.cli.main import app\n"
        "app(standalone_mode=False)\n"
        "heavy = {'feast', 'sqlalchemy', 'torch', 'pyarrow', 'pandas', 'great_expectations'} & sys.modules.keys()\n"
        "sys.exit(str(sorted(heavy)) if heavy else 0)"
    )
    command = [sys.executable, "-c", code, "verify", demo.result["bundle"], "--trust", demo.result["trust"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_recorded_event_is_valid_openlineage(demo: Demonstration) -> None:
    if not VECTORS.exists():
        pytest.skip("../shared/vectors is not there, so there is no schema to hold the events against")
    documents = [json.loads(path.read_bytes()) for path in sorted(VECTORS.rglob("*.json"))]
    documents += [json.loads(path.read_bytes()) for path in sorted((ROOT / "lineage" / "facets").glob("*.json"))]
    with_ids = [document for document in documents if isinstance(document, dict) and "$id" in document]
    registry: Registry[Any] = Registry().with_resources([(d["$id"], Resource.from_contents(d)) for d in with_ids])
    parts = demo.parts()
    events = [record.predicate["event"] for record in parts.records.all() if "event" in record.predicate]
    assert {event["job"]["facets"]["jobType"]["jobType"] for event in events} == {
        "RETRIEVAL",
        "MATERIALIZATION",
        "TRAINING",
        "DEPLOYMENT",
        "SERVING",
    }
    core = jsonschema.Draft202012Validator(
        {"$ref": "https://openlineage.io/spec/2-0-2/OpenLineage.json"}, registry=registry
    )
    for event in events:
        core.validate(event)
        for facet in facets_of(event):
            jsonschema.Draft202012Validator({"$ref": facet["_schemaURL"]}, registry=registry).validate(facet)


def facets_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    found = [*event["run"].get("facets", {}).values(), *event["job"].get("facets", {}).values()]
    for dataset in [*event.get("inputs", []), *event.get("outputs", [])]:
        found += dataset.get("facets", {}).values()
    return found


def test_the_ledger_holds_every_record_and_is_whole(demo: Demonstration) -> None:
    done = provender("ledger", "audit", "--json", "--repo", str(demo.repository), cwd=demo.folder)
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["size"] == len(demo.parts().records.all())


def test_both_the_refused_and_the_accepted_apply_are_recorded(demo: Demonstration) -> None:
    decisions = [record.predicate for record in demo.parts().records.all("decision")]
    assert [(one["gate"], one["outcome"]) for one in decisions] == [
        ("apply", "deny"),
        ("apply", "allow"),
        ("train", "allow"),
        ("deploy", "allow"),
        ("online", "allow"),  # the model server's first read of features
    ]


def test_the_end_of_the_endpoint_is_recorded(demo: Demonstration) -> None:
    states = [record.predicate["state"] for record in demo.parts().records.all("deployment")]
    assert states == ["ready", "ended"]


def test_no_entity_key_or_value_of_a_patient_is_in_any_record(demo: Demonstration) -> None:
    for record in demo.parts().records.all():
        text = json.dumps(record.statement)
        assert '"patient_id": ' not in text.replace('"patient_id": 0', "").replace('"patient_id": "i64"', "")
        assert "58.76522929500342" not in text  # the age of the first patient


def test_the_report_is_html_and_json(demo: Demonstration) -> None:
    html = Path(demo.result["report"]).read_text()
    assert html.startswith("<!doctype html>")
    assert "does not prove" in html
    done = provender("report", "liver-risk", "--format", "json", "--repo", str(demo.repository), cwd=demo.folder)
    assert json.loads(done.stdout)["endpoint"] == "liver-risk"


def test_an_unknown_endpoint_is_one_sentence_and_exit_code_2(demo: Demonstration) -> None:
    done = provender("report", "nobody", "--repo", str(demo.repository), cwd=demo.folder)
    assert done.returncode == 2
    assert "provender endpoints" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tampered_snapshot_is_named_by_snapshot_verify(demo: Demonstration, tmp_path: Path) -> None:
    copy = tmp_path / "feature_repo"
    shutil.copytree(demo.repository, copy)
    good = provender("snapshot", "verify", demo.result["snapshot"], "--repo", str(copy), cwd=tmp_path)
    assert good.returncode == 0
    (parquet,) = (copy / "data" / "objects" / "snapshots").rglob("data.parquet")
    content = bytearray(parquet.read_bytes())
    content[len(content) // 3] ^= 1
    parquet.chmod(0o644)
    parquet.write_bytes(content)
    bad = provender("snapshot", "verify", demo.result["snapshot"], "--repo", str(copy), cwd=tmp_path)
    assert bad.returncode == 1
    assert "backup" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_a_forged_manifest_and_an_unrecorded_snapshot_are_called_what_they_are(
    demo: Demonstration, tmp_path: Path
) -> None:
    copy = tmp_path / "feature_repo"
    shutil.copytree(demo.repository, copy)
    (folder,) = (copy / "data" / "objects" / "snapshots").iterdir()
    orphan = folder.with_name("0" * 64)
    shutil.copytree(folder, orphan)
    (manifest,) = folder.glob("*.json")
    manifest.chmod(0o644)
    manifest.write_bytes(manifest.read_bytes().replace(b'"success":false', b'"success":true '))
    listed = provender("snapshot", "list", "--json", "--repo", str(copy), cwd=tmp_path)
    standing = {one["snapshot"]: one["standing"] for one in json.loads(listed.stdout)}
    assert standing == {demo.result["snapshot"]: "damaged", "td1-sha256:" + "0" * 64: "not recorded"}
    for name in standing:
        done = provender("snapshot", "verify", name, "--repo", str(copy), cwd=tmp_path)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr


def test_lists_endpoints_and_snapshots_and_exports_the_same_trust(demo: Demonstration) -> None:
    repo = ("--repo", str(demo.repository))
    (endpoint,) = json.loads(provender("endpoints", "--json", *repo, cwd=demo.folder).stdout)
    assert endpoint["artifact"] == demo.result["artifact"]
    (snapshot,) = json.loads(provender("snapshot", "list", "--json", *repo, cwd=demo.folder).stdout)
    assert snapshot["snapshot"] == demo.result["snapshot"]
    shown = json.loads(provender("snapshot", "show", demo.result["snapshot"], "--json", *repo, cwd=demo.folder).stdout)
    assert shown["rows"] == snapshot["rows"]
    exported = provender("trust", "export", *repo, cwd=demo.folder)
    assert exported.stdout.encode() == Path(demo.result["trust"]).read_bytes()
    assert "statements:" in exported.stderr


def test_a_bundle_made_by_the_command_verifies(demo: Demonstration, tmp_path: Path) -> None:
    bundle = tmp_path / "mine.bundle"
    made = provender("bundle", "liver-risk", "-o", str(bundle), "--repo", str(demo.repository), cwd=demo.folder)
    assert made.returncode == 0
    assert verify(demo, bundle)["ok"]


def test_ctrl_c_leaves_no_process_and_no_half_written_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "api.cli.main", "demo"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        time.sleep(6)  # in the middle of a feast apply
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert not list((tmp_path / "data").rglob(".incomplete-*"))
    assert not (tmp_path / "data" / "feature_repo" / "liver_outcomes.py").exists()


def test_serve_answers_with_reports_chain_checkpoint_and_takes_events(demo: Demonstration, tmp_path: Path) -> None:
    repo = tmp_path / "feature_repo"
    shutil.copytree(demo.repository, repo)
    command = [sys.executable, "-m", "api.cli.main", "serve", "--repo", str(repo), "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            ask_everything(demo, process)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    audited = provender("ledger", "audit", "--json", "--repo", str(repo), cwd=tmp_path)
    assert json.loads(audited.stdout)["size"] == len(demo.parts().records.all()) + 1


def ask_everything(demo: Demonstration, process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    address = next(word for word in process.stderr.readline().split() if word.startswith("http://127.0.0.1:"))
    with httpx.Client(base_url=address, timeout=30, trust_env=False) as ask:
        (endpoint,) = ask.get("/api/v1/endpoints").json()["endpoints"]
        assert endpoint["weights"] == demo.result["artifact"]
        assert ask.get("/api/v1/endpoints/liver-risk/report").json()["endpoint"] == "liver-risk"
        assert ask.get("/api/v1/endpoints/liver-risk/chain").json()["nodes"]
        assert ask.get("/api/v1/ledger/checkpoint").text.startswith("provender.example/liver_care\n")
        assert "<svg" in ask.get("/endpoints/liver-risk").text
        assert ask.get("/endpoints/nobody").status_code == 404
        event = demo.parts().records.all("retrieval")[-1].predicate["event"]
        event["run"]["runId"] = "0199c0de-0000-7000-8000-000000000001"
        assert ask.post("/api/v1/lineage", json=event).status_code == 201
        assert ask.post("/api/v1/lineage", json=event).status_code == 200


@pytest.mark.parametrize(
    ("bundle", "trust", "words"),
    [
        ("nowhere.bundle", "trust.json", "nowhere.bundle cannot be read"),
        ("evidence.bundle", "nowhere.json", "nowhere.json"),
        ("evidence.bundle", "report.html", "report.html"),
    ],
)
def test_a_wrong_question_to_verify_is_one_sentence_and_exit_code_2(
    demo: Demonstration, bundle: str, trust: str, words: str
) -> None:
    data = demo.folder / "data"
    done = provender("verify", str(data / bundle), "--trust", str(data / trust), cwd=demo.folder)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("policy: policy.yaml", "rules: policy.yaml"), "names no policy"),
        (lambda text: text[: text.index("governance:\n  policy")], "has no `governance:` block"),
        (lambda text: text.replace("objects:", "objecte:"), "`governance: objecte:`"),
        (lambda text: text.replace("sqlite:///data/provender.db", "nosql://host/db"), "cannot be opened"),
        (lambda text: "\t" + text, "is not YAML"),
    ],
)
def test_a_bad_configuration_is_one_sentence_and_exit_code_2(
    demo: Demonstration, tmp_path: Path, change: Callable[[str], str], words: str
) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    text = (demo.repository / "feature_store.yaml").read_text()
    (repo / "feature_store.yaml").write_text(change(text))
    before = sorted(repo.rglob("*"))
    done = provender("endpoints", "--repo", str(repo), cwd=tmp_path)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "data/provender.db" not in {str(path.relative_to(repo)) for path in {*repo.rglob("*")} - {*before}}


@pytest.mark.parametrize("command", ["report", "bundle"])
def test_a_place_that_cannot_be_written_is_one_sentence_and_exit_code_2(demo: Demonstration, command: str) -> None:
    target = str(demo.repository / "policy.yaml" / "out")
    done = provender(command, "liver-risk", "-o", target, "--repo", str(demo.repository), cwd=demo.folder)
    assert done.returncode == 2
    assert "policy.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_report_says_no_more_of_time_than_was_asked_for(demo: Demonstration) -> None:
    assert "measured and reported by that row" in Path(demo.result["report"]).read_text()


def test_help_is_quick_and_names_every_command() -> None:
    done = provender("--help", cwd=ROOT)
    for command in ("demo", "endpoints", "report", "bundle", "verify", "trust", "ledger", "snapshot", "serve"):
        assert f" {command} " in done.stdout
