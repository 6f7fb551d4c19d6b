"""What a plan says of changes and findings, and its forms, as the user sees them."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from governance.assets import Asset, Definitions
from governance.canonical import json_sha256
from governance.exported_facts import exported_facts
from governance.output.document import as_document
from governance.output.junit import as_junit
from governance.output.sarif import as_sarif
from governance.output.text import as_text
from governance.plan import Action, Plan, Since, changes, located, make_plan
from governance.policy import Policy
from tests.governance.pictures import TODAY, asset, clinic, judge, policy
from tests.governance.test_labels_properties import repositories

FRANCE = {"online_store": ("redis://cache-fr1:6379/0",)}
LINES = {"feature_view:labs": "views.py:7", "data_source:visits": "my sources.py:3"}
EXEMPT = (
    "exemptions: [{rule: ownership.owner, object: 'data_source:*', owner: ana, reason: handover, approver: bo,"
    " expires: 2026-12-31}]\n"
)


def planned(proposed: Definitions, by: Policy | None = None, *, head: Definitions | None = None, **more: Any) -> Plan:
    """The plan of these definitions under the usual policy."""
    by, told = by or policy(), more.pop("told", ())
    verdict = judge(located(proposed, LINES), by, **more)
    old = None if head is None else judge(head, by, **more)
    return make_plan(located(proposed, LINES), verdict, head=head, head_verdict=old, told=told)


def defined(**more: Any) -> Definitions:
    """The clinic, each object with a definition to compare."""
    assets = [replace(one, definition={"tags": dict(one.tags), "owner": one.owner}) for one in clinic(**more).assets]
    return Definitions("clinic", assets)


def test_everything_is_added_before_the_first_apply() -> None:
    plan = planned(clinic())
    assert {one.action for one in plan.changes} == {Action.ADD}
    assert plan.head is None
    assert as_text(plan) == (
        "feast apply would change clinic:\n"
        "  + data_source:visits  (my sources.py:3)\n"
        "  + feature_service:liver_risk_v1  (features.py:12)\n"
        "  + feature_view:labs  (views.py:7)\n"
        "  + on_demand_feature_view:albi\n"
        "\n"
        "feast apply would be allowed: no findings."
    )


def test_a_changed_object_says_what_differs_and_a_removed_one_has_no_line() -> None:
    gone = asset("feature_view:gone", tags={"residency": "DE"})
    head = Definitions("clinic", [*defined(tags={"residency": "EU"}).assets, gone])
    plan = planned(defined(owner="new@clinic.example"), head=head)
    assert as_text(plan).splitlines()[:5] == [
        "feast apply would change clinic:",
        "  ~ data_source:visits  (my sources.py:3)",
        "      owner: 'lab@clinic.example' -> 'new@clinic.example'",
        "      tags.residency: 'EU' -> 'DE'",
        "  - feature_view:gone",
    ]


def test_no_change_is_said_to_be_none() -> None:
    assert as_text(planned(clinic(), head=clinic())) == (
        "feast apply would change no definition of clinic.\n\nfeast apply would be allowed: no findings."
    )


def test_lists_of_named_things_are_compared_by_name() -> None:
    fields = [{"name": "a", "type": "INT64"}, {"name": "b", "type": "INT64"}]
    old = asset("feature_view:v", definition={"features": fields})
    new = asset("feature_view:v", definition={"features": [fields[1], {"name": "c", "type": "STRING"}]})
    (change,) = changes(Definitions("clinic", [old]), Definitions("clinic", [new]))
    assert change.details == ("features.a: {...} -> nothing", "features.c: nothing -> {...}")


def test_what_the_feature_store_makes_itself_is_no_change() -> None:
    made = Asset(kind="entity", name="__dummy", project="clinic", system=True)
    assert list(changes(Definitions("clinic", []), Definitions("clinic", [made]))) == []


def test_findings_of_this_change_stand_apart_from_those_that_were_there() -> None:
    by = policy("levels: {ownership.owner: {apply: warn}}\n")
    told = judge(clinic(owner=""), by).as_json()["findings"]
    plan = planned(
        Definitions("clinic", [*clinic(owner="").assets, asset("feature_view:new", owner="")]),
        by,
        head=clinic(owner=""),
        told=told,
    )
    assert [one.object for one in plan.since(Since.STANDING)] == ["data_source:visits"]
    assert {one.rule for one in plan.since(Since.NEW)} == {"ownership.owner", "residency.required"}
    text = as_text(plan)
    assert text.index("New with this change:") < text.index("Standing:")
    assert text.endswith("feast apply would be denied: new: 1 deny, 1 warn; standing: 1 warn.")


def test_what_a_store_that_moved_brings_is_new_though_no_definition_changed() -> None:
    plan = planned(clinic(), head=clinic(), places=FRANCE)
    assert len(plan.since(Since.SURFACED)) == 3
    assert "New, though no definition of it changed (the policy, a place or the calendar did):\n" in as_text(plan)
    assert plan.exit_code == 1


def test_what_is_no_more_is_listed() -> None:
    told = judge(clinic(owner=""), policy("levels: {ownership.owner: {apply: warn}}\n")).as_json()["findings"]
    assert "No more:\nownership.owner  data_source:visits\n      no owner\n" in as_text(
        planned(clinic(), head=clinic(), told=told)
    )


def test_exemptions_are_listed_and_what_they_set_aside_is_not_no_more() -> None:
    told = judge(clinic(owner=""), policy("levels: {ownership.owner: {apply: warn}}\n")).as_json()["findings"]
    text = as_text(planned(clinic(owner=""), policy(EXEMPT), head=clinic(owner=""), told=told))
    assert "No more" not in text
    assert text.endswith(
        "Set aside by exemptions:\n"
        "exempted  ownership.owner  data_source:visits\n"
        "      until 2026-12-31, owner ana, approved by bo: handover\n"
        "\n"
        "feast apply would be allowed: 1 exempted."
    )


def test_the_digest_is_that_of_the_verdict_as_apply_records_it() -> None:
    plan = planned(clinic(), places=FRANCE)
    assert plan.verdict_digest == json_sha256(judge(clinic(), policy(), places=FRANCE).as_json())


def test_the_document_holds_everything_for_programs() -> None:
    plan = planned(clinic(owner=""), places=FRANCE)
    document = as_document(plan)
    assert json.loads(json.dumps(document)) == document
    assert document["outcome"] == "deny"
    assert document["verdict"] == plan.verdict_digest
    assert document["changes"][2] == {
        "action": "add", "object": "feature_view:labs", "details": [], "location": "views.py:7"
    }  # fmt: skip
    finding = next(one for one in document["findings"] if one["object"] == "feature_view:labs")
    assert (finding["since"], finding["location"], finding["level"]) == ("new", "views.py:7", "deny")


SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
    "$defs": {
        "result": {
            "type": "object",
            "required": ["message", "ruleId", "locations"],
            "properties": {
                "level": {"enum": ["none", "note", "warning", "error"]},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "message": {"type": "object", "required": ["text"]},
                "baselineState": {"enum": ["new", "unchanged", "updated", "absent"]},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                "locations": {"type": "array", "minItems": 1},
                "suppressions": {
                    "type": "array",
                    "items": {
                        "required": ["kind"],
                        "properties": {
                            "kind": {"enum": ["inSource", "external"]},
                            "status": {"enum": ["accepted", "underReview", "rejected"]},
                        },
                    },
                },
            },
        }
    },
}
"""The parts of the standard that this output uses (sections 3.13, 3.14, 3.27 and 3.35)."""


def sarif(plan: Plan, by: Policy, prefix: str = "feature_repo/") -> Any:
    document = as_sarif(plan, rules=by.rules, version="1.0.0", prefix=prefix, otherwise="feature_store.yaml")
    jsonschema.validate(document, SARIF)
    return document["runs"][0]


def test_sarif_names_rule_level_age_file_and_line() -> None:
    by = policy()
    run = sarif(planned(clinic(owner=""), by, places=FRANCE), by)
    by_object = {one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: one for one in run["results"]}
    source = by_object["data_source:visits"]
    assert source["message"]["text"] == (
        'data_source:visits: no owner (visits). Fix: name one, as in owner="team@organisation.example"'
    )
    assert source["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "feature_repo/my%20sources.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }
    assert (source["level"], source["baselineState"]) == ("error", "new")
    for one in run["results"]:
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
    nowhere = by_object["on_demand_feature_view:albi"]["locations"][0]["physicalLocation"]
    assert nowhere["artifactLocation"]["uri"] == "feature_repo/feature_store.yaml"
    assert len({one["partialFingerprints"]["provender/v1"] for one in run["results"]}) == len(run["results"])


def test_sarif_shows_an_exemption_as_a_suppression() -> None:
    by = policy(EXEMPT)
    (result,) = sarif(planned(clinic(owner=""), by), by)["results"]
    assert result["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "handover (owner ana, approved by bo, until 2026-12-31)",
        }
    ]


def test_sarif_places_a_warning_about_the_policy_in_the_policy() -> None:
    by = policy(EXEMPT)
    plan = planned(clinic(owner=""), by, today=date(2026, 12, 30))
    result = next(one for one in sarif(plan, by, prefix="")["results"] if one["ruleId"] == "exemptions.expiring")
    physical = result["locations"][0]["physicalLocation"]
    assert (physical["artifactLocation"]["uri"], physical["region"]["startLine"]) == ("policy.yaml", 5)


def test_junit_fails_what_is_denied_skips_what_is_exempted_and_passes_the_rest() -> None:
    by = policy(EXEMPT + "levels: {residency.required: {apply: warn}}\n")
    bare = asset("feature_view:bare", owner="")
    root = ET.fromstring(as_junit(planned(Definitions("clinic", [*clinic(owner="").assets, bare]), by)))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("4", "1", "1")
    cases = {(one.get("classname"), one.get("name")): one for one in root.iter("testcase")}
    failure = cases["ownership.owner", "feature_view:bare"].find("failure")
    assert failure is not None
    assert failure.get("message") == "no owner"
    assert failure.get("type") == "deny (new)"
    assert str(failure.text).startswith("deny  ownership.owner  feature_view:bare\n      path: bare\n")
    skipped = cases["ownership.owner", "data_source:visits"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "exempted until 2026-12-31, owner ana, approved by bo: handover"
    assert cases["residency.required", "feature_view:bare"].find("failure") is None
    assert cases["ownership.owner", "data_source:visits"].get("file") == "my sources.py"


def test_junit_has_no_character_that_xml_cannot_hold() -> None:
    odd = asset("feature_view:v\x00\x1b", owner="", tags={"residency": "DE"})
    root = ET.fromstring(as_junit(planned(Definitions("clinic", [odd]))))
    assert "v\ufffd\ufffd" in ET.tostring(root, encoding="unicode")


def test_the_facts_of_every_object_can_be_had_for_another_engine() -> None:
    document = exported_facts(located(clinic(), LINES), policy(), places=FRANCE, today=TODAY)
    labs = next(one for one in document["objects"] if one["object"] == "feature_view:labs")
    assert labs["location"] == "views.py:7"
    assert labs["places"] == [{"role": "online_store", "uri": "redis://cache-fr1:6379/0", "zone": "FR"}]
    assert labs["facts"]["residency"] == ["DE"]
    assert labs["facts"]["pii"] is True
    assert labs["facts"]["ttl_seconds"] == 0
    assert json.loads(json.dumps(document)) == document


@given(repositories())
@settings(deadline=None)
def test_every_form_gives_the_same_answer_on_every_repository(views: list[Asset]) -> None:
    by = policy()
    plan = planned(Definitions("clinic", views), by, places=FRANCE)
    denied = sum(one["level"] == "error" for one in sarif(plan, by)["results"])
    failures = int(ET.fromstring(as_junit(plan)).get("failures", "-1"))
    assert denied == failures == sum(one["level"] == "deny" for one in as_document(plan)["findings"])
    assert (denied > 0) == (plan.exit_code == 1) == bool(re.search("would be denied", as_text(plan)))


def test_no_form_reads_anything_but_the_plan() -> None:
    output = Path(__file__).parents[2] / "governance" / "output"
    for path in output.glob("*.py"):
        assert "governance.decide" not in path.read_text()


@pytest.mark.parametrize("digest", [None, "head"])
def test_the_plan_names_the_version_of_the_registry(digest: str | None) -> None:
    head = clinic() if digest else None
    assert planned(clinic(), head=head).head == (clinic().digest if digest else None)


@given(repositories())
@settings(deadline=None, max_examples=50)
def test_knowing_the_lines_changes_neither_verdict_nor_definition_version(views: list[Asset]) -> None:
    plain = Definitions("clinic", views)
    known = located(plain, {view.key: "views.py:1" for view in views})
    assert judge(known, policy(), places=FRANCE).as_json() == judge(plain, policy(), places=FRANCE).as_json()
