"""A plan as JUnit XML, which every CI system reads: one test case for each object and rule that spoke.

The dialect is that of Jenkins' and GitLab's readers: ``testsuites > testsuite > testcase > failure | skipped``.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from governance.output.text import as_text
from governance.plan import Plan, PlannedFinding
from governance.verdict import Exempted, Level


def as_junit(plan: Plan) -> str:
    """The XML document. What denies is a failure, an exemption is a skipped case, all else passes and says why."""
    denied = len(plan.verdict.at(Level.DENY))
    cases = len(plan.findings) + len(plan.verdict.exempted) + 1
    counts = {"tests": str(cases), "failures": str(denied), "errors": "0", "skipped": str(len(plan.verdict.exempted))}
    root = Element("testsuites", {"name": "provender plan", **counts})
    suite = SubElement(root, "testsuite", {"name": f"feast apply of {plan.project}", **counts})
    whole = SubElement(suite, "testcase", {"classname": "provender.plan", "name": "changes"})
    SubElement(whole, "system-out").text = _printable(as_text(plan))
    for one in plan.findings:
        _finding(suite, one)
    for exempted in plan.verdict.exempted:
        _exempted(suite, exempted)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _finding(suite: Element, one: PlannedFinding) -> None:
    finding = one.finding
    case = SubElement(suite, "testcase", _case(finding.rule, finding.object, finding.location))
    if finding.level is Level.DENY:
        denied = {"type": f"{finding.level.value} ({one.since.value})", "message": _printable(finding.message)}
        SubElement(case, "failure", denied).text = _printable(finding.text())
    else:
        SubElement(case, "system-out").text = _printable(finding.text())


def _exempted(suite: Element, one: Exempted) -> None:
    case = SubElement(suite, "testcase", _case(one.finding.rule, one.finding.object, one.finding.location))
    until = f"exempted until {one.expires.isoformat()}, owner {one.owner}, approved by {one.approver}: {one.reason}"
    SubElement(case, "skipped", {"message": _printable(until)})


def _case(rule: str, key: str, location: str | None) -> dict[str, str]:
    file, _, line = (location or "").rpartition(":")
    return {"classname": rule, "name": _printable(key)} | ({"file": file, "line": line} if file else {})


def _printable(text: str) -> str:
    """The text without characters that XML 1.0 has no way to write."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
