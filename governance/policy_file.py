"""Reading ``policy.yaml``: all of its grammar, with file and line in every error.

    policy = load_policy(Path("policy.yaml"))

The grammar is in docs/formats/policy.md, a JSON Schema for editors in ``governance/policy.schema.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from governance.errors import PolicyError, WrongQuestion
from governance.label_types import BUILT_IN as BUILT_IN_LABELS
from governance.label_types import Flow, LabelType, built_in
from governance.pack_labels import PACK_LABELS, labels_of_packs
from governance.places import PlaceRule
from governance.policy import Caller, Policy
from governance.policy_rules import read_declassifications, read_exemptions, read_levels, read_limits, read_rules
from governance.rules.interface import Rule
from governance.rules.packs import ALWAYS, PACKS
from governance.yaml_nodes import Node, read_yaml
from governance.zones import Zones

VERSION: Final = 1

KEYS: Final = (
    "version",
    "zones",
    "places",
    "packs",
    "labels",
    "levels",
    "rules",
    "exemptions",
    "declassify",
    "callers",
    "limits",
)
"""Every key of a policy file."""


def load_policy(path: Path) -> Policy:
    """The policy in a file. Raises PolicyError, naming file and line, where there is none or it is malformed."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PolicyError(
            f"found no policy that can be read at {path} ({error.strerror}); write one, or correct governance.policy"
        ) from error
    return _parsed(content, path.name)


@lru_cache(maxsize=16)
def _parsed(content: bytes, name: str) -> Policy:
    """The policy of that very content: it is read whenever it is asked for, but parsed once."""
    return parse_policy(content, name=name)


def parse_policy(content: bytes, *, name: str) -> Policy:
    """The policy in ``content``; ``name`` stands for the file in errors. Raises PolicyError."""
    root = read_yaml(content, name=name)
    sections = root.mapping("the policy", allowed=KEYS, required=["version"])
    _check_version(sections["version"])
    zones = _zones(sections.get("zones"))
    packs, packed = _packs(sections.get("packs"))
    labels = {**built_in(zones), **labels_of_packs(packs), **_labels(sections.get("labels"), packs)}
    limits = read_limits(sections.get("limits"))
    own = read_rules(sections.get("rules"))
    if not packed and not own:
        root.refuse("this policy checks nothing; name a pack (packs: [residency, ownership]) or write a rule")
    rules = (*ALWAYS, *packed, *own)
    return Policy(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        zones=zones,
        labels=labels,
        rules=rules,
        packs=packs,
        places=_places(sections.get("places"), zones),
        levels=read_levels(sections.get("levels"), rules),
        exemptions=read_exemptions(sections.get("exemptions"), rules, limits),
        declassifications=read_declassifications(sections.get("declassify"), labels, limits),
        callers=_callers(sections.get("callers")),
        limits=limits,
    )


def _check_version(node: Node) -> None:
    if node.yaml.value != str(VERSION) or not node.yaml.tag.endswith(":int"):
        node.refuse(f"found {node.kind} as version; this Provender reads version: {VERSION}")


def _zones(node: Node | None) -> Zones:
    members: dict[str, tuple[str, ...]] = {}
    for key, value in node.entries("zones") if node else []:
        zone = key.text("zone")
        members[zone] = value.texts(f"zone {zone}")
        for name in (zone, *members[zone]):
            if "," in name or name != name.strip():
                value.refuse(f"found zone name {name!r}; a name has no comma and no space at its ends")
        if not members[zone]:
            value.refuse(f"zone {zone} is empty, so nothing could be known to lie in it; name its jurisdictions")
    try:
        return Zones(members)
    except WrongQuestion as error:
        raise PolicyError(f"{node.where if node else ''}: {error}") from error


def _places(node: Node | None, zones: Zones) -> tuple[PlaceRule, ...]:
    rules = []
    for one in node.items("places") if node else []:
        entry = one.mapping("a place", allowed=["match", "zone"], required=["match", "zone"])
        zone = entry["zone"].text("zone of a place")
        if zone not in zones:
            known = ", ".join(zones.names) or "none; declare some under zones:"
            entry["zone"].refuse(f"found unknown zone {zone!r}; known: {known}")
        rules.append(PlaceRule(entry["match"].text("match of a place"), zone))
    return tuple(rules)


def _packs(node: Node | None) -> tuple[tuple[str, ...], tuple[Rule, ...]]:
    names = node.texts("packs") if node else ()
    for name, one in zip(names, node.items("packs") if node else [], strict=True):
        if name not in PACKS:
            one.refuse(f"found unknown pack {name!r}; this Provender has: {', '.join(PACKS)}")
    return names, tuple(rule for name in names for rule in PACKS[name])


def _labels(node: Node | None, packs: tuple[str, ...]) -> Mapping[str, LabelType]:
    labels = {}
    brought = {label.name: pack for pack in packs for label in PACK_LABELS.get(pack, ())}
    for key, value in node.entries("labels") if node else []:
        name = key.text("label")
        if name in BUILT_IN_LABELS:
            key.refuse(f"label {name} is built in; give yours another name")
        if name in brought:
            key.refuse(f"label {name} comes with pack {brought[name]}; give yours another name, or leave this one out")
        entry = value.mapping(f"label {name}", allowed=["values", "flow"], required=["values", "flow"])
        values = entry["values"].texts(f"values of label {name}")
        if not values or any("," in one or one != one.strip() for one in values):
            entry["values"].refuse(f"label {name} wants at least one value, each without comma or space at its ends")
        labels[name] = LabelType(name, Flow(entry["flow"].choice(f"flow of label {name}", list(Flow))), values)
    return labels


def _callers(node: Node | None) -> tuple[Caller, ...]:
    callers = []
    for one in node.items("callers") if node else []:
        entry = one.mapping("a caller", allowed=["match", "purposes"], required=["match", "purposes"])
        match = entry["match"].text("match of a caller")
        callers.append(Caller(match=match, purposes=entry["purposes"].texts("purposes of a caller")))
    return tuple(callers)
