"""What a decision answers: findings, whether the act is allowed, and the text a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Literal, TypeAlias, get_args

from governance.canonical import Json
from governance.errors import Denied

Gate: TypeAlias = Literal["apply", "retrieve", "materialize", "online", "train", "deploy"]
"""Where a verdict is asked for."""

GATES: Final[tuple[Gate, ...]] = get_args(Gate)


class Level(StrEnum):
    """What a finding does to the act: refuse it, print beside it, or only be recorded."""

    DENY = "deny"
    WARN = "warn"
    AUDIT = "audit"


_SEVERITY: Final = {Level.DENY: 0, Level.WARN: 1, Level.AUDIT: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule violated at one object."""

    rule: str
    object: str
    """Key of the object, ``kind:name``."""
    level: Level
    path: tuple[str, ...]
    """From the object to where the label was declared; joined by ``" <- "`` it reads as one line."""
    message: str
    fix: str
    location: str | None = None
    """``file:line`` of the object, where known; not part of records."""

    def as_json(self) -> Json:
        """The finding as records carry it."""
        return {
            "rule": self.rule,
            "object": self.object,
            "level": self.level.value,
            "path": list(self.path),
            "message": self.message,
            "fix": self.fix,
        }

    def text(self) -> str:
        """The finding as a person reads it: rule and object, path, what is wrong, what to do, where."""
        lines = [f"{self.level.value}  {self.rule}  {self.object}"]
        lines += [f"      path: {' <- '.join(self.path)}"] if self.path else []
        lines += [f"      {self.message}"]
        lines += [f"      fix:  {self.fix}"] if self.fix else []
        lines += [f"      at:   {self.location}"] if self.location else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exempted:
    """A finding that an exemption of the policy sets aside until its day."""

    finding: Finding
    owner: str
    reason: str
    approver: str
    expires: date

    def as_json(self) -> Json:
        """The finding and who answers for setting it aside."""
        answer = {"owner": self.owner, "reason": self.reason, "approver": self.approver}
        return {"finding": self.finding.as_json(), **answer, "expires": self.expires.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All findings of one decision."""

    gate: Gate
    findings: tuple[Finding, ...]
    policy: str
    """Hex SHA-256 of the policy file's bytes."""
    definitions: str
    """Definition version, hex."""
    exempted: tuple[Exempted, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether no finding denies."""
        return all(finding.level is not Level.DENY for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 for yes, 1 for no."""
        return 0 if self.allowed else 1

    def at(self, level: Level) -> tuple[Finding, ...]:
        """The findings of one level."""
        return tuple(finding for finding in self.findings if finding.level is level)

    def enforce(self) -> None:
        """Return where the act is allowed. Raises Denied with :meth:`text` where it is not."""
        if not self.allowed:
            raise Denied(self.text())

    def as_json(self) -> Json:
        """The verdict as records carry it."""
        return {
            "gate": self.gate,
            "outcome": "allow" if self.allowed else "deny",
            "policy": self.policy,
            "definitions": self.definitions,
            "findings": [finding.as_json() for finding in self.findings],
            "exempted": [one.as_json() for one in self.exempted],
        }

    def text(self) -> str:
        """The message a person sees."""
        counted = [f"{len(self.at(level))} {level.value}" for level in Level if self.at(level)]
        counted += [f"{len(self.exempted)} exempted"] if self.exempted else []
        head = f"{self.gate} {'allowed' if self.allowed else 'denied'}"
        head += f": {', '.join(counted)}" if counted else ": no findings"
        return "\n".join([head, *(finding.text() for finding in self.findings), *map(exempted_text, self.exempted)])


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Findings in the one order they are printed and recorded in: worst first, then object, rule and text."""
    return tuple(sorted(findings, key=lambda one: (_SEVERITY[one.level], one.object, one.rule, one.message)))


def exempted_text(one: Exempted) -> str:
    """What is set aside, until when, and who answers for it."""
    return (
        f"exempted  {one.finding.rule}  {one.finding.object}\n"
        f"      until {one.expires.isoformat()}, owner {one.owner}, approved by {one.approver}: {one.reason}"
    )
