"""The sections of a policy that speak of rules: levels, rules of its own, exemptions, declassifications."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Final

from governance.assets import KINDS
from governance.policy import Declassification, Exemption, Limits
from governance.rules.cel import CelError, CelRule, cel_program
from governance.rules.interface import EVERYWHERE, Rule
from governance.rules.packs import BUILT_IN
from governance.verdict import GATES, Gate, Level
from governance.yaml_nodes import Node

RULE_ID: Final = r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*"
"""What the id of a rule looks like."""

_ANSWERABLE: Final = ("owner", "reason", "approver", "expires")
_GRANTED: Final = "granted"


def read_rules(node: Node | None) -> tuple[CelRule, ...]:
    """``rules:``, each compiled. Raises PolicyError for two rules of one id and for what does not compile."""
    rules: list[CelRule] = []
    for one in node.items("rules") if node else []:
        rule = _rule(one)
        if rule.id in BUILT_IN or any(rule.id == other.id for other in rules):
            one.refuse(f"there are two rules with the id {rule.id}; give this one another")
        rules.append(rule)
    return tuple(rules)


def _rule(node: Node) -> CelRule:
    allowed = ["id", "on", "when", "level", "gates", "message", "fix"]
    entry = node.mapping("a rule", allowed=allowed, required=["id", "on", "when", "message"])
    rule_id = entry["id"].text("id of a rule")
    if not re.fullmatch(RULE_ID, rule_id):
        entry["id"].refuse(f"found {rule_id!r} as id of a rule; expected lower-case words joined by dots: ttl.bounded")
    on = entry["on"].choice(f"'on' of rule {rule_id}", KINDS)
    when = entry["when"].text(f"'when' of rule {rule_id}")
    try:
        program, reads = cel_program(when, on=on)
    except CelError as error:
        entry["when"].refuse(f"'when' of rule {rule_id} is no CEL condition on an object of kind {on}: {error}")
    return CelRule(
        id=rule_id,
        on=on,
        when=when,
        message=entry["message"].text(f"message of rule {rule_id}"),
        fix=entry["fix"].text(f"fix of rule {rule_id}") if "fix" in entry else "",
        level=_level(entry["level"], rule_id) if "level" in entry else Level.DENY,
        gates=_gates(entry["gates"], rule_id) if "gates" in entry else EVERYWHERE,
        reads=reads,
        program=program,
    )


def _level(node: Node, rule_id: str) -> Level:
    return Level(node.choice(f"level of rule {rule_id}", list(Level)))


def _gates(node: Node, rule_id: str) -> frozenset[Gate]:
    names = node.texts(f"gates of rule {rule_id}")
    if not names:
        node.refuse(f"rule {rule_id} is checked at no gate; name some, or leave gates out for all")
    for name, one in zip(names, node.items("gates"), strict=True):
        one.refuse(f"found unknown gate {name!r}; expected: {', '.join(GATES)}") if name not in GATES else None
    return frozenset(gate for gate in GATES if gate in names)


def read_levels(node: Node | None, rules: Collection[Rule]) -> Mapping[str, Mapping[Gate, Level]]:
    """``levels:`` of known rules, at gates where they are checked."""
    known = {rule.id: rule for rule in rules}
    levels: dict[str, Mapping[Gate, Level]] = {}
    for key, value in node.entries("levels") if node else []:
        rule = _known_rule(key, known)
        levels[rule.id] = {gate: _level(one, rule.id) for gate, one in _by_gate(value, rule)}
    return levels


def _by_gate(node: Node, rule: Rule) -> list[tuple[Gate, Node]]:
    found = node.mapping(f"levels of rule {rule.id}", allowed=GATES)
    for gate, one in found.items():
        if gate not in rule.gates:
            one.refuse(f"rule {rule.id} is not checked at {gate}; it is at: {', '.join(_in_order(rule.gates))}")
    return [(gate, found[gate]) for gate in GATES if gate in found]


def _in_order(gates: Collection[Gate]) -> list[Gate]:
    return [gate for gate in GATES if gate in gates]


def _known_rule(node: Node, known: Mapping[str, Rule]) -> Rule:
    rule_id = node.text("rule")
    if rule_id not in known:
        why = f"it comes with pack {BUILT_IN[rule_id].pack}, which packs: does not name" if rule_id in BUILT_IN else ""
        node.refuse(f"found unknown rule {rule_id!r}{': ' if why else ''}{why}; known here: {', '.join(sorted(known))}")
    if known[rule_id].fixed:
        node.refuse(f"rule {rule_id} always denies; neither levels nor exemptions touch it")
    return known[rule_id]


def read_limits(node: Node | None) -> Limits:
    """``limits:``; what is not said has its default."""
    if node is None:
        return Limits()
    entry = node.mapping("limits", allowed=["exemption_days", "warn_days"])
    return Limits(**{name: _count(one, f"{name} of limits") for name, one in entry.items()})


def _count(node: Node, what: str) -> int:
    if node.kind != f"{node.yaml.value!r} (int)" or not 0 < int(node.yaml.value) <= _LONGEST:
        node.refuse(f"found {node.kind} as {what}; expected a number of days from 1 to {_LONGEST}")
    return int(node.yaml.value)


_LONGEST: Final = 36_500


def read_exemptions(node: Node | None, rules: Collection[Rule], limits: Limits) -> tuple[Exemption, ...]:
    """``exemptions:`` from known rules, each with an approver who is not its owner, none longer than allowed."""
    known = {rule.id: rule for rule in rules}
    keys = ["rule", "object", *_ANSWERABLE]
    exemptions = []
    for one in node.items("exemptions") if node else []:
        entry = one.mapping("an exemption", allowed=[*keys, _GRANTED], required=keys)
        owner, approver = _two_persons(entry, "an exemption")
        exemptions.append(
            Exemption(
                rule=_known_rule(entry["rule"], known).id,
                object=_object(entry["object"], "an exemption", kinds=(*KINDS, "request")),
                owner=owner,
                reason=entry["reason"].text("reason of an exemption"),
                approver=approver,
                expires=entry["expires"].day("expires of an exemption"),
                granted=_granted(one, entry, "an exemption", limits),
                location=one.where,
            )
        )
    return tuple(exemptions)


def read_declassifications(node: Node | None, labels: Collection[str], limits: Limits) -> tuple[Declassification, ...]:
    """``declassify:`` of known labels, each with an approver who is not its owner, none longer than allowed."""
    keys = ["object", "drops", *_ANSWERABLE]
    found = []
    for one in node.items("declassify") if node else []:
        entry = one.mapping("a declassification", allowed=[*keys, _GRANTED], required=keys)
        owner, approver = _two_persons(entry, "a declassification")
        found.append(
            Declassification(
                object=_object(entry["object"], "a declassification"),
                drops=_drops(entry["drops"], labels),
                owner=owner,
                reason=entry["reason"].text("reason of a declassification"),
                approver=approver,
                expires=entry["expires"].day("expires of a declassification"),
                granted=_granted(one, entry, "a declassification", limits),
                location=one.where,
            )
        )
    return tuple(found)


def _granted(node: Node, entry: Mapping[str, Node], what: str, limits: Limits) -> date | None:
    """Its first day. Where the policy limits exceptions, each says it, and none is longer than the limit."""
    longest, expires = limits.exemption_days, entry["expires"].day(f"expires of {what}")
    if _GRANTED not in entry:
        if longest is not None:
            node.refuse(f"{what} lacks granted, its first day, which limits: exemption_days: counts from; write it")
        return None
    granted = entry[_GRANTED].day(f"granted of {what}")
    days = (expires - granted).days
    if days < 0:
        entry["expires"].refuse(f"{what} ends on {expires}, before {granted}, when it is granted; correct one of them")
    if longest is not None and days > longest:
        entry["expires"].refuse(f"{what} lasts {days} days; limits: exemption_days: allows {longest}; end it sooner")
    return granted


def _drops(node: Node, labels: Collection[str]) -> tuple[str, ...]:
    drops = node.texts("drops of a declassification")
    if not drops:
        node.refuse("this declassification drops no label; name some, or take it out")
    for name, one in zip(drops, node.items("drops"), strict=True):
        if name not in labels:
            one.refuse(f"found unknown label {name!r}; known: {', '.join(labels)}")
    return drops


def _object(node: Node, what: str, *, kinds: Collection[str] = KINDS) -> str:
    pattern = node.text(f"object of {what}")
    kind = pattern.partition(":")[0]
    if ":" not in pattern or ("*" not in kind and kind not in kinds):
        node.refuse(f"found {pattern!r} as object of {what}; expected kind:name, kind one of: {', '.join(kinds)}")
    return pattern


def _two_persons(entry: Mapping[str, Node], what: str) -> tuple[str, str]:
    owner, approver = entry["owner"].text(f"owner of {what}"), entry["approver"].text(f"approver of {what}")
    if owner.strip().casefold() == approver.strip().casefold():
        entry["approver"].refuse(f"{what} is approved by its owner {owner}; another person approves")
    return owner, approver
