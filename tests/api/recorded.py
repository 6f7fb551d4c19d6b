"""A repository without Feast, with recorded snapshots and models: what the gates of training and deployment judge."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from api.assembly import Provender, assemble
from api.settings import Governance, Settings
from lineage.recorder import Act, Subject
from lineage.snapshots import Snapshot
from lineage.training import PREDICATE_TYPE

PASSED = {"expectation": "expect_column_values_to_be_between", "column": "x", "success": True, "severity": "critical"}
FAILED = {**PASSED, "success": False}
POLICY = """version: 1
zones: {EU: [DE, FR]}
places: [{match: "file://**", zone: DE}]
packs: [residency]
callers: [{match: "process:*", purposes: [care, research]}]
"""
LABELS: dict[str, Any] = {"residency": ["DE"], "pii": True, "purpose": [], "undeclared": ["purpose"], "custom": {}}


def stored(
    parts: Provender,
    *validation: dict[str, Any],
    recorded: bool = True,
    rows: int = 60,
    labels: dict[str, Any] | None = None,
) -> Snapshot:
    """A snapshot of a run of its own; the same rows each time."""
    table, run = pa.table({"x": [n / 8 for n in range(rows)]}), str(uuid4())
    manifest = {
        "created": "2026-01-01T00:00:00.000000Z",
        "definitions": "ab" * 32,
        "sources": [],
        "nulls": {},
        "validation": list(validation) or [PASSED],
        "labels": labels or LABELS,
    }
    snapshot, document = parts.snapshots.put(table, run=run, manifest=manifest)
    algorithm, digits = snapshot.id.split(":")
    said = {"run": run, "state": "COMPLETE", "snapshot": snapshot.id, "manifest": sha256(document).hexdigest()}
    if recorded:
        subject = Subject(f"snapshot:{run}", algorithm, digits)
        parts.recorder.record(Act(kind="retrieval", actor="me", subjects=(subject,), predicate=said))
    return snapshot


def governed_parts(repo: Path, policy: str = POLICY) -> Provender:
    """The parts of an empty repository with that policy. The caller disposes of its engine."""
    (repo / "policy.yaml").write_text(policy)
    document = {"registry": {"path": "data/registry"}}
    return assemble(Settings(repo, "liver_care", document, Governance(policy="policy.yaml")))


def trained(parts: Provender, *snapshots: Snapshot) -> str:
    """The digest of a model that is on record to have learned from these."""
    digits = sha256(uuid4().bytes).hexdigest()
    named = [one.id.split(":") for one in snapshots]
    dependencies = [{"name": "snapshot", "digest": {algorithm: digest}} for algorithm, digest in named]
    predicate = {"buildDefinition": {"resolvedDependencies": dependencies}}
    subject = Subject("model:risk", "oms1-sha256", digits)
    parts.recorder.record(
        Act(kind="training", actor="me", subjects=(subject,), predicate=predicate, type=PREDICATE_TYPE)
    )
    return f"oms1-sha256:{digits}"
