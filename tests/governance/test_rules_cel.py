from __future__ import annotations

from typing import Any

import pytest

from governance.assets import Definitions
from governance.facts import COMMON, facts_for, facts_of
from governance.policy import Policy
from governance.verdict import Level
from tests.governance.pictures import asset, broken, clinic, judge, policy


def rule(when: str, *, on: str = "feature_view", more: str = "") -> Policy:
    """A policy with one rule of its own."""
    return policy(f"rules:\n  - {{id: own.rule, on: {on}, when: {when!r}, message: not so, fix: do so{more}}}\n")


def test_a_rule_is_violated_where_its_expression_is_true() -> None:
    verdict = judge(clinic(), rule("ttl_seconds == 0"))
    (finding,) = verdict.findings
    assert (finding.rule, finding.object, finding.level) == ("own.rule", "feature_view:labs", Level.DENY)
    assert (finding.message, finding.fix, finding.path) == ("not so", "do so", ("labs",))
    assert judge(clinic(), rule("ttl_seconds > 0")).allowed


def test_a_rule_is_checked_at_its_gates_and_with_its_level() -> None:
    by = rule("ttl_seconds == 0", more=", level: warn, gates: [apply]")
    assert [one.level for one in judge(clinic(), by).findings] == [Level.WARN]
    assert not judge(clinic(), by, gate="retrieve").findings


@pytest.mark.parametrize(
    "when",
    [
        'residency == ["DE"] && !pii && purpose.size() == 0',
        'tags["residency"] == "DE"',
        '"data_source:visits" in inputs || kind == "data_source"',
        'places.exists(place, place.startsWith("redis://"))',
        'owner.endsWith("@clinic.example") && project == "clinic"',
        "fields.size() == 0 && labels.size() == 0",
    ],
)
def test_a_rule_can_ask_for_every_common_fact(when: str) -> None:
    found = judge(clinic(places=("redis://cache-de1:6379/0",)), rule(when, on="data_source")).findings
    assert [one.rule for one in found] == ["own.rule"]


@pytest.mark.parametrize(
    ("when", "facts", "why"),
    [
        ("ttl_seconds == 0", {}, "nobody reported the fact ttl_seconds"),
        ("ttl_seconds == 0", {"ttl_seconds": "0"}, "Unexpected value type for 'ttl_seconds'"),
        ("ttl_seconds == 0", {"ttl_seconds": 2**70}, ""),
        ("1 / ttl_seconds == 1", {"ttl_seconds": 0}, "divide by zero"),
        ("tags['none'] == 'x'", {}, "Key not found in map"),
    ],
)
def test_a_rule_that_errors_denies_whatever_its_level(when: str, facts: dict[str, Any], why: str) -> None:
    by = rule(when, more=", level: audit")
    definitions = Definitions("clinic", [asset("feature_view:v", tags={"residency": "DE"}, facts=facts)])
    (finding,) = judge(definitions, by).findings
    assert finding.level is Level.DENY
    assert finding.message.startswith("the rule could not be decided, so it denies: ")
    assert why in finding.message


def test_a_rule_may_also_be_lowered_and_exempted() -> None:
    by = rule("true", more=", level: deny")
    lowered = policy("rules: [{id: a, on: feature_view, when: 'true', message: m}]\nlevels: {a: {apply: warn}}\n")
    assert not judge(clinic(), by).allowed
    assert broken(judge(clinic(), lowered)) == {("a", "feature_view:labs")}
    assert judge(clinic(), lowered).allowed


def test_the_facts_of_an_object_can_be_had_as_json() -> None:
    source = clinic()["data_source:visits"]
    facts = facts_of(source, {}, ["file:///a"])
    assert facts.keys() == COMMON.keys()
    assert facts["places"] == ["file:///a"]
    assert facts_for("data_source").keys() > COMMON.keys()


def test_what_the_core_knows_itself_no_door_can_say_otherwise() -> None:
    claimed = asset("feature_view:v", facts={"pii": True, "owner": "somebody", "ttl_seconds": 1})
    facts = facts_of(claimed, {}, [])
    assert (facts["pii"], facts["owner"], facts["ttl_seconds"]) == (False, "lab@clinic.example", 1)
