"""What the next ``feast apply`` would change and be told, as one value that every form of output reads.

    plan = make_plan(proposed, verdict, head=head)
    plan.exit_code

A plan is computed and never acted on. Its verdict is that of the gate ``apply``, by the same function and on the same
facts; locations are no part of a verdict's digest, so a plan and the apply that follows it carry the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from governance.assets import Asset, Definitions
from governance.canonical import Json, json_sha256
from governance.verdict import Finding, Verdict


class Action(StrEnum):
    """What happens to an object of the registry."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class Since(StrEnum):
    """Since when a finding is there."""

    NEW = "new"
    """The registry's definitions do not have it: this change brings it."""
    SURFACED = "surfaced"
    """The registry's definitions have it by now, though the last apply was not told of it: the policy, the configured
    places or the calendar changed since."""
    STANDING = "standing"
    """The last apply was told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object that would be added, changed or removed."""

    action: Action
    object: str
    """Key of the object."""
    details: tuple[str, ...] = ()
    """For a changed object what differs, as ``tags.residency: "DE" -> "EU"``."""
    location: str | None = None
    """``file:line`` where it is defined now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFinding:
    """One finding, and since when it is there."""

    finding: Finding
    since: Since


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that ``provender plan`` answers."""

    project: str
    verdict: Verdict
    head: str | None
    """Definition version of the registry now; ``None`` before the first apply."""
    changes: tuple[Change, ...]
    findings: tuple[PlannedFinding, ...]
    """Every finding of the verdict, in its order."""
    resolved: tuple[tuple[str, str, str], ...]
    """Object, rule and message of what the last apply was told of and is no more."""
    notes: tuple[Finding, ...] = ()
    """What no verdict is about and no gate can stop; of level ``audit``, and no part of the answer."""

    @property
    def exit_code(self) -> int:
        """0 where the apply would be allowed, 1 where it would be denied."""
        return self.verdict.exit_code

    @property
    def verdict_digest(self) -> str:
        """Hex SHA-256 of the verdict as ``feast apply`` would record it."""
        return json_sha256(self.verdict.as_json())

    def since(self, since: Since) -> tuple[Finding, ...]:
        """The findings that are there since then."""
        return tuple(one.finding for one in self.findings if one.since is since)


def make_plan(
    proposed: Definitions,
    verdict: Verdict,
    *,
    head: Definitions | None,
    head_verdict: Verdict | None,
    told: Iterable[Mapping[str, Json]],
) -> Plan:
    """The plan.

    ``verdict`` is that on the proposed definitions, ``head_verdict`` that on the registry's by the same policy, places
    and day, ``told`` the findings of the recorded decision that let the registry's definitions in.
    """
    before = {_key(one["object"], one["rule"], one["message"]) for one in told}
    surfaced = {_key(one.object, one.rule, one.message) for one in (head_verdict.findings if head_verdict else ())}
    now = {_key(one.object, one.rule, one.message) for one in verdict.findings}
    now |= {_key(one.finding.object, one.finding.rule, one.finding.message) for one in verdict.exempted}
    return Plan(
        project=proposed.project,
        verdict=verdict,
        head=None if head is None else head.digest,
        changes=tuple(changes(head or Definitions(proposed.project, ()), proposed)),
        findings=tuple(PlannedFinding(finding=one, since=_since(one, before, surfaced)) for one in verdict.findings),
        resolved=tuple(sorted(before - now)),
    )


_Key = tuple[str, str, str]


def _key(key: str, rule: str, message: str) -> _Key:
    return key, rule, message


def _since(finding: Finding, before: set[_Key], surfaced: set[_Key]) -> Since:
    key = _key(finding.object, finding.rule, finding.message)
    if key in before:
        return Since.STANDING
    return Since.SURFACED if key in surfaced else Since.NEW


def changes(head: Definitions, proposed: Definitions) -> Iterator[Change]:
    """What differs, by key; what the feature store makes itself is no change."""
    for key in sorted({*head, *proposed}):
        old, new = _made_by_people(head, key), _made_by_people(proposed, key)
        if new is None and old is not None:
            yield Change(action=Action.REMOVE, object=key)
        elif new is not None and old is None:
            yield Change(action=Action.ADD, object=key, location=new.location)
        elif new is not None and old is not None and new.definition != old.definition:
            details = tuple(_differences(old.definition, new.definition, ""))
            yield Change(action=Action.CHANGE, object=key, details=details, location=new.location)


def located(definitions: Definitions, locations: Mapping[str, str]) -> Definitions:
    """The same definitions, each object knowing the ``file:line`` where a person wrote it."""
    assets = [replace(one, location=locations.get(one.key, one.location)) for one in definitions.assets]
    return Definitions(definitions.project, assets)


def _made_by_people(definitions: Definitions, key: str) -> Asset | None:
    asset = definitions.get(key)
    return None if asset is None or asset.system or asset.kind == "project" else asset


def _differences(old: Json, new: Json, path: str) -> Iterator[str]:
    """Each value that differs, by its path; lists of named things are compared by name."""
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _differences(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))
    elif old != new:
        yield f"{path}: {_short(old)} -> {_short(new)}"


def _by_name(value: Json) -> Json:
    if isinstance(value, list) and all(isinstance(one, Mapping) and "name" in one for one in value):
        return {one["name"]: one for one in value}
    return value


_LONGEST: Final = 60


def _short(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping | list):
        return "{...}" if isinstance(value, Mapping) else "[...]"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
