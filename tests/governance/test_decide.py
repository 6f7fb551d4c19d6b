from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from governance.assets import Asset, Definitions, Field, Input
from governance.errors import Denied
from governance.verdict import Gate, Level
from tests.governance.pictures import TODAY, asset, broken, clinic, judge, policy

FR_CACHE = {"online_store": ("redis://cache-fr1:6379/0",)}
DE_CACHE = {"online_store": ("redis://cache-de1:6379/0",)}
EXEMPT = (
    "exemptions: [{rule: ownership.owner, object: 'data_source:*', owner: ana, reason: handover, approver: bo,"
    " expires: 2026-06-30}]\n"
)


def test_a_clean_repository_is_allowed() -> None:
    verdict = judge(clinic(), policy(), places=DE_CACHE)
    assert verdict.allowed
    assert verdict.text() == "apply allowed: no findings"
    verdict.enforce()


def test_a_source_without_residency_is_denied_and_so_is_what_is_made_from_it() -> None:
    verdict = judge(clinic(tags={}), policy())
    assert broken(verdict) == {
        ("residency.required", "data_source:visits"),
        ("residency.required", "feature_view:labs"),
        ("residency.required", "on_demand_feature_view:albi"),
    }
    assert verdict.findings[0].text() == (
        "deny  residency.required  data_source:visits\n"
        "      path: visits\n"
        "      no residency: neither a tag here nor one on anything it is made from\n"
        '      fix:  add the tag residency, as in tags={"residency": "..."}; zones of policy.yaml: DE, EEA, EU, FR, NO'
    )


def test_a_flow_into_a_store_in_france_is_denied_with_path_place_and_fix() -> None:
    verdict = judge(clinic(), policy(), places=FR_CACHE)
    with pytest.raises(Denied) as denied:
        verdict.enforce()
    assert (
        "deny  residency.place  feature_service:liver_risk_v1\n"
        "      path: liver_risk_v1 <- albi <- labs <- visits: residency=DE\n"
        "      online store redis://cache-fr1:6379/0 lies in FR; allowed: DE\n"
        "      fix:  move the online store to a place in DE, "
        "or have the owner of data_source:visits widen its residency\n"
        "      at:   features.py:12"
    ) in str(denied.value)
    assert str(denied.value).startswith("apply denied: 3 deny\n")
    assert verdict.exit_code == 1


def test_an_online_store_concerns_only_what_is_served_online() -> None:
    offline = Definitions("clinic", [asset("feature_view:v", tags={"residency": "DE"}, facts={"online": False})])
    assert judge(offline, policy(), places=FR_CACHE).allowed
    assert not judge(offline, policy(), places={"objects": FR_CACHE["online_store"]}).allowed


def test_a_place_that_no_line_matches_satisfies_no_residency() -> None:
    verdict = judge(clinic(places=("s3://elsewhere/a",)), policy())
    assert [one.message for one in verdict.findings] == ["data s3://elsewhere/a lies in no known zone; allowed: DE"]


def test_a_place_known_only_to_lie_in_europe_does_not_satisfy_germany() -> None:
    there = ("s3://somewhere-in-europe/a",)
    assert not judge(clinic(places=there), policy()).allowed
    assert judge(clinic(places=there, tags={"residency": "EU"}), policy()).allowed
    assert judge(clinic(places=there, tags={"residency": "EEA"}), policy()).allowed


def test_every_node_of_a_store_counts() -> None:
    both = {"online_store": (*DE_CACHE["online_store"], *FR_CACHE["online_store"])}
    assert {one.message for one in judge(clinic(), policy(), places=both).findings} == {
        "online store redis://cache-fr1:6379/0 lies in FR; allowed: DE"
    }


def test_inputs_that_have_no_place_in_common_are_a_finding_of_its_own() -> None:
    definitions = Definitions(
        "clinic",
        [
            asset("data_source:a", tags={"residency": "DE"}),
            asset("data_source:b", tags={"residency": "FR"}),
            asset("feature_view:v", "data_source:a", "data_source:b"),
        ],
    )
    (finding,) = judge(definitions, policy()).findings
    assert (finding.rule, finding.object) == ("residency.empty", "feature_view:v")
    assert finding.message == (
        "nowhere is allowed: no jurisdiction satisfies all of: v <- a: residency=DE; v <- b: residency=FR"
    )


