"""Statements of one small deployment, as the recorder writes them, for the tests of reports and of the API."""

from __future__ import annotations

import hashlib
from typing import Any

from audit.report import Report, build_report
from audit.verify.chain import follow
from audit.verify.statement import Statement

DEFINITIONS = hashlib.sha256(b"definitions").hexdigest()
SNAPSHOT = hashlib.sha256(b"snapshot").hexdigest()
WEIGHTS = hashlib.sha256(b"weights").hexdigest()
ONLINE = hashlib.sha256(b"online").hexdigest()
KEY = hashlib.sha256(b"key").hexdigest()
NOTE = (
    "provender.example/national_health\n9\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— provender.example/national_health AAAA\n"
)
RUNS = {
    name: f"{number:08x}-0000-4000-8000-000000000000" for number, name in enumerate(("retrieve", "train", "online"), 1)
}


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def source(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "uri": f"file:///srv/feature_repo/data/{name}.parquet",
        "files": [{"path": f"data/{name}.parquet", "size": 48_213 + len(name), "sha256": sha(name)}],
        "state": "computed",
        "time": "2026-03-01T09:58:00.000000Z",
    }


def act(number: int, kind: str, subject: tuple[str, str, str], **predicate: Any) -> Statement:
    recorded = {
        "id": f"0000000{number}-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        "kind": kind,
        "time": f"2026-03-01T10:0{number}:00.123456Z",
        "actor": "p-7f3a9c1e",
    }
    return Statement(**recorded, subjects=(subject,), predicate={"recorded": recorded, **predicate}, index=number)


