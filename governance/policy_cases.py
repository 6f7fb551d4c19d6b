"""Tests of a policy, as files: a small registry, a question, and the verdict that is expected.

The format is in docs/planning.md. Every error names file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from governance.assets import KINDS, Asset, Definitions, Field, Input
from governance.errors import ConfigurationError, WrongQuestion
from governance.facts import BY_KIND, FactType
from governance.policy import Policy
from governance.policy_file import load_policy
from governance.verdict import GATES, Gate, Level
from governance.yaml_nodes import Node, read_yaml

_FILE: Final = ("policy", "today", "objects", "tests")
_CASE: Final = ("name", "objects", "without", "places", "gate", "asked", "purpose", "caller", "today", "expect")
_PROJECT: Final = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One finding that a case names."""

    rule: str
    object: str
    level: Level | None = None
    message: str = ""
    """A part of the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test of a policy."""

    name: str
    where: str
    """``file:line``"""
    policy: Policy
    definitions: Definitions
    allowed: bool
    today: date
    findings: tuple[Expected, ...] | None = None
    """Exactly these; ``None`` where the case only expects an outcome."""
    exempted: tuple[Expected, ...] | None = None
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gate: Gate = "apply"
    asked: tuple[Input, ...] | None = None
    purpose: str | None = None
    caller: str | None = None


