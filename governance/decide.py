"""The one verdict function: every gate of every door asks it.

    decide(definitions, policy, gate="apply", places={"online_store": (uri,)}, today=date.today()).enforce()

It is pure: the same definitions, policy, places, purpose, caller and day give the same verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Final

from governance.assets import Asset, Definitions, Input
from governance.labels import Labels
from governance.policy import Exemption, Policy
from governance.rules.interface import Breach, Question, Rule, Subject
from governance.verdict import Exempted, Finding, Gate, Level, Verdict, in_order

ONLINE_STORE: Final = "online_store"
"""The role whose places only concern what is served online."""

COMBINING: Final[frozenset[Gate]] = frozenset({"retrieve", "online", "train", "deploy"})
"""Gates where everything that is asked for becomes one result."""


def decide(
    definitions: Definitions,
    policy: Policy,
    *,
    gate: Gate,
    places: Mapping[str, tuple[str, ...]],
    objects: Iterable[str | Input] | None = None,
    purpose: str | None = None,
    caller: str | None = None,
    today: date,
) -> Verdict:
    """Judge the definitions, or a request for some of them.

    ``places`` are the canonical URIs that the whole repository flows to, by role (``online_store``,
    ``offline_store``, ``registry``, ``objects``, ...). ``objects`` are keys, or inputs where only some
    fields are asked for; they and everything they are made from are judged, and purposes count for exactly
    the fields asked for. ``purpose`` is the stated one; ``caller`` is matched against ``callers:``.
    Raises ConfigurationError where definitions run in a circle.
    """
    asked = None if objects is None else tuple(Input(one) if isinstance(one, str) else one for one in objects)
    wanted = None if asked is None else [one.key for one in asked]
    labels = Labels(definitions, policy, today=today, keys=wanted)
    question = Question(
        gate=gate, policy=policy, definitions=definitions, labels=labels, purpose=purpose, caller=caller, today=today
    )
    subjects = [*standing(definitions, labels, gate, places, wanted)]
    if asked is not None:
        subjects.append(_request(definitions, labels, gate, places, asked))
    return _verdict(question, _breaches(subjects, question), today)


def standing(
    definitions: Definitions,
    labels: Labels,
    gate: Gate,
    places: Mapping[str, tuple[str, ...]],
    wanted: list[str] | None = None,
) -> Iterator[Subject]:
    """The objects that people defined, each with the places it lies in or flows to."""
    everywhere = [(role, uri) for role in sorted(places) if role != ONLINE_STORE for uri in places[role]]
    online_too = [*((ONLINE_STORE, uri) for uri in places.get(ONLINE_STORE, ())), *everywhere]
    online: set[str] = set()
    concerned = None if wanted is None else definitions.graph.ancestors(wanted)
    for key in definitions.graph.order:
        asset = definitions[key]
        if (concerned is not None and key not in concerned) or asset.system:
            continue
        if asset.facts.get("online") is True or any(one.key in online for one in asset.inputs):
            online.add(key)
        own = [("data", uri) for uri in asset.places]
        yield Subject(
            asset=asset,
            state=labels.whole(key),
            places=(*own, *(online_too if key in online else everywhere)),
            asked=wanted is None or (gate not in COMBINING and key in wanted),
        )


def _request(
    definitions: Definitions,
    labels: Labels,
    gate: Gate,
    places: Mapping[str, tuple[str, ...]],
    asked: tuple[Input, ...],
) -> Subject:
    """What is asked for, as one thing; a single object asked for keeps its own name."""
    combined = gate in COMBINING
    if combined and len(asked) == 1 and asked[0].key in definitions:
        only = definitions[asked[0].key]
        renamed = Asset(kind=only.kind, name=only.name, project=only.project, inputs=asked, location=only.location)
        return Subject(asset=renamed, state=labels.read(asked[0]), standing=False, asked=True)
    request = Asset(kind="request", name=gate, project=definitions.project, inputs=asked)
    roles = [role for role in sorted(places) if gate == "online" or role != ONLINE_STORE]
    return Subject(
        asset=request,
        state=labels.request(request) if combined else {},
        places=tuple((role, uri) for role in roles for uri in places[role]),
        standing=False,
        combines=combined and len(asked) > 1,
        asked=combined,
    )


def _breaches(subjects: list[Subject], question: Question) -> Iterator[tuple[Rule, Subject, Breach]]:
    for rule in question.policy.rules:
        if question.gate in rule.gates:
            for subject in subjects:
                for breach in rule.check(subject, question):
                    yield rule, subject, breach
            for breach in rule.review(question):
                yield rule, _policy_itself(question), breach


def _policy_itself(question: Question) -> Subject:
    policy = Asset(kind="policy", name=question.policy.name, project=question.definitions.project)
    return Subject(asset=policy, state={}, standing=False)


def _verdict(question: Question, breaches: Iterator[tuple[Rule, Subject, Breach]], today: date) -> Verdict:
    findings: list[Finding] = []
    exempted: list[Exempted] = []
    for rule, subject, breach in breaches:
        found = _finding(question, rule, subject, breach)
        spoken = [] if rule.fixed else [one for one in question.policy.exemptions if one.covers(rule.id, found.object)]
        in_force = [one for one in spoken if one.in_force(today)]
        if in_force:
            exempted.append(_exempted(found, in_force[0]))
        else:
            findings.append(_after_expiry(found, [one for one in spoken if one.expires < today]))
    return Verdict(
        gate=question.gate,
        findings=in_order(findings),
        policy=question.policy.sha256,
        definitions=question.definitions.digest,
        exempted=tuple(sorted(exempted, key=lambda one: (one.finding.object, one.finding.rule, one.finding.message))),
    )


def _finding(question: Question, rule: Rule, subject: Subject, breach: Breach) -> Finding:
    deny = rule.fixed or breach.fatal
    return Finding(
        rule=rule.id,
        object=subject.asset.key,
        level=Level.DENY if deny else question.policy.level(rule, question.gate),
        path=breach.path,
        message=breach.message,
        fix=breach.fix,
        location=breach.location or subject.asset.location,
    )


def _exempted(finding: Finding, one: Exemption) -> Exempted:
    return Exempted(finding=finding, owner=one.owner, reason=one.reason, approver=one.approver, expires=one.expires)


def _after_expiry(finding: Finding, expired: list[Exemption]) -> Finding:
    """The finding, saying so where an exemption used to set it aside."""
    if not expired:
        return finding
    last = max(one.expires for one in expired)
    return replace(finding, message=f"{finding.message} (an exemption ended on {last.isoformat()})")
