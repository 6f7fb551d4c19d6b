"""A plan as one JSON document, for programs."""

from __future__ import annotations

from governance.canonical import Json
from governance.plan import Change, Plan, PlannedFinding
from governance.verdict import Finding

VERSION = 1


def as_document(plan: Plan) -> Json:
    """The document; docs/planning.md describes its members."""
    return {
        "version": VERSION,
        "project": plan.project,
        "outcome": "allow" if plan.verdict.allowed else "deny",
        "policy": plan.verdict.policy,
        "definitions": plan.verdict.definitions,
        "head": plan.head,
        "verdict": plan.verdict_digest,
        "changes": [_change(one) for one in plan.changes],
        "findings": [_finding(one) for one in plan.findings],
        "exempted": [one.as_json() for one in plan.verdict.exempted],
        "resolved": [{"object": key, "rule": rule, "message": message} for key, rule, message in plan.resolved],
        "notes": [_noted(one) for one in plan.notes],
    }


def _change(one: Change) -> Json:
    return {"action": one.action.value, "object": one.object, "details": list(one.details), "location": one.location}


def _finding(one: PlannedFinding) -> Json:
    return {**one.finding.as_json(), "since": one.since.value, "location": one.finding.location}


def _noted(one: Finding) -> Json:
    return {**one.as_json(), "location": one.location}
