"""Why an object is judged as it is: where its labels come from, where it lies, what is wrong and what would help.

explain(situation, "feature_service:liver_risk_v1").text()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from governance.assets import KINDS, Asset, Definitions
from governance.canonical import Json
from governance.decide import standing
from governance.errors import ConfigurationError
from governance.facts import facts_of
from governance.labels import Labels, effective
from governance.nearest_change import Remedy, Situation, nearest_change
from governance.rules.interface import Subject
from governance.verdict import Exempted, Finding, Level, exempted_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an object lies or flows to."""

    role: str
    uri: str
    zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One finding with what would satisfy its rule."""

    finding: Finding
    remedy: Remedy | None

    @property
    def line(self) -> str:
        """Path and message as one line."""
        return f"{' <- '.join(self.finding.path)}; {self.finding.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything that ``provender explain`` answers about one object."""

    object: str
    location: str | None
    labels: Mapping[str, tuple[str, ...]]
    """Label to the trails that it came by."""
    places: tuple[Place, ...]
    facts: Mapping[str, Json]
    findings: tuple[Explained, ...]
    exempted: tuple[Exempted, ...]

    @property
    def exit_code(self) -> int:
        """1 where something at this object denies."""
        return int(any(one.finding.level is Level.DENY for one in self.findings))

    def text(self) -> str:
        """The answer as a person reads it."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.object + (f"  ({self.location})" if self.location else "")
        yield "labels:" if self.labels else "labels: none"
        for name, trails in self.labels.items():
            yield f"  {name}: {', '.join(_value(self.facts, name)) or 'nothing is allowed'}"
            yield from (f"      {trail}" for trail in trails)
        yield "places:" if self.places else "places: none"
        for place in self.places:
            yield f"  {place.role.replace('_', ' ')} {place.uri}: {place.zone or 'in no known zone'}"
        yield "findings:" if self.findings else "findings: none"
        for one in self.findings:
            yield f"  {one.finding.level.value}  {one.finding.rule}"
            yield f"      {one.line}"
            yield f"      nearest change: {_remedy(one.remedy)}"
        yield from (exempted_text(one) for one in self.exempted)

    def as_json(self) -> Json:
        """The answer as one JSON document."""
        return {
            "object": self.object,
            "location": self.location,
            "labels": {name: list(trails) for name, trails in self.labels.items()},
            "places": [{"role": one.role, "uri": one.uri, "zone": one.zone} for one in self.places],
            "facts": dict(self.facts),
            "findings": [{**one.finding.as_json(), "nearest": _document(one.remedy)} for one in self.findings],
            "exempted": [one.as_json() for one in self.exempted],
        }


def explain(now: Situation, name: str) -> Explanation:
    """The explanation of an object, by its key ``kind:name`` or by a name that only one object has.

    Raises ConfigurationError where no object, or more than one, has that name.
    """
    asset = find(now.definitions, name)
    labels = Labels(now.definitions, now.policy, today=now.today)
    subject = next(
        (one for one in standing(now.definitions, labels, "apply", now.places) if one.asset.key == asset.key),
        Subject(asset=asset, state=labels.whole(asset.key)),
    )
    verdict = now.verdict()
    trails = effective(subject.state).paths
    return Explanation(
        object=asset.key,
        location=asset.location,
        labels={label: tuple(" <- ".join(path) for path in paths) for label, paths in trails.items()},
        places=tuple(Place(role=role, uri=uri, zone=now.policy.zone(uri)) for role, uri in subject.places),
        facts=facts_of(asset, subject.state, [uri for _, uri in subject.places]),
        findings=tuple(
            Explained(finding=one, remedy=nearest_change(one, now))
            for one in verdict.findings
            if one.object == asset.key
        ),
        exempted=tuple(one for one in verdict.exempted if one.finding.object == asset.key),
    )


def find(definitions: Definitions, name: str) -> Asset:
    """The object of that key or name. Raises ConfigurationError naming what there is."""
    if name in definitions:
        return definitions[name]
    named = sorted(one.key for one in definitions.assets if one.name == name)
    if len(named) == 1:
        return definitions[named[0]]
    if named:
        raise ConfigurationError(f"{name!r} names {len(named)} objects: {', '.join(named)}. Say which, as kind:name.")
    kind = name.partition(":")[0]
    like = sorted(one.key for one in definitions.assets if not one.system and kind in (one.kind, name))
    there = ", ".join(like) if kind in KINDS and like else ", ".join(sorted(definitions)) or "none"
    raise ConfigurationError(f"Found no object {name!r} in project {definitions.project}. There are: {there}.")


def _value(facts: Mapping[str, Json], name: str) -> list[str]:
    if name in ("residency", "purpose"):
        return [str(one) for one in facts[name]]
    if name == "pii":
        return [str(facts[name]).lower()]
    return [str(one) for one in facts["labels"].get(name, [])]


def _remedy(remedy: Remedy | None) -> str:
    if remedy is None:
        return "no single change that was tried is enough"
    rest = "" if remedy.allows else f" ({remedy.left} other denying finding{'s' * (remedy.left > 1)} would stay)"
    return f"{remedy.text}{rest}"


def _document(remedy: Remedy | None) -> Json:
    return None if remedy is None else {"change": remedy.text, "allows": remedy.allows, "left": remedy.left}