def decision() -> Statement:
    return act(
        1,
        "decision",
        ("definitions:national_health", "definitions-sha256", DEFINITIONS),
        gate="apply",
        outcome="allow",
        project="national_health",
        definitions=DEFINITIONS,
        policy=sha("policy"),
        findings=[
            {
                "rule": "ttl.bounded",
                "object": "feature_view:demographics",
                "level": "warn",
                "path": [],
                "message": "has no time to live",
                "fix": "set ttl",
            }
        ],
        repository={"commit": "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "dirty": False},
    )


def retrieval(**changes: Any) -> Statement:
    predicate = {
        "run": RUNS["retrieve"],
        "state": "COMPLETE",
        "project": "national_health",
        "definitions": DEFINITIONS,
        "request": {
            "features": ["labs:bilirubin", "labs:albumin", "albi:score", "demographics:age"],
            "full_feature_names": False,
        },
        "verdict": {"outcome": "allow", "policy": sha("policy"), "findings": []},
        "snapshot": f"td1-sha256:{SNAPSHOT}",
        "rows": 1945,
        "sources": [source("labs"), source("demographics")],
        "spine": {
            "digest": sha("spine"),
            "rows": 1945,
            "origin": {
                "made_from": [{"uri": "file:///srv/feature_repo/data/follow_up.parquet", "sha256": sha("follow_up")}],
                "code": {"name": "outcome_within_a_year", "sha256": sha("code")},
            },
        },
        "engine": {"name": "provender-asof", "version": "1.0"},
        "labels": {"residency": ["DE", "FR"], "pii": True, "purpose": ["care", "research"]},
        "validation": [
            {
                "expectation": "expect_column_values_to_be_between",
                "column": "bilirubin",
                "success": True,
                "severity": "critical",
                "observed": {"partial_unexpected_list": [173.25]},
            },
            {
                "expectation": "expect_column_values_to_not_be_null",
                "column": "albumin",
                "success": False,
                "severity": "warning",
                "observed": None,
            },
        ],
        "manifest": sha("manifest"),
    }
    return act(3, "retrieval", (f"snapshot:{RUNS['retrieve']}", "td1-sha256", SNAPSHOT), **{**predicate, **changes})


def materialization() -> Statement:
    return act(
        2,
        "materialization",
        ("feature_view:labs", "td1-sha256", ONLINE),
        run=RUNS["online"],
        state="COMPLETE",
        project="national_health",
        definitions=DEFINITIONS,
        views=[
            {
                "name": "labs",
                "digest": f"td1-sha256:{ONLINE}",
                "rows": 312,
                "start": "2020-01-01T00:00:00.000000Z",
                "end": "2026-03-01T00:00:00.000000Z",
                "store": "file:///srv/feature_repo/data/online.db",
                "sources": [source("labs")],
            }
        ],
    )


def training(hardware: dict[str, Any] | None = None) -> Statement:
    gpu = {
        "uuid": "GPU-5d1f0c1e-0b6a-4c58-9c1e-3f6f2f1b7a10",
        "model": "NVIDIA H100 80GB HBM3",
        "memory_bytes": 85_520_809_984,
        "driver": "570.86.15",
        "cuda": "12.8",
        "compute_capability": "9.0",
        "mig": None,
    }
    return act(
        4,
        "training",
        ("model:survival", "oms1-sha256", WEIGHTS),
        buildDefinition={
            "buildType": "https://provender.example/trainjob/v1",
            "externalParameters": {
                "trainjob": {"name": "survival-fit", "id": "t3b1c2", "namespace": "default"},
                "hyperparameters": {"learning_rate": 0.05, "epochs": 40, "hidden": 16},
                "seed": 20260301,
                "split": {
                    "by": "patient",
                    "train_rows": 1556,
                    "test_rows": 389,
                    "entities": list(range(900_000, 900_312)),
                },
            },
            "internalParameters": {
                "hardware": hardware
                if hardware is not None
                else {"gpus": [gpu], "cpu": {"model": "Intel Xeon", "cores": 16}},
                "environment": {
                    "python": "3.11.9",
                    "torch": "2.13.0",
                    "distributions": 214,
                    "sha256": sha("environment"),
                },
                "determinism": {"deterministic_algorithms": True, "threads": 1},
            },
            "resolvedDependencies": [
                {"name": "snapshot", "digest": {"td1-sha256": SNAPSHOT}},
                {"name": "code", "digest": {"sha256": sha("training code")}},
                {"name": "environment", "digest": {"sha256": sha("environment")}},
            ],
        },
        runDetails={
            "builder": {"id": "https://provender.example/kubeflow/torchrun/v1"},
            "metadata": {
                "invocationId": RUNS["train"],
                "startedOn": "2026-03-01T10:03:30.000000Z",
                "finishedOn": "2026-03-01T10:03:52.000000Z",
            },
            "byproducts": [{"name": "metrics", "annotations": {"auc": 0.871234567, "loss": 0.4312}}],
        },
    )


def artifact() -> Statement:
    return act(
        5,
        "artifact",
        ("model:survival", "oms1-sha256", WEIGHTS),
        run=RUNS["train"],
        files=[["config.json", 412, sha("config")], ["model.safetensors", 1_284_032, sha("safetensors")]],
        signature={"sha256": sha("model.sig"), "openssf_subject": sha("openssf"), "key": KEY},
    )


def deployment(name: str = "survival", **changes: Any) -> Statement:
    predicate = {
        "endpoint": name,
        "deployment": "9d0c0000-0000-4000-8000-000000000000",
        "state": "ready",
        "server": {"framework": "kserve", "version": "0.21.0", "url": "http://127.0.0.1:8085"},
        "loaded": {"digest": f"oms1-sha256:{WEIGHTS}", "at": "2026-03-01T10:06:00.000000Z", "by": "model server"},
        "signature_key": KEY,
        "feature_service": "survival_v1",
        "definitions": DEFINITIONS,
        "online": [{"view": "labs", "materialization": RUNS["online"], "digest": f"td1-sha256:{ONLINE}"}],
    }
    return act(6, "deployment", (f"endpoint:{name}", "oms1-sha256", WEIGHTS), **{**predicate, **changes})


def statements() -> list[Statement]:
    return [decision(), materialization(), retrieval(), training(), artifact(), deployment()]


def report(acts: list[Statement] | None = None, endpoint: str = "survival") -> Report:
    acts = statements() if acts is None else acts
    return build_report(
        follow(acts, endpoint),
        acts,
        as_of="2026-03-01T10:07:00.000000Z",
        tree_size=9,
        origin="provender.example/national_health",
        checkpoint=NOTE,
    )
