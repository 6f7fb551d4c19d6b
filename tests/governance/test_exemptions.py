"""Exceptions as they come, are announced, and end."""

from __future__ import annotations

from datetime import date

import pytest

from governance.assets import Definitions
from governance.verdict import Level
from tests.governance.pictures import asset, clinic, judge, policy

LAST = date(2026, 6, 30)
EXEMPT = (
    "exemptions:\n"
    "  - {rule: ownership.owner, object: 'data_source:*', owner: ana, reason: handover, approver: bo,"
    " granted: 2026-06-01, expires: 2026-06-30}\n"
)
DROPPED = (
    "declassify:\n"
    "  - {object: 'feature_view:labs', drops: [pii], owner: ana, reason: counts, approver: bo, expires: 2026-06-30}\n"
)


@pytest.mark.parametrize(
    ("today", "when"),
    [(date(2026, 6, 16), "in 14 days"), (date(2026, 6, 29), "tomorrow"), (LAST, "today")],
)
def test_the_end_of_an_exemption_is_announced_at_its_line_of_the_policy(today: date, when: str) -> None:
    verdict = judge(clinic(owner=""), policy(EXEMPT), today=today)
    assert verdict.allowed
    assert verdict.text() == (
        "apply allowed: 1 warn, 1 exempted\n"
        "warn  exemptions.expiring  policy:policy.yaml\n"
        "      path: policy.yaml\n"
        f"      the exemption from ownership.owner at data_source:* ends on 2026-06-30, {when}\n"
        "      fix:  make it unnecessary, or have bo approve another\n"
        "      at:   policy.yaml:6\n"
        "exempted  ownership.owner  data_source:visits\n"
        "      until 2026-06-30, owner ana, approved by bo: handover"
    )


@pytest.mark.parametrize("today", [date(2026, 6, 1), date(2026, 6, 15)])
def test_an_exemption_that_lasts_a_while_is_not_announced(today: date) -> None:
    assert judge(clinic(owner=""), policy(EXEMPT), today=today).findings == ()


def test_how_early_an_end_is_announced_is_the_policy_s_to_say() -> None:
    early = policy(EXEMPT + "limits: {warn_days: 30}\n")
    assert len(judge(clinic(owner=""), early, today=date(2026, 6, 1)).findings) == 1
    audited = policy(EXEMPT + "levels: {exemptions.expiring: {apply: audit}}\n")
    assert [one.level for one in judge(clinic(owner=""), audited, today=LAST).findings] == [Level.AUDIT]


def test_an_exemption_sets_nothing_aside_before_it_is_granted() -> None:
    verdict = judge(clinic(owner=""), policy(EXEMPT), today=date(2026, 5, 31))
    assert [one.message for one in verdict.findings] == ["no owner"]


def test_an_exemption_that_ended_is_void_and_the_finding_says_so() -> None:
    verdict = judge(clinic(owner=""), policy(EXEMPT), today=date(2026, 7, 1))
    assert [(one.message, one.level) for one in verdict.findings] == [
        ("no owner (an exemption ended on 2026-06-30)", Level.DENY)
    ]
    assert verdict.exempted == ()


def test_the_end_of_a_declassification_is_announced_too() -> None:
    (finding,) = judge(clinic(), policy(DROPPED), today=LAST).findings
    assert finding.message == "the declassification of pii at feature_view:labs ends on 2026-06-30, today"


def test_ends_are_announced_at_apply_alone() -> None:
    assert judge(clinic(owner=""), policy(EXEMPT), today=LAST, gate="retrieve").findings == ()


def test_a_rule_that_fails_while_it_runs_denies_at_every_level_and_says_how_to_correct_it() -> None:
    by = policy(
        'rules: [{id: own.rule, on: feature_view, when: \'tags["team"] == "x"\', message: m, level: audit}]\n'
        "levels: {own.rule: {apply: warn}}\n"
    )
    verdict = judge(Definitions("clinic", [asset("feature_view:v", tags={"residency": "DE"})]), by)
    assert not verdict.allowed
    assert "the rule could not be decided, so it denies: " in verdict.text()
    assert "fix:  correct 'when' of rule own.rule in policy.yaml, or the object's tags and facts" in verdict.text()
