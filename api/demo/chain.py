"""The steps of the demonstration. Each does one real thing and says what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.request import ProxyHandler, Request, build_opener

from api.demo.workspace import Workspace, feast_apply, load, prepare, variant
from governance.errors import AnswerIsNo
from lineage.objects import replace_bytes

if TYPE_CHECKING:
    from api.assembly import Provender
    from lineage.snapshots import Snapshot
    from lineage.training import TrainingOutcome

ENDPOINT = "liver-risk"
SERVICE = "liver_risk"
SEED = 7
EPOCHS = 400
PREDICTOR = "training/liver_risk.py:predict"
PATIENTS = (1, 2, 3)
MATERIALIZED = (datetime(2009, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
"""Covers every date of the example."""


class DemoFailed(AnswerIsNo):
    """A step did not do what it was to show."""


class Narrator(Protocol):
    """Tells the person what happens."""

    def step(self, title: str) -> AbstractContextManager[Callable[[str], None]]:
        """Show that a step is under way; what it gives takes the lines that say what came of it."""
        ...


@dataclass(frozen=True)
class DemoResult:
    """What a demonstration leaves behind."""

    endpoint: str
    snapshot: str
    run: str
    artifact: str
    report: str
    bundle: str
    trust: str
    repo: str
    """the governed Feast repository"""
    data: str
    """the folder of the demonstration: what `provender verify --data` takes"""
    verified: str
    """level of the verification"""

    def as_json(self) -> dict[str, Any]:
        """The result as ``provender demo --json`` prints it."""
        return asdict(self)


def demonstrate(example: Path, root: Path, tell: Narrator) -> DemoResult:
    """The whole chain on real data, from ``feast apply`` to a verified bundle."""
    with tell.step("Prepare: clinical data of 312 patients (Mayo Clinic trial)") as say:
        workspace = prepare(example, root)
        say(f"repository {_near(workspace.repository)}")
    _refuse(workspace, tell)
    _accept(workspace, tell)
    parts, store = _open(workspace, tell)
    snapshot = _retrieve(workspace, store, tell)
    _materialize(store, tell)
    outcome = _train(workspace, parts, snapshot, tell)
    _serve(parts, outcome, tell)
    level = _prove(workspace, parts, tell)
    return DemoResult(
        endpoint=ENDPOINT,
        snapshot=snapshot.id,
        run=outcome.request.run_id,
        artifact=outcome.artifact,
        report=str(workspace.report),
        bundle=str(workspace.bundle),
        trust=str(workspace.trust),
        repo=str(workspace.repository),
        data=str(workspace.root),
        verified=level,
    )


def _refuse(workspace: Workspace, tell: Narrator) -> None:
    with tell.step("feast apply of a careless variant: a store in France, no residency, no owner") as say:
        with variant(workspace, "refused"):
            done = feast_apply(workspace)
        if done.returncode != 1 or "apply denied" not in done.stderr + done.stdout:
            raise DemoFailed(
                f"The variant was to be refused with exit code 1; feast apply gave {done.returncode}:\n{done.stderr}"
            )
        for line in _denial(done.stdout + done.stderr):
            say(line)


def _accept(workspace: Workspace, tell: Narrator) -> None:
    with tell.step("feast apply of the repository itself") as say:
        done = feast_apply(workspace)
        if done.returncode != 0:
            raise DemoFailed(
                f"The repository was to be accepted; feast apply gave {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        say("allowed: no findings; the decision is recorded")


def _open(workspace: Workspace, tell: Narrator) -> tuple[Provender, Any]:
    with tell.step("Open the feature store (Feast takes a while to import)") as say:
        from api.assembly import opened
        from api.feast.store import feature_store

        store = feature_store(workspace.repository)
        parts = opened(workspace.repository, "feature_store.yaml")
        say(f"ledger {parts.settings.origin}")
    return parts, store


def _retrieve(workspace: Workspace, store: Any, tell: Narrator) -> Snapshot:
    with tell.step("Retrieve what was known at each visit, and keep it as a snapshot") as say:
        import lineage

        sources = workspace.data / "sources"
        made_from = [sources / "laboratory.parquet", sources / "follow_up.parquet"]
        label = load(workspace.repository / "prepare" / "spine.py").liver_spine
        frame = lineage.spine(label(*made_from), made_from=made_from, code=label)
        service = store.get_feature_service(SERVICE)
        job = store.get_historical_features(frame, features=service, filter_by_created_timestamp=True)
        job.to_arrow()
        snapshot: Snapshot = job.snapshot
        say(f"{snapshot.rows:,} rows, {snapshot.id}")
    return snapshot


def _materialize(store: Any, tell: Narrator) -> None:
    with tell.step("Materialize the latest values into the online store") as say:
        store.materialize(*MATERIALIZED)
        say("digest and source states of what was written are recorded")


def _train(workspace: Workspace, parts: Provender, snapshot: Snapshot, tell: Narrator) -> TrainingOutcome:
    with tell.step("Train on exactly that snapshot (a TrainJob of the Kubeflow SDK, torch)") as say:
        from api.demo.training import fit
        from api.kubeflow.governed import train_governed

        outcome = train_governed(
            parts,
            fit,
            name=ENDPOINT,
            snapshots={"features": snapshot.id},
            hyperparameters={"epochs": EPOCHS},
            seed=SEED,
            code=[workspace.repository / "training" / "liver_risk.py"],
        )
        metrics = outcome.report.metrics
        say(f"AUC {metrics['auc']:.3f} on held-out patients; {_hardware(outcome.report.hardware)}")
        say(f"weights {outcome.artifact}, signed")
    return outcome


def _serve(parts: Provender, outcome: TrainingOutcome, tell: Narrator) -> None:
    with tell.step("Serve these weights with KServe, and ask for three patients") as say:
        from api.kserve.deployment import Deployment

        with Deployment.start(
            parts,
            endpoint=ENDPOINT,
            artifact=outcome.artifact,
            feature_service=SERVICE,
            predictor=PREDICTOR,
        ) as deployment:
            say(f"loaded {deployment.provenance.artifact}")
            risks = ", ".join(f"{risk:.3f}" for risk in _ask(deployment.infer_url))
            say(f"risk within a year: {risks}")


def _ask(url: str) -> list[float]:
    """The answers of the endpoint, over HTTP, in the V2 protocol."""
    patients = {"name": "patient_id", "shape": [len(PATIENTS)], "datatype": "INT64", "data": list(PATIENTS)}
    body = json.dumps({"inputs": [patients]}).encode()
    request = Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 - our own loopback server
    with build_opener(ProxyHandler({})).open(request, timeout=60) as response:  # a proxy is no part of this machine
        answers: list[float] = json.load(response)["outputs"][0]["data"]
    return answers


def _prove(workspace: Workspace, parts: Provender, tell: Narrator) -> str:
    with tell.step("Report, bundle, trust file; then verify offline") as say:
        from api.reports import endpoint_report, rendered, write_endpoint_bundle
        from audit.recompute import DataDirectory
        from audit.trust import trust_file
        from audit.verify import verify_bundle

        report = endpoint_report(parts, ENDPOINT)
        replace_bytes(workspace.report, rendered(report, form="html"))
        write_endpoint_bundle(parts, ENDPOINT, workspace.bundle)
        replace_bytes(workspace.trust, trust_file(parts.keys, origin=parts.settings.origin))
        result = verify_bundle(workspace.bundle, trust=workspace.trust, recompute=DataDirectory(workspace.root))
        if not result.ok:
            failed = "; ".join(f"{step.name}: {step.reason}" for step in result.steps if step.failed)
            raise DemoFailed(f"The bundle was to verify: {failed}")
        gaps = sum(1 for one in result.links if one.link.gap)
        say(f"{result.level}: {len(result.links)} links, {gaps} gaps; snapshot and weights recomputed from the data")
    return result.level


def _denial(output: str) -> Iterator[str]:
    lines = output.splitlines()
    start = next((at for at, line in enumerate(lines) if "apply denied" in line), len(lines))
    yield from (line for line in lines[start:] if line.strip())


def _hardware(hardware: Any) -> str:
    gpus = ", ".join(gpu["model"] for gpu in hardware["gpus"])
    return gpus or f"{hardware['cpu']['model']}, {hardware['reason']}"


def _near(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
