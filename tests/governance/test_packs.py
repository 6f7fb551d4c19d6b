"""The packs ``pii``, ``gdpr-art5`` and ``eu-ai-act-art10``: each rule violated once and satisfied once."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from governance.assets import Asset, Definitions, Field, Input
from governance.label_types import Unreadable
from governance.labels import labels_of
from governance.pack_labels import PACK_LABELS, RETENTION
from governance.policy import Policy
from governance.verdict import Gate, Level
from tests.governance.pictures import TODAY, asset, judge, policy

PII, GDPR, ACT = (policy(packs=name) for name in ("pii", "gdpr-art5", "eu-ai-act-art10"))
PERSONAL = {"pii": "true", "purpose": "care", "retention": "P2Y"}
HEALTH = {**PERSONAL, "special-category": "health"}
DAY = 86_400


def found(by: Policy, *assets: Asset, gate: Gate = "apply", **more: Any) -> list[tuple[str, str, str]]:
    """Rule, object and message of every finding."""
    verdict = judge(Definitions("clinic", assets), by, gate=gate, **more)
    return [(one.rule, one.object, one.message) for one in verdict.findings]


def view(*inputs: str, name: str = "labs", ttl: int = DAY, **more: Any) -> Asset:
    """A view with a description and a bounded ttl."""
    facts = {"ttl_seconds": ttl, "description": "blood results"}
    return asset(f"feature_view:{name}", *inputs, **{"facts": facts, **more})


def service(*inputs: str | Input, suite: bool = True, **more: Any) -> Asset:
    """A service, with a suite unless told otherwise."""
    return asset("feature_service:risk", *inputs, **{"facts": {"suite": suite}, **more})


AGE, NAME = Field("age", "Int64"), Field("name", "String", {"pii": "true"})


def test_silence_about_personal_data_is_a_finding_and_no_is_an_answer() -> None:
    assert found(PII, asset("data_source:visits")) == [
        ("pii.declared", "data_source:visits", "nobody says whether this is personal data")
    ]
    assert found(PII, asset("entity:patient", tags={"pii": "false"})) == []


def test_a_view_that_says_it_of_some_fields_says_it_of_all() -> None:
    assert found(PII, view(fields=(AGE, NAME))) == [
        ("pii.declared", "feature_view:labs", "nobody says whether these fields are personal data: age")
    ]
    assert found(PII, view(fields=(Field("age", "Int64", {"pii": "false"}), NAME))) == []


@pytest.mark.parametrize("fields", [(), (Field("count", "Int64", {"pii": "false"}),)], ids=["object", "field"])
def test_a_no_that_inheritance_contradicts_is_a_finding(fields: tuple[Field, ...]) -> None:
    tags = {} if fields else {"pii": "false"}
    source = asset("data_source:visits", tags={"pii": "true"})
    verdict = judge(Definitions("clinic", [source, view("data_source:visits", tags=tags, fields=fields)]), PII)
    (finding,) = verdict.findings
    assert finding.rule == "pii.contradicted"
    assert finding.message == f'labs{".count" if fields else ""} says pii="false" and is made from personal data'
    assert finding.path == ("labs", "visits: pii=true")


def test_a_declassification_ends_the_contradiction() -> None:
    dropped = (
        "declassify: [{object: 'feature_view:labs', drops: [pii], owner: ana, reason: counts, approver: bo,"
        " expires: 2027-01-31}]\n"
    )
    source = asset("data_source:visits", tags={"pii": "true"})
    assert found(policy(dropped, packs="pii"), source, view("data_source:visits", tags={"pii": "false"})) == []


def test_a_special_category_exists_of_persons_only() -> None:
    tags = {"pii": "false", "special-category": "health"}
    assert found(PII, asset("data_source:visits", tags=tags)) == [
        (
            "pii.special-category",
            "data_source:visits",
            "of a special category (health) and not declared personal data",
        )
    ]
    field = Field("hiv", "Bool", {"special-category": "health"})
    assert [rule for rule, _, _ in found(PII, view(tags={"pii": "false"}, fields=(field,)))] == ["pii.special-category"]
    assert found(PII, asset("data_source:visits", tags={**tags, "pii": "true"})) == []


def test_a_category_that_the_law_does_not_know_is_unreadable() -> None:
    assert found(PII, asset("data_source:visits", tags={"pii": "true", "special-category": "healthy"})) == [
        ("labels.readable", "data_source:visits", "found special-category='healthy', where 'healthy' means nothing")
    ]


def test_a_pack_s_labels_are_words_only_where_the_pack_is_named() -> None:
    strange = asset("data_source:visits", tags={"retention": "as long as it takes"})
    assert found(policy(packs="ownership"), strange) == []
    assert found(GDPR, strange) == [
        ("labels.readable", "data_source:visits", "found retention='as long as it takes', which is no period")
    ]


def test_personal_data_has_a_purpose_and_one_that_holds_along_the_way() -> None:
    alone = asset("data_source:visits", tags={"pii": "true", "retention": "P2Y"})
    assert found(GDPR, alone) == [("gdpr.purpose", "data_source:visits", "personal data without a purpose")]
    research = asset("data_source:trial", tags={**PERSONAL, "purpose": "research"})
    care = asset("data_source:visits", tags=PERSONAL)
    assert found(GDPR, care, research, view("data_source:visits", "data_source:trial")) == [
        (
            "gdpr.purpose",
            "feature_view:labs",
            "no purpose satisfies all of: labs <- visits: purpose=care; labs <- trial: purpose=research",
        )
    ]


def test_a_request_is_judged_by_the_fields_it_asks_for() -> None:
    mixed = view(fields=(AGE, NAME))
    by = policy(packs="gdpr-art5")
    asked: dict[str, Any] = {"gate": "retrieve", "purpose": "care"}
    assert found(by, mixed, objects=[Input("feature_view:labs", ("age",))], **asked) == []
    assert found(by, mixed, objects=[Input("feature_view:labs", ("name",))], **asked) == [
        ("gdpr.purpose", "feature_view:labs", "personal data without a purpose")
    ]


@pytest.mark.parametrize(
    ("ground", "rules"), [({}, True), ({"ground": "6(1)(e)"}, True), ({"ground": "6(1)(e),9(2)(h)"}, False)]
)
def test_a_special_category_has_a_ground_of_article_9(ground: dict[str, str], *, rules: bool) -> None:
    assert found(GDPR, asset("data_source:visits", tags={**HEALTH, **ground})) == (
        [("gdpr.special-category", "data_source:visits", "special category health without a ground of Art. 9(2)")]
        if rules
        else []
    )


def test_personal_fields_that_no_service_uses_are_named_and_warned_of() -> None:
    source = asset("data_source:visits", tags={"purpose": "care", "retention": "P2Y"})
    used = Field("bilirubin", "Float64", {"pii": "true"})
    labs = view("data_source:visits", fields=(AGE, NAME, used))
    score = asset("on_demand_feature_view:albi", Input(labs.key, ("bilirubin",)), fields=(Field("albi", "Float64"),))
    verdict = judge(Definitions("clinic", [source, labs, score, service(score.key)]), GDPR)
    assert [(one.rule, one.message, one.level) for one in verdict.findings] == [
        ("gdpr.minimisation", "personal data that no feature service uses: name", Level.WARN)
    ]
    assert verdict.allowed


@pytest.mark.parametrize(
    ("ttl", "message"),
    [
        (0, "its values count for ever (ttl 0); retention: 30 days"),
        (31 * DAY, "its ttl is 31 days; retention: 30 days"),
        (30 * DAY, None),
    ],
)
def test_a_ttl_is_bounded_by_the_shortest_retention(ttl: int, message: str | None) -> None:
    sources = [asset("data_source:a", tags=PERSONAL), asset("data_source:b", tags={**PERSONAL, "retention": "P1M"})]
    findings = found(GDPR, *sources, view("data_source:a", "data_source:b", ttl=ttl))
    assert findings == ([("gdpr.retention", "feature_view:labs", message)] if message else [])


def test_personal_data_without_a_retention_is_a_finding() -> None:
    tags = {"pii": "true", "purpose": "care"}
    assert found(GDPR, asset("data_source:visits", tags=tags)) == [
        ("gdpr.retention", "data_source:visits", "personal data without a retention")
    ]


@pytest.mark.parametrize(
    ("text", "days"),
    [("P2Y", 730), ("P6M", 180), ("P1Y2M3W4D", 450), ("P0D", 0), ("2Y", None), ("P", None), ("", None)],
)
def test_periods_are_whole_days_and_never_longer_than_written(text: str, days: int | None) -> None:
    label = next(one for one in PACK_LABELS["gdpr-art5"] if one.name == RETENTION)
    read = label.read(text)
    assert isinstance(read, Unreadable) if days is None else read == frozenset([f"P{days}D"])


def test_the_shortest_retention_flows_on_and_records_carry_it() -> None:
    sources = [asset("data_source:a", tags={"retention": "P2Y"}), asset("data_source:b", tags={"retention": "P9W"})]
    definitions = Definitions("clinic", [*sources, view("data_source:a", "data_source:b")])
    assert labels_of(definitions, GDPR, "feature_view:labs", today=TODAY).as_json()["custom"] == {"retention": ["P63D"]}


def test_what_gives_out_personal_data_is_validated_and_owned() -> None:
    labs = view(tags=PERSONAL, fields=(AGE,))
    assert found(GDPR, labs, service(labs.key, suite=False, owner="")) == [
        ("gdpr.accountability", "feature_service:risk", "personal data without an owner"),
        ("gdpr.accuracy", "feature_service:risk", "no validation suite"),
    ]
    assert found(GDPR, labs, service(labs.key)) == []
    assert found(GDPR, view(fields=(AGE,)), service("feature_view:labs", suite=False, owner="")) == []


def test_a_source_says_where_it_comes_from_and_has_a_card() -> None:
    file = {"source_type": "FileSource"}
    assert found(ACT, asset("data_source:visits", facts=file)) == [
        ("ai-act.data-card", "data_source:visits", "no data-card"),
        ("ai-act.origin", "data_source:visits", "no origin"),
    ]
    tags = {"origin": "laboratory system, routine care", "data-card": "DATA_CARD.md"}
    assert found(ACT, asset("data_source:visits", facts=file, tags=tags)) == []
    assert found(ACT, asset("data_source:asked", facts={"source_type": "RequestSource"})) == []


def test_views_are_described_and_everything_has_an_owner_and_a_suite() -> None:
    bare = asset("feature_view:labs", owner="", fields=(AGE,))
    assert found(ACT, bare, service(bare.key, suite=False, owner="")) == [
        ("ai-act.owner", "feature_service:risk", "no owner"),
        ("ai-act.suite", "feature_service:risk", "no validation suite"),
        ("ai-act.described", "feature_view:labs", "no description"),
        ("ai-act.owner", "feature_view:labs", "no owner"),
    ]


def test_each_personal_attribute_that_reaches_a_model_was_considered_for_bias() -> None:
    fields = (Field("age", "Int64"), Field("sex", "String", {"bias-relevant": "true"}), Field("note", "String"))
    labs = view(tags={"pii": "true"}, fields=fields)
    assert found(ACT, labs, service(Input(labs.key, ("age", "sex")))) == [
        ("ai-act.bias", "feature_view:labs", "nobody says whether these bear on bias: age")
    ]
    considered = view(tags={"pii": "true", "bias-relevant": "false"}, fields=fields)
    assert found(ACT, considered, service(Input(labs.key, ("age", "sex")))) == []


def test_every_rule_of_the_packs_can_be_lowered_and_exempted() -> None:
    lowered = policy("levels: {gdpr.purpose: {apply: audit}}\n", packs="gdpr-art5")
    alone = asset("data_source:visits", tags={"pii": "true", "retention": "P2Y"})
    assert judge(Definitions("clinic", [alone]), lowered).allowed
    exempt = (
        "exemptions: [{rule: gdpr.purpose, object: 'data_source:visits', owner: ana, reason: r, approver: bo,"
        " expires: 2027-01-31}]\n"
    )
    verdict = judge(Definitions("clinic", [alone]), policy(exempt, packs="gdpr-art5"), today=date(2026, 6, 1))
    assert [one.finding.rule for one in verdict.exempted] == ["gdpr.purpose"]