def read_cases(directory: Path, *, policy: Path | None = None) -> tuple[Case, ...]:
    """The cases of every YAML file below ``directory`` that has ``tests:``, in the order of files and lines.

    ``policy`` is tested instead of the one that a file names. Raises ConfigurationError where there is no case at all,
    PolicyError where a file or its policy is malformed.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            f"There is no directory {directory}. Expected one with tests of a policy in YAML files."
        )
    files = sorted(path for path in directory.rglob("*") if path.suffix in (".yaml", ".yml"))
    cases = [case for path in files for case in _cases(path, path.relative_to(directory).as_posix(), policy)]
    if not cases:
        raise ConfigurationError(
            f"Found no test of a policy below {directory}. Expected YAML files with tests:, each with name and expect."
        )
    return tuple(cases)


def _cases(path: Path, name: str, policy: Path | None) -> list[Case]:
    root = read_yaml(path.read_bytes(), name=name)
    if not isinstance(root.yaml, yaml.MappingNode) or all(key.value != "tests" for key, _ in root.yaml.value):
        return []  # another file, such as the policy itself
    entry = root.mapping("a file of tests", allowed=_FILE, required=["tests"])
    if policy is None and "policy" not in entry:
        root.refuse("this file names no policy; write policy: with a path relative to this file, or give --policy")
    tested = load_policy(policy or path.parent / entry["policy"].text("policy"))
    base = _objects(entry.get("objects"))
    today = entry["today"].day("today") if "today" in entry else None
    return [_case(one, tested, base, today) for one in entry["tests"].items("tests")]


def _case(node: Node, policy: Policy, base: Mapping[str, Asset], today: date | None) -> Case:
    entry = node.mapping("a test", allowed=_CASE, required=["name", "expect"])
    objects = {**base, **_objects(entry.get("objects"))}
    for key, one in _keys(entry.get("without"), "without"):
        if objects.pop(key, None) is None:
            one.refuse(f"found {key!r} in without; there is no such object here to leave out")
    day = entry["today"].day("today") if "today" in entry else today
    if day is None:
        node.refuse("neither this test nor its file says today:, and exemptions end; write a day, YYYY-MM-DD")
    gate = entry["gate"].choice("gate", GATES) if "gate" in entry else "apply"
    allowed, findings, exempted = _expected(entry["expect"], policy)
    return Case(
        name=entry["name"].text("name of a test"),
        where=node.where,
        policy=policy,
        definitions=_definitions(node, objects),
        today=day,
        allowed=allowed,
        findings=findings,
        exempted=exempted,
        places=_places(entry.get("places")),
        gate=next(one for one in GATES if one == gate),
        asked=_inputs(entry["asked"], "asked") if "asked" in entry else None,
        purpose=entry["purpose"].text("purpose") if "purpose" in entry else None,
        caller=entry["caller"].text("caller") if "caller" in entry else None,
    )


def _definitions(node: Node, objects: Mapping[str, Asset]) -> Definitions:
    definitions = Definitions(_PROJECT, objects.values())
    try:
        definitions.graph.order  # noqa: B018 - a circle is found here, where its line is known
    except WrongQuestion as error:
        node.refuse(str(error))
    return definitions


def _expected(node: Node, policy: Policy) -> tuple[bool, tuple[Expected, ...] | None, tuple[Expected, ...] | None]:
    entry = node.mapping("expect", allowed=["outcome", "findings", "exempted"], required=["outcome"])
    rules = {rule.id for rule in policy.rules}
    both = [_findings(entry[name], rules, name) if name in entry else None for name in ("findings", "exempted")]
    return entry["outcome"].choice("outcome", ["allow", "deny"]) == "allow", both[0], both[1]


def _findings(node: Node, rules: set[str], what: str) -> tuple[Expected, ...]:
    found = []
    for one in node.items(what):
        entry = one.mapping("an expected finding", allowed=["rule", "object", "level", "message"], required=["rule"])
        rule = entry["rule"].text("rule")
        if rule not in rules:
            entry["rule"].refuse(f"found unknown rule {rule!r}; the policy has: {', '.join(sorted(rules))}")
        if "object" not in entry:
            one.refuse("an expected finding lacks object; write it, as kind:name")
        found.append(
            Expected(
                rule=rule,
                object=entry["object"].text("object"),
                level=Level(entry["level"].choice("level", list(Level))) if "level" in entry else None,
                message=entry["message"].text("message") if "message" in entry else "",
            )
        )
    return tuple(found)


def _objects(node: Node | None) -> dict[str, Asset]:
    return {key.text("object"): _asset(key, value) for key, value in (node.entries("objects") if node else [])}


def _asset(key: Node, node: Node) -> Asset:
    kind, colon, name = key.text("object").partition(":")
    if not colon or kind not in KINDS or not name:
        key.refuse(f"found object {key.yaml.value!r}; expected kind:name, kind one of: {', '.join(KINDS)}")
    entry = node.mapping(f"object {kind}:{name}", allowed=["owner", "tags", "fields", "inputs", "places", "facts"])
    fields = entry["fields"].entries("fields") if "fields" in entry else []
    return Asset(
        kind=kind,
        name=name,
        project=_PROJECT,
        owner=entry["owner"].text("owner") if "owner" in entry else "",
        tags=_tags(entry.get("tags")),
        fields=tuple(Field(one.text("field"), "", _tags(tags)) for one, tags in fields),
        inputs=_inputs(entry["inputs"], "inputs") if "inputs" in entry else (),
        places=entry["places"].texts("places") if "places" in entry else (),
        facts=_facts(entry.get("facts"), kind),
        location=key.where,
    )


def _tags(node: Node | None) -> dict[str, str]:
    return {key.text("tag"): value.text("value of a tag") for key, value in (node.entries("tags") if node else [])}


def _inputs(node: Node, what: str) -> tuple[Input, ...]:
    """A list of keys, or a mapping of keys to the fields that are read."""
    if isinstance(node.yaml, yaml.MappingNode):
        return tuple(Input(key.text(what), value.texts("fields")) for key, value in node.entries(what))
    return tuple(Input(key) for key in node.texts(what))


def _keys(node: Node | None, what: str) -> list[tuple[str, Node]]:
    return list(zip(node.texts(what), node.items(what), strict=True)) if node else []


def _places(node: Node | None) -> dict[str, tuple[str, ...]]:
    return {
        role.text("role"): uris.texts("places of a role") for role, uris in (node.entries("places") if node else [])
    }


def _facts(node: Node | None, kind: str) -> dict[str, Any]:
    facts = {}
    for key, value in node.entries("facts") if node else []:
        name = key.text("fact")
        if name not in BY_KIND[kind]:
            key.refuse(f"found unknown fact {name!r} of {kind}; known: {', '.join(BY_KIND[kind]) or 'none'}")
        facts[name] = _fact(value, BY_KIND[kind][name].type, name)
    return facts


def _fact(node: Node, kind: FactType, name: str) -> Any:
    if kind == "list<string>":
        return list(node.texts(name))
    plain = node.yaml.tag.rpartition(":")[2]
    if kind == "int" and plain == "int":
        return int(node.yaml.value)
    if kind == "bool" and plain == "bool":
        return node.yaml.value.lower() == "true"
    if kind == "string":
        return node.text(name) if node.yaml.value else ""
    return node.refuse(f"found {node.kind} as fact {name}; expected {kind}")
