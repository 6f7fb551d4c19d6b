"""What another policy would newly deny, or newly allow, on the same definitions.

policy_diff(definitions, old, new, places=places, today=today).text()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from governance.assets import Definitions
from governance.canonical import Json
from governance.decide import decide
from governance.policy import Policy
from governance.verdict import GATES, Finding, Gate, Level, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A finding that denies under one of two policies only, and the gates where it does."""

    finding: Finding
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """Everything that ``provender policy diff`` answers."""

    objects: int
    old: str
    """SHA-256 of the old policy's bytes, hex."""
    new: str
    denies: tuple[Turned, ...]
    allows: tuple[Turned, ...]
    granted: tuple[tuple[str, str], ...]
    """Caller and purpose that only the new policy grants."""
    withdrawn: tuple[tuple[str, str], ...]
    apply: tuple[bool, bool]
    """Whether an apply of what is registered is allowed by the old policy, and by the new one."""

    @property
    def exit_code(self) -> int:
        """1 where the new policy denies what the old one allowed, or withdraws a purpose."""
        return int(bool(self.denies or self.withdrawn))

    def text(self) -> str:
        """The difference as a person reads it."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"On the {self.objects} objects of the registry the new policy"
        for title, turned in (("newly denies:", self.denies), ("newly allows:", self.allows)):
            yield f"{title}{'' if turned else ' nothing'}"
            for one in turned:
                yield f"  at {', '.join(one.gates)}"
                yield "\n".join(f"  {line}" for line in one.finding.text().splitlines())
        for title, pairs in (("newly grants", self.granted), ("no longer grants", self.withdrawn)):
            yield from (f"{title} purpose {purpose} to {caller}" for caller, purpose in pairs)
        before, after = ("allowed" if one else "denied" for one in self.apply)
        yield f"feast apply of what is registered: {before} before, {after} now"

    def as_json(self) -> Json:
        """The difference as one JSON document."""
        pairs = {"granted": self.granted, "withdrawn": self.withdrawn}
        return {
            "objects": self.objects,
            "old": {"policy": self.old, "outcome": _outcome(self.apply[0])},
            "new": {"policy": self.new, "outcome": _outcome(self.apply[1])},
            "denies": [{**one.finding.as_json(), "gates": list(one.gates)} for one in self.denies],
            "allows": [{**one.finding.as_json(), "gates": list(one.gates)} for one in self.allows],
            **{name: [{"caller": one, "purpose": two} for one, two in found] for name, found in pairs.items()},
        }


def policy_diff(
    definitions: Definitions, old: Policy, new: Policy, *, places: Mapping[str, tuple[str, ...]], today: date
) -> PolicyDiff:
    """The difference, at every gate; where a gate wants a purpose, none is stated.

    What single requests combine is not tried out: nobody knows them beforehand.
    """

    def verdicts(policy: Policy) -> dict[Gate, Verdict]:
        return {gate: decide(definitions, policy, gate=gate, places=places, today=today) for gate in GATES}

    before, after = verdicts(old), verdicts(new)
    grants = [{(one.match, purpose) for one in policy.callers for purpose in one.purposes} for policy in (old, new)]
    return PolicyDiff(
        objects=sum(not one.system for one in definitions.assets),
        old=old.sha256,
        new=new.sha256,
        denies=_turned(after, before),
        allows=_turned(before, after),
        granted=tuple(sorted(grants[1] - grants[0])),
        withdrawn=tuple(sorted(grants[0] - grants[1])),
        apply=(before["apply"].allowed, after["apply"].allowed),
    )


def _turned(one: Mapping[Gate, Verdict], other: Mapping[Gate, Verdict]) -> tuple[Turned, ...]:
    """What denies in ``one`` and not in ``other``, each finding once with its gates."""
    gates: dict[tuple[str, str, str], list[Gate]] = {}
    findings: dict[tuple[str, str, str], Finding] = {}
    for gate in GATES:
        known = {(found.rule, found.object) for found in other[gate].at(Level.DENY)}
        for found in one[gate].at(Level.DENY):
            if (found.rule, found.object) not in known:
                key = (found.object, found.rule, found.message)
                findings[key] = found
                gates.setdefault(key, []).append(gate)
    return tuple(Turned(finding=findings[key], gates=tuple(gates[key])) for key in sorted(findings))


def _outcome(allowed: bool) -> str:  # noqa: FBT001 - one value, named by the function
    return "allow" if allowed else "deny"
