"""The gates of training and of deployment: whether these snapshots may be used there, and for that.

What is judged is what the snapshots' signed records say of them, by the policy as it stands now. A model is as
sensitive as what it learned, so a deployment is judged by the snapshots of the training that made its artifact.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from api.assembly import Provender
from api.settings import PURPOSE
from governance.assets import Asset, Definitions
from governance.canonical import Json
from governance.decide import decide
from governance.purposes import current_purpose
from governance.stated_labels import snapshot_asset
from governance.verdict import Verdict
from lineage.errors import SnapshotCorrupt
from lineage.recorder import Act, Subject
from lineage.training import trained_on


@dataclass(frozen=True, kw_only=True)
class SnapshotUse:
    """What somebody wants to do with snapshots."""

    gate: Literal["train", "deploy"]
    what: str
    """What is to be run, as records name it: ``trainjob:liver-risk``, ``endpoint:liver-risk``."""
    snapshots: tuple[str, ...]
    """By name; none where nobody recorded what it was made from."""
    places: Mapping[str, tuple[str, ...]]
    """Role and canonical URIs of where it runs and keeps what it is given."""
    caller: str
    purpose: str | None = None
    """The stated one, if there is one."""
    request: Mapping[str, Json]
    """What was asked for, for the record."""


def judged(parts: Provender, use: SnapshotUse) -> Verdict:
    """The verdict. Raises ValidationFailed (training), SnapshotNotRecorded, SnapshotCorrupt and UnknownSnapshot."""
    assets = [asset for name in use.snapshots for asset in _assets(parts, name, use)] or [_unknown(parts)]
    definitions = Definitions(parts.settings.project, assets)
    return decide(
        definitions,
        parts.policy(),
        gate=use.gate,
        places=use.places,
        objects=tuple(definitions),
        purpose=use.purpose,
        caller=use.caller,
        today=datetime.now(UTC).date(),
    )


def decision(parts: Provender, use: SnapshotUse, verdict: Verdict) -> Act:
    """The record of the decision."""
    return Act(
        kind="decision",
        actor=use.caller,
        subjects=(Subject(use.what, "definitions-sha256", verdict.definitions),),
        predicate={
            **verdict.as_json(),
            "project": parts.settings.project,
            "request": {
                **use.request,
                "snapshots": list(use.snapshots),
                "places": {role: list(uris) for role, uris in sorted(use.places.items())},
                "purpose": use.purpose,
            },
        },
    )


def enforced(parts: Provender, use: SnapshotUse) -> None:
    """Judge, record the decision, and go on only where it is yes. Raises Denied, and as :func:`judged`."""
    verdict = judged(parts, use)
    act = decision(parts, use, verdict)
    if verdict.allowed:
        parts.recorder.announce(act)  # the start of what was allowed is recorded next
    else:
        parts.recorder.record(act)
    verdict.enforce()


def stated_purpose() -> str | None:
    """The purpose that this process acts for, if it states one."""
    return current_purpose(otherwise=os.environ.get(PURPOSE))


def snapshots_of(parts: Provender, artifact: str) -> tuple[str, ...]:
    """The snapshots that the model ``oms1-sha256:<hex>`` learned from; none where no recorded training made it."""
    algorithm, _, digits = artifact.partition(":")
    trainings = parts.records.by_subject(algorithm, digits, "training")
    return tuple(dict.fromkeys(name for one in trainings for name in trained_on(one.predicate)))


def _unknown(parts: Provender) -> Asset:
    """Stands for what nobody recorded: it has no labels, so that a policy that wants some denies."""
    return Asset(kind="snapshot", name="unknown", project=parts.settings.project)


def _assets(parts: Provender, name: str, use: SnapshotUse) -> list[Asset]:
    """One for each recorded run that gave the snapshot other labels."""
    found: dict[str, Asset] = {}
    for manifest in parts.recorded_snapshots().manifests(name):
        if use.gate == "train":
            manifest.refuse_failed()
        labels = manifest.document.get("labels")
        if not isinstance(labels, dict):
            raise SnapshotCorrupt(f"The manifest of run {manifest.run} states no labels of snapshot {name}.")
        asset = snapshot_asset(f"{name} of run {manifest.run}", labels, project=parts.settings.project)
        found.setdefault(repr(sorted(asset.tags.items())), asset)
    return list(found.values())
