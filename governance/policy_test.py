"""Running the tests of a policy, and which of its rules they cover.

report = run_cases(read_cases(Path("policy_tests")))
report.exit_code
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from governance.canonical import Json
from governance.decide import decide
from governance.policy_cases import Case, Expected
from governance.verdict import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one case went."""

    case: Case
    wrong: tuple[str, ...]
    """What is not as expected; empty where the case passed."""
    spoke: frozenset[str]
    """The rules that found something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How all cases went."""

    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> int:
        """How many cases failed."""
        return sum(bool(one.wrong) for one in self.outcomes)

    @property
    def exit_code(self) -> int:
        """0 where every case passed, else 1."""
        return int(self.failed > 0)

    @property
    def coverage(self) -> dict[str, int]:
        """Each rule of the policies under test, and in how many cases it found something."""
        rules = {rule.id for one in self.outcomes for rule in one.case.policy.rules}
        return {rule: sum(rule in one.spoke for one in self.outcomes) for rule in sorted(rules)}

    def text(self) -> str:
        """The report as a person reads it."""
        return "\n".join([*self._cases(), "", *self._summary()])

    def _cases(self) -> Iterator[str]:
        for one in self.outcomes:
            yield f"{'FAILED' if one.wrong else 'ok':<7} {one.case.where}  {one.case.name}"
            yield from (f"        {line}" for line in one.wrong)

    def _summary(self) -> Iterator[str]:
        count = len(self.outcomes)
        yield f"{count} test{'s' * (count != 1)}, {self.failed} failed"
        silent = [rule for rule, cases in self.coverage.items() if not cases]
        yield f"rules that some test violates: {len(self.coverage) - len(silent)} of {len(self.coverage)}"
        if silent:
            yield f"never violated: {', '.join(silent)}"

    def as_json(self) -> Json:
        """The report as one JSON document."""
        tests = [
            {"name": one.case.name, "where": one.case.where, "passed": not one.wrong, "wrong": list(one.wrong)}
            for one in self.outcomes
        ]
        return {"tests": tests, "failed": self.failed, "coverage": self.coverage}


def run_cases(cases: Iterable[Case]) -> Report:
    """The report; every case is decided by the function that every gate asks."""
    return Report(outcomes=tuple(_run(case) for case in cases))


def _run(case: Case) -> Outcome:
    verdict = decide(
        case.definitions,
        case.policy,
        gate=case.gate,
        places=case.places,
        objects=case.asked,
        purpose=case.purpose,
        caller=case.caller,
        today=case.today,
    )
    found = [*verdict.findings, *(one.finding for one in verdict.exempted)]
    return Outcome(case=case, wrong=tuple(_wrong(case, verdict)), spoke=frozenset(one.rule for one in found))


def _wrong(case: Case, verdict: Verdict) -> Iterator[str]:
    if case.allowed is not verdict.allowed:
        said = {True: "allow", False: "deny"}
        yield f"expected {said[case.allowed]}, the verdict is {said[verdict.allowed]}"
    if case.findings is not None:
        yield from _compared(case.findings, verdict.findings, "finding")
    elif case.allowed is not verdict.allowed:
        yield from (f"found: {_line(one)}" for one in verdict.findings)
    if case.exempted is not None:
        yield from _compared(case.exempted, [one.finding for one in verdict.exempted], "exempted finding")


def _compared(expected: Iterable[Expected], found: Iterable[Finding], what: str) -> Iterator[str]:
    """What of one list is not in the other; each found one answers one expected one."""
    left = list(found)
    for one in expected:
        match = next((other for other in left if _fits(one, other)), None)
        if match is None:
            yield f"missing {what}: {one.rule} at {one.object}{_more(one)}"
        else:
            left.remove(match)
    yield from (f"unexpected {what}: {_line(one)}" for one in left)


def _fits(one: Expected, found: Finding) -> bool:
    same = (one.rule, one.object) == (found.rule, found.object)
    return same and one.level in (None, found.level) and one.message in found.message


def _more(one: Expected) -> str:
    level = f", level {one.level.value}" if one.level else ""
    return f"{level}, saying {one.message!r}" if one.message else level


def _line(one: Finding) -> str:
    return f"{one.level.value} {one.rule} at {one.object}: {one.message}"
