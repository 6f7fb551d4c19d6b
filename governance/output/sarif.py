"""A plan as SARIF 2.1.0 (OASIS standard), which GitHub, GitLab and editors show beside the code.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from governance.canonical import Json, json_sha256
from governance.plan import Plan, PlannedFinding, Since
from governance.rules.interface import Rule
from governance.verdict import Exempted, Finding, Level

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL: Final = {Level.DENY: "error", Level.WARN: "warning", Level.AUDIT: "note"}
_BASELINE: Final = {Since.NEW: "new", Since.SURFACED: "new", Since.STANDING: "unchanged"}


def as_sarif(plan: Plan, *, rules: Iterable[Rule], version: str, prefix: str, otherwise: str) -> Json:
    """The log, with one run.

    ``rules`` are those of the policy, ``version`` is Provender's. ``prefix`` leads from the root of the checkout to the
    Feast repository (empty, or ending in ``/``); ``otherwise`` is the file of that repository that stands for objects
    nobody can place.
    """
    known = sorted(rules, key=lambda rule: rule.id)
    index = {rule.id: number for number, rule in enumerate(known)}
    results = [_result(one.finding, index, prefix, otherwise) | _age(one) for one in plan.findings]
    results += [_set_aside(one, index, prefix, otherwise) for one in plan.verdict.exempted]
    driver = {"name": "Provender", "semanticVersion": version, "rules": [_rule(rule) for rule in known]}
    outcome = {"outcome": "allow" if plan.verdict.allowed else "deny", "verdict": plan.verdict_digest}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {**outcome, "policy": plan.verdict.policy, "definitions": plan.verdict.definitions},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> Json:
    short, _, _ = rule.help.partition("\n\n")
    return {
        "id": rule.id,
        "shortDescription": {"text": " ".join(short.split())},
        "fullDescription": {"text": " ".join(rule.help.split())},
        "defaultConfiguration": {"level": _LEVEL[rule.level]},
    }


def _result(finding: Finding, index: dict[str, int], prefix: str, otherwise: str) -> dict[str, Json]:
    path = f" ({' <- '.join(finding.path)})" if finding.path else ""
    fix = f". Fix: {finding.fix}" if finding.fix else ""
    return {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": _LEVEL[finding.level],
        "message": {"text": f"{finding.object}: {finding.message}{path}{fix}"},
        "locations": [_location(finding, prefix, otherwise)],
        "partialFingerprints": {"provender/v1": json_sha256([finding.rule, finding.object, finding.message])},
    }


def _age(one: PlannedFinding) -> dict[str, Json]:
    return {"baselineState": _BASELINE[one.since], "properties": {"since": one.since.value}}


def _set_aside(one: Exempted, index: dict[str, int], prefix: str, otherwise: str) -> Json:
    said = f"{one.reason} (owner {one.owner}, approved by {one.approver}, until {one.expires.isoformat()})"
    suppression = {"kind": "external", "status": "accepted", "justification": said}
    return {**_result(one.finding, index, prefix, otherwise), "suppressions": [suppression]}


def _location(finding: Finding, prefix: str, otherwise: str) -> Json:
    file, _, line = (finding.location or f"{otherwise}:1").rpartition(":")
    physical = {
        "artifactLocation": {"uri": quote(f"{prefix}{file}"), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": int(line)},
    }
    logical = {"fullyQualifiedName": finding.object, "kind": "object"}
    return {"physicalLocation": physical, "logicalLocations": [logical]}
