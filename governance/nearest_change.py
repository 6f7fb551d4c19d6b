"""Single changes that might satisfy a rule, and which of them does: each is tried through the verdict function.

A change *satisfies* where the rule no longer speaks at the object and nothing is denied that was not denied before. The
smallest is that which touches least and asks the fewest people: first what is missing in one definition, then where a
store lies, what is read, what another owner declared, and last an exception to the rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum

from governance.assets import Asset, Definitions, Input
from governance.decide import decide
from governance.label_types import PII, PURPOSE, RESIDENCY
from governance.labels import Labels
from governance.pack_labels import BIAS_RELEVANT, GROUND, RETENTION, days_of
from governance.places import PlaceRule
from governance.policy import Declassification, Exemption, Policy
from governance.verdict import Finding, Level, Verdict

Places = Mapping[str, tuple[str, ...]]


class Size(IntEnum):
    """How much a change asks for, least first."""

    DECLARE = 1
    """One definition says what it did not say."""
    MOVE = 2
    """One store or file lies elsewhere, or the policy says where it lies."""
    READ_LESS = 3
    """One object reads less."""
    WITHDRAW = 4
    """One view is no longer served online."""
    WIDEN = 5
    """The owner of the data allows more."""
    EXCEPT = 6
    """Two persons answer for an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a verdict of the gate ``apply`` is made from."""

    definitions: Definitions
    policy: Policy
    places: Places
    today: date

    def verdict(self) -> Verdict:
        """The verdict."""
        return decide(self.definitions, self.policy, gate="apply", places=self.places, today=self.today)

    def with_asset(self, asset: Asset) -> Situation:
        """The same with one object as given."""
        assets = [asset if one.key == asset.key else one for one in self.definitions.assets]
        return replace(self, definitions=Definitions(self.definitions.project, assets))

    def with_policy(self, policy: Policy) -> Situation:
        """The same under another policy."""
        return replace(self, policy=policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A change that satisfies a rule at an object."""

    size: Size
    text: str
    allows: bool
    """Whether the whole apply would then be allowed."""
    left: int
    """How many findings would still deny."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    size: Size
    text: str
    after: Situation


def nearest_change(finding: Finding, before: Situation) -> Remedy | None:
    """The smallest single change that satisfies the rule, of those that allow the whole apply if there are any.

    None where none satisfies it. Of two that are equally small, the one that is tried first.
    """
    standing = _denied(before.verdict())
    remedies = []
    for one in _candidates(finding, before):
        verdict = one.after.verdict()
        speaks = any((left.rule, left.object) == (finding.rule, finding.object) for left in verdict.findings)
        if not speaks and _denied(verdict) <= standing:
            left = len(verdict.at(Level.DENY))
            remedies.append(Remedy(size=one.size, text=one.text, allows=verdict.allowed, left=left))
    return min(remedies, key=lambda one: (not one.allows, one.size, one.left), default=None)


def _denied(verdict: Verdict) -> frozenset[tuple[str, str]]:
    return frozenset((one.rule, one.object) for one in verdict.at(Level.DENY))


def _candidates(finding: Finding, now: Situation) -> Iterator[_Candidate]:
    asset = now.definitions.get(finding.object)
    if asset is None:
        return
    yield from _declared(finding.rule, asset, now)
    yield from _tagged(finding.rule, asset, now)
    if finding.rule == "residency.place":
        yield from _moved(asset, now)
        yield from _withdrawn(asset, now)
        yield from _widened(asset, now)
    yield from _reading_less(asset, now)
    yield from _excepted(finding, asset, now)


_TAGS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "pii.declared": (PII, ("false",)),
    "pii.special-category": (PII, ("true",)),
    "gdpr.special-category": (GROUND, ("9(2)(a)",)),
    "ai-act.origin": ("origin", ("...",)),
    "ai-act.data-card": ("data-card", ("...",)),
    "ai-act.bias": (BIAS_RELEVANT, ("false",)),
}
"""Rules that one tag satisfies, and values that are tried; what is true, the owner knows."""

_EITHER = frozenset({"pii.declared", "ai-act.bias"})
"""Rules that ask for an answer and are satisfied by yes as by no: neither is suggested."""

_OWNER = frozenset({"ownership.owner", "gdpr.accountability", "ai-act.owner"})
_SUITE = frozenset({"gdpr.accuracy", "ai-act.suite"})
_TOO_MUCH = frozenset({"pii.contradicted", "labels.readable"})


def _declared(rule: str, asset: Asset, now: Situation) -> Iterator[_Candidate]:
    """What the definition of the object could say."""
    if rule in _OWNER:
        yield _definition(now, replace(asset, owner="somebody"), f"name an owner of {asset.key}")
    if rule in _SUITE:
        yield _fact(now, asset, "suite", value=True, text=f"write expectations/{asset.name}.json")
    if rule == "ai-act.described":
        yield _fact(now, asset, "description", value="...", text=f"describe {asset.key}")
    if rule == "gdpr.retention":
        yield from _shorter(asset, now)
    for tag in asset.tags if rule in _TOO_MUCH else ():
        kept = {other: value for other, value in asset.tags.items() if other != tag}
        yield _definition(now, replace(asset, tags=kept), f"take the tag {tag} out of {asset.key}")


def _tagged(rule: str, asset: Asset, now: Situation) -> Iterator[_Candidate]:
    """A tag that is missing, on the object or on a source that it is made from."""
    tag, values = _tag(rule, now)
    for key in sorted(now.definitions.graph.ancestors([asset.key]) if tag else ()):
        one = now.definitions[key]
        if tag not in one.tags and (one.key == asset.key or one.kind == "data_source"):
            for value in values:
                answer = '"true" or "false", whichever is so' if rule in _EITHER else f'"{value}", if that is so'
                text = f"tag {one.key} with {tag}={answer}"
                yield _definition(now, replace(one, tags={**one.tags, tag: value}), text)


def _tag(rule: str, now: Situation) -> tuple[str, tuple[str, ...]]:
    if rule == "residency.required":
        return RESIDENCY, now.policy.zones.names
    if rule == "gdpr.purpose":
        known = {one.tags[PURPOSE] for one in now.definitions.assets if PURPOSE in one.tags}
        known |= {purpose for caller in now.policy.callers for purpose in caller.purposes}
        return PURPOSE, tuple(sorted(known)) or ("...",)
    if rule == "gdpr.retention":
        seconds = [int(one.facts.get("ttl_seconds", 0)) for one in now.definitions.assets]
        return RETENTION, (f"P{max(1, -(-max(seconds, default=0) // 86_400))}D",)
    return _TAGS.get(rule, ("", ()))


def _shorter(asset: Asset, now: Situation) -> Iterator[_Candidate]:
    held = Labels(now.definitions, now.policy, today=now.today, keys=[asset.key]).whole(asset.key).get(RETENTION)
    if held is not None and "ttl_seconds" in asset.facts:
        days = days_of(held.value)
        text = f"give {asset.key} a ttl of {days} days"
        yield _fact(now, asset, "ttl_seconds", value=days * 86_400, text=text)


def _moved(asset: Asset, now: Situation) -> Iterator[_Candidate]:
    """Each place of the repository, and each of the object, somewhere else; or said to be where it is allowed."""
    for role, uris in now.places.items():
        for uri in uris:
            for zone, elsewhere in _samples(now.policy):
                moved = {**now.places, role: tuple(elsewhere if one == uri else one for one in uris)}
                text = f"move the {role.replace('_', ' ')} {uri} to a place in {zone}"
                yield _Candidate(Size.MOVE, text, replace(now, places=moved))
            yield from _known(uri, now)
    for key in sorted(now.definitions.graph.ancestors([asset.key])):
        one = now.definitions[key]
        for uri in one.places:
            for zone, elsewhere in _samples(now.policy):
                there = tuple(elsewhere if place == uri else place for place in one.places)
                text = f"move the data {uri} of {key} to a place in {zone}"
                yield _Candidate(Size.MOVE, text, now.with_asset(replace(one, places=there)))
            yield from _known(uri, now)


def _samples(policy: Policy) -> list[tuple[str, str]]:
    """A zone and a place in it, for each zone that the policy knows a place of."""
    found: dict[str, str] = {}
    for rule in policy.places:
        sample = rule.match.replace("**", "somewhere").replace("*", "somewhere")
        if policy.zone(sample) == rule.zone:
            found.setdefault(rule.zone, sample)
    return sorted(found.items())


def _known(uri: str, now: Situation) -> Iterator[_Candidate]:
    if now.policy.zone(uri) is not None:
        return
    for zone in now.policy.zones.names:
        known = replace(now.policy, places=(*now.policy.places, PlaceRule(uri, zone)))
        text = f"if {uri} lies in {zone}, say so under places: in {now.policy.name}"
        yield _Candidate(Size.MOVE, text, now.with_policy(known))


def _withdrawn(asset: Asset, now: Situation) -> Iterator[_Candidate]:
    for key in sorted(now.definitions.graph.ancestors([asset.key])):
        one = now.definitions[key]
        if one.facts.get("online") is True:
            off = replace(one, facts={**one.facts, "online": False})
            yield _Candidate(Size.WITHDRAW, f"do not serve {key} online (online=False)", now.with_asset(off))


def _widened(asset: Asset, now: Situation) -> Iterator[_Candidate]:
    """Each declaration of a residency that the object inherits, allowing one zone more."""
    held = Labels(now.definitions, now.policy, today=now.today, keys=[asset.key]).whole(asset.key).get(RESIDENCY)
    for key in sorted({trail.keys[-1] for trail in held.trails} if held else ()):
        one = now.definitions[key]
        for zone in now.policy.zones.names if RESIDENCY in one.tags else ():
            wide = f"{one.tags[RESIDENCY]},{zone}"
            text = f'have the owner of {key} widen its residency to "{wide}"'
            after = now.with_asset(replace(one, tags={**one.tags, RESIDENCY: wide}))
            yield _Candidate(Size.WIDEN, text, after)


def _reading_less(asset: Asset, now: Situation) -> Iterator[_Candidate]:
    """The object without one of its inputs, or without one of the fields that it reads."""
    for one in asset.inputs if len(asset.inputs) > 1 else ():
        rest = tuple(other for other in asset.inputs if other is not one)
        text = f"leave {one.key} out of {asset.key}"
        yield _Candidate(Size.READ_LESS, text, now.with_asset(replace(asset, inputs=rest)))
    for one in asset.inputs:
        for name in one.fields if one.fields and len(one.fields) > 1 else ():
            less = Input(one.key, tuple(field for field in one.fields or () if field != name))
            inputs = tuple(less if other is one else other for other in asset.inputs)
            text = f"leave {name} of {one.key} out of {asset.key}"
            yield _Candidate(Size.READ_LESS, text, now.with_asset(replace(asset, inputs=inputs)))


def _excepted(finding: Finding, asset: Asset, now: Situation) -> Iterator[_Candidate]:
    exemption = Exemption(rule=finding.rule, object=finding.object, owner="", reason="", approver="", expires=now.today)
    exempt = replace(now.policy, exemptions=(*now.policy.exemptions, exemption))
    text = f"an exemption from {finding.rule} at {finding.object}, with owner, reason, approver and end"
    yield _Candidate(Size.EXCEPT, text, now.with_policy(exempt))
    for label in now.policy.labels if asset.inputs else ():
        if any(f"{label}=" in step for step in finding.path):
            drop = Declassification(
                object=asset.key, drops=(label,), owner="", reason="", approver="", expires=now.today
            )
            dropped = replace(now.policy, declassifications=(*now.policy.declassifications, drop))
            text = f"a declassification of {label} at {asset.key}, if the result no longer carries what it protects"
            yield _Candidate(Size.EXCEPT, text, now.with_policy(dropped))


def _fact(now: Situation, asset: Asset, name: str, *, value: object, text: str) -> _Candidate:
    return _definition(now, replace(asset, facts={**asset.facts, name: value}), text)


def _definition(now: Situation, asset: Asset, text: str) -> _Candidate:
    return _Candidate(Size.DECLARE, text, now.with_asset(asset))