def test_a_retrieval_that_joins_what_may_not_meet_is_denied_though_each_view_is_fine() -> None:
    definitions = Definitions(
        "clinic", [asset("feature_view:a", tags={"residency": "DE"}), asset("feature_view:b", tags={"residency": "FR"})]
    )
    assert judge(definitions, policy()).allowed
    verdict = judge(definitions, policy(), gate="retrieve", objects=["feature_view:a", "feature_view:b"])
    assert broken(verdict) == {("residency.empty", "request:retrieve")}
    assert judge(definitions, policy(), gate="materialize", objects=["feature_view:a", "feature_view:b"]).allowed


def test_a_retrieval_is_not_disturbed_by_what_it_does_not_ask_for() -> None:
    definitions = Definitions("clinic", [*clinic().assets, asset("feature_view:orphan", owner="")])
    assert not judge(definitions, policy()).allowed
    assert judge(definitions, policy(), gate="retrieve", objects=["feature_service:liver_risk_v1"]).allowed


def test_a_retrieval_is_judged_with_everything_it_is_made_from() -> None:
    verdict = judge(clinic(owner=""), policy(), gate="retrieve", objects=["feature_service:liver_risk_v1"])
    assert broken(verdict) == {("ownership.owner", "data_source:visits")}


def test_levels_say_what_a_finding_does_at_which_gate() -> None:
    by = policy("levels: {ownership.owner: {apply: audit, retrieve: warn}}\n")
    levels: dict[Gate, Level] = {"apply": Level.AUDIT, "retrieve": Level.WARN, "train": Level.DENY}
    for gate, level in levels.items():
        verdict = judge(clinic(owner=""), by, gate=gate)
        assert [one.level for one in verdict.findings] == [level]
        assert verdict.allowed is (level is not Level.DENY)


@pytest.mark.parametrize(("today", "allowed"), [(date(2026, 6, 30), True), (date(2026, 7, 1), False)])
def test_an_exemption_holds_until_its_day_and_is_void_after(today: date, *, allowed: bool) -> None:
    verdict = judge(clinic(owner=""), policy(EXEMPT), today=today)
    assert verdict.allowed is allowed
    assert [one.as_json()["expires"] for one in verdict.exempted] == (["2026-06-30"] if allowed else [])
    assert [one.message for one in verdict.findings] == (
        ["the exemption from ownership.owner at data_source:* ends on 2026-06-30, today"]
        if allowed
        else ["no owner (an exemption ended on 2026-06-30)"]
    )


def test_an_exemption_is_listed_with_who_answers_for_it() -> None:
    assert judge(clinic(owner=""), policy(EXEMPT)).text() == (
        "apply allowed: 1 exempted\n"
        "exempted  ownership.owner  data_source:visits\n"
        "      until 2026-06-30, owner ana, approved by bo: handover"
    )


@pytest.mark.parametrize(
    ("tags", "message", "fix"),
    [
        (
            {"residency": "DE,XX"},
            "found residency='DE,XX', where 'XX' means nothing",
            "write one of: DE, EEA, EU, FR, NO",
        ),
        ({"residency": ""}, "found residency='', where '' means nothing", "write one of: DE, EEA, EU, FR, NO"),
        ({"residency": "DE", "pii": "yes"}, "found pii='yes', where 'yes' means nothing", "write one of: false, true"),
        ({"residency": "DE", "pii": True}, "found pii is True, a bool", "write text"),
        (
            {"residency": "DE", "purpose": "care,"},
            "found purpose='care,', where '' means nothing",
            "write names separated",
        ),
    ],
)
def test_a_tag_that_means_nothing_is_denied_saying_what_would(tags: dict[str, Any], message: str, fix: str) -> None:
    finding = next(one for one in judge(clinic(tags=tags), policy()).findings if one.rule == "labels.readable")
    assert finding.object == "data_source:visits"
    assert finding.message == message
    assert finding.fix.startswith(fix)


def test_a_tag_that_cannot_be_read_is_denied_under_any_policy() -> None:
    by = policy("levels: {ownership.owner: {apply: warn}}\n", packs="ownership")
    assert broken(judge(clinic(tags={"residency": "XX"}), by)) == {("labels.readable", "data_source:visits")}


