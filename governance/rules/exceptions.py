"""The rule about exceptions to rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from governance.policy import Declassification, Exemption, Policy
from governance.rules.interface import Breach, Question, Rule, Subject
from governance.verdict import Gate, Level


class ExemptionsExpiring(Rule):
    """Exemptions and declassifications that end soon are announced.

    From `limits: warn_days:` days before the last day on (14 unless the policy says otherwise) until that day, each is
    a finding at its line of the policy. It warns unless `levels:` says otherwise. After its day an exception is void.
    """

    id = "exemptions.expiring"
    gates: frozenset[Gate] = frozenset({"apply"})
    level = Level.WARN

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """Nothing: no object is at fault."""
        yield from ()

    def review(self, question: Question) -> Iterable[Breach]:
        """A breach for each exception that is in force and ends within the time."""
        warn = timedelta(days=question.policy.limits.warn_days)
        for words, one in _exceptions(question.policy):
            left = one.expires - question.today
            if one.in_force(question.today) and left <= warn:
                yield Breach(
                    message=f"{words} ends on {one.expires.isoformat()}, {_in_days(left.days)}",
                    fix=f"make it unnecessary, or have {one.approver} approve another",
                    path=(question.policy.name,),
                    location=one.location,
                )


def _exceptions(policy: Policy) -> Iterator[tuple[str, Exemption | Declassification]]:
    for exemption in policy.exemptions:
        yield f"the exemption from {exemption.rule} at {exemption.object}", exemption
    for one in policy.declassifications:
        yield f"the declassification of {', '.join(one.drops)} at {one.object}", one


def _in_days(days: int) -> str:
    return {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")