def test_an_input_that_is_not_defined_is_denied_where_it_is_read() -> None:
    definitions = Definitions("clinic", [asset("feature_view:v", "data_source:gone", tags={"residency": "DE"})])
    (finding,) = judge(definitions, policy()).findings
    assert (finding.rule, finding.message) == ("inputs.defined", "reads data_source:gone, which is not defined")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["feature_view:none"], "reads feature_view:none, which is not defined"),
        ([Input("feature_view:labs", ("sodium",))], "reads sodium of feature_view:labs, which has no such field"),
        ([], "the request names no object, so there is nothing to judge"),
    ],
)
def test_a_request_for_what_is_not_there_is_denied(asked: list[str | Input], message: str) -> None:
    verdict = judge(clinic(), policy(), gate="retrieve", objects=asked)
    assert [one.message for one in verdict.findings] == [message]


def test_what_the_feature_store_makes_itself_is_exempt() -> None:
    made = Asset(kind="feature_view", name="made", project="clinic", system=True)
    assert judge(Definitions("clinic", [*clinic().assets, made]), policy()).allowed


CARE = {"residency": "DE", "purpose": "care,research"}
SERVICE = ["feature_service:liver_risk_v1"]


@pytest.mark.parametrize("gate", ["retrieve", "online", "train"])
def test_data_with_a_purpose_label_wants_a_purpose(gate: Gate) -> None:
    (finding,) = judge(clinic(tags=CARE), policy(), gate=gate, objects=SERVICE).findings
    assert (finding.rule, finding.object) == ("purpose.required", "feature_service:liver_risk_v1")
    assert finding.message == "no purpose is stated; allowed: care, research"
    assert finding.path == ("liver_risk_v1", "albi", "labs", "visits: purpose=care,research")


def test_materializing_wants_a_purpose_for_each_view_alone() -> None:
    verdict = judge(clinic(tags=CARE), policy(), gate="materialize", objects=["feature_view:labs"])
    assert broken(verdict) == {("purpose.required", "feature_view:labs")}


def test_no_purpose_is_wanted_at_apply() -> None:
    assert judge(clinic(tags=CARE), policy()).allowed


def test_only_an_allowed_purpose_is_allowed() -> None:
    assert judge(clinic(tags=CARE), policy(), gate="retrieve", objects=SERVICE, purpose="care").allowed
    (finding,) = judge(clinic(tags=CARE), policy(), gate="retrieve", objects=SERVICE, purpose="marketing").findings
    assert (finding.rule, finding.message) == (
        "purpose.allowed",
        "purpose marketing is not allowed; allowed: care, research",
    )


def test_purposes_count_for_exactly_the_fields_asked_for() -> None:
    fields = (Field("a", "Int64"), Field("b", "Int64", {"purpose": "care"}))
    definitions = Definitions("clinic", [asset("feature_view:v", tags={"residency": "DE"}, fields=fields)])
    assert judge(definitions, policy(), gate="retrieve", objects=[Input("feature_view:v", ("a",))]).allowed
    assert not judge(definitions, policy(), gate="retrieve", objects=[Input("feature_view:v", ("b",))]).allowed


@pytest.mark.parametrize(
    ("caller", "purpose", "rules"),
    [
        ("oidc:role:research", None, set()),
        ("oidc:role:research", "research", set()),
        ("oidc:role:research", "care", {"purpose.allowed"}),
        ("process:1000@host", "research", {"purpose.allowed"}),
        ("process:1000@host", None, {"purpose.required"}),
        (None, "research", {"purpose.allowed"}),
    ],
)
def test_once_there_are_callers_only_their_purposes_are_granted(
    caller: str | None, purpose: str | None, rules: set[str]
) -> None:
    by = policy("callers: [{match: 'oidc:role:research', purposes: [research]}]\n")
    verdict = judge(clinic(tags=CARE), by, gate="retrieve", objects=SERVICE, caller=caller, purpose=purpose)
    assert {one.rule for one in verdict.findings} == rules


def test_a_verdict_as_records_carry_it() -> None:
    by = policy()
    verdict = judge(clinic(owner=""), by)
    assert verdict.as_json() == {
        "gate": "apply",
        "outcome": "deny",
        "policy": by.sha256,
        "definitions": clinic().digest,
        "findings": [
            {
                "rule": "ownership.owner",
                "object": "data_source:visits",
                "level": "deny",
                "path": ["visits"],
                "message": "no owner",
                "fix": 'name one, as in owner="team@organisation.example"',
            }
        ],
        "exempted": [],
    }


def test_findings_are_ordered_worst_first() -> None:
    by = policy("levels: {ownership.owner: {apply: warn}}\n")
    verdict = judge(clinic(owner="", tags={}), by, today=TODAY)
    assert [one.level for one in verdict.findings] == [Level.DENY, Level.DENY, Level.DENY, Level.WARN]
