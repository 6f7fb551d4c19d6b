"""Why an object is judged as it is, as the user reads it, and what would help."""

from __future__ import annotations

from typing import Any

import pytest

from governance.assets import Asset, Definitions, Field, Input
from governance.errors import ConfigurationError
from governance.explain import explain
from governance.nearest_change import Situation
from governance.policy import Policy
from tests.governance.pictures import TODAY, asset, clinic, policy

FRANCE = {"online_store": ("redis://cache-fr1:6379/0",)}
NOWHERE = {"online_store": ("redis://elsewhere:6379/0",)}
DAY = 86_400


def situation(*assets: Asset, by: Policy | None = None, places: dict[str, Any] | None = None) -> Situation:
    """Objects under the usual policy."""
    return Situation(definitions=Definitions("clinic", assets), policy=by or policy(), places=places or {}, today=TODAY)


def nearest(now: Situation, name: str) -> list[str]:
    """The nearest change of each finding at the object."""
    return [one.remedy.text if one.remedy else "none" for one in explain(now, name).findings]


def test_the_path_the_place_and_the_nearest_change_are_printed() -> None:
    answer = explain(situation(*clinic().assets, places=FRANCE), "liver_risk_v1")
    assert answer.text() == (
        "feature_service:liver_risk_v1  (features.py:12)\n"
        "labels:\n"
        "  residency: DE\n"
        "      liver_risk_v1 <- albi <- labs <- visits: residency=DE\n"
        "places:\n"
        "  online store redis://cache-fr1:6379/0: FR\n"
        "findings:\n"
        "  deny  residency.place\n"
        "      liver_risk_v1 <- albi <- labs <- visits: residency=DE;"
        " online store redis://cache-fr1:6379/0 lies in FR; allowed: DE\n"
        "      nearest change: move the online store redis://cache-fr1:6379/0 to a place in DE"
    )
    assert answer.exit_code == 1


def test_an_object_that_is_fine_is_explained_too() -> None:
    answer = explain(situation(*clinic().assets), "data_source:visits")
    assert answer.text().endswith("places: none\nfindings: none")
    assert answer.exit_code == 0
    assert answer.as_json()["facts"]["residency"] == ["DE"]
    assert answer.as_json()["findings"] == []


def test_exemptions_at_the_object_are_listed() -> None:
    exempt = (
        "exemptions: [{rule: ownership.owner, object: 'data_source:*', owner: ana, reason: handover, approver: bo,"
        " expires: 2027-06-30}]\n"
    )
    now = situation(*clinic(owner="").assets, by=policy(exempt))
    assert (
        explain(now, "visits")
        .text()
        .endswith(
            "findings: none\n"
            "exempted  ownership.owner  data_source:visits\n"
            "      until 2027-06-30, owner ana, approved by bo: handover"
        )
    )


def test_what_would_still_deny_is_said() -> None:
    now = situation(*clinic(owner="").assets, places=FRANCE)
    assert (
        "nearest change: name an owner of data_source:visits (3 other denying findings would stay)"
        in explain(now, "visits").text()
    )


PERSONAL = {"pii": "true", "purpose": "care", "retention": "P30D"}
GDPR = policy(packs="pii, gdpr-art5, eu-ai-act-art10", places="", zones="")
CARD = {"origin": "wards", "data-card": "CARD.md"}


@pytest.mark.parametrize(
    ("assets", "options", "name", "expected"),
    [
        pytest.param(clinic(owner="").assets, {}, "visits", ["name an owner of data_source:visits"], id="owner"),
        pytest.param(
            clinic(tags={}).assets,
            {},
            "labs",
            ['tag data_source:visits with residency="DE", if that is so'],
            id="residency",
        ),
        pytest.param(
            clinic().assets,
            {"places": NOWHERE},
            "labs",
            ["move the online store redis://elsewhere:6379/0 to a place in DE"],
            id="unknown place",
        ),
        pytest.param(
            clinic().assets,
            {"places": NOWHERE, "by": policy(places="")},
            "labs",
            ["if redis://elsewhere:6379/0 lies in DE, say so under places: in policy.yaml"],
            id="no places known",
        ),
        pytest.param(
            clinic(places=("file:///a", "s3://fr/a"), tags={"residency": "DE"}).assets,
            {"by": policy(places='places: [{match: "file:///a", zone: DE}, {match: "s3://fr/a", zone: FR}]\n')},
            "visits",
            ["move the data s3://fr/a of data_source:visits to a place in DE"],
            id="data",
        ),
        pytest.param(
            [
                asset("data_source:a", tags={"residency": "DE"}),
                asset("data_source:b", tags={"residency": "FR"}),
                asset("feature_view:v", "data_source:a", "data_source:b"),
            ],
            {},
            "v",
            ["leave data_source:a out of feature_view:v"],
            id="empty intersection",
        ),
        pytest.param(
            [asset("data_source:a", tags=CARD | {"pii": "false"}), asset("data_source:b", tags=CARD)],
            {"by": GDPR},
            "b",
            ['tag data_source:b with pii="true" or "false", whichever is so'],
            id="pii",
        ),
        pytest.param(
            [
                asset("data_source:a", tags=CARD | PERSONAL),
                asset("feature_view:v", "data_source:a", facts={"ttl_seconds": 60 * DAY, "description": "d"}),
            ],
            {"by": GDPR},
            "v",
            ["give feature_view:v a ttl of 30 days"],
            id="ttl",
        ),
        pytest.param(
            [
                asset("data_source:a", tags=CARD | PERSONAL),
                asset("feature_view:v", "data_source:a", facts={"ttl_seconds": DAY, "description": ""}),
            ],
            {"by": GDPR},
            "v",
            ["describe feature_view:v"],
            id="description",
        ),
        pytest.param(
            [asset("feature_service:s", facts={"suite": False})],
            {"by": GDPR},
            "s",
            ["write expectations/s.json"],
            id="suite",
        ),
        pytest.param(
            [asset("data_source:a", tags={"residency": "DE", "pii": "perhaps"})],
            {},
            "a",
            ["take the tag pii out of data_source:a"],
            id="unreadable",
        ),
        pytest.param(
            [
                asset("data_source:a", tags=CARD | PERSONAL),
                asset(
                    "feature_view:v",
                    "data_source:a",
                    tags={"pii": "false"},
                    facts={"ttl_seconds": DAY, "description": "d"},
                ),
            ],
            {"by": GDPR},
            "v",
            ["take the tag pii out of feature_view:v"],
            id="contradicted",
        ),
        pytest.param(
            [asset("feature_view:v", tags={"residency": "DE"}, facts={"ttl_seconds": 0})],
            {"by": policy("rules: [{id: ttl.bounded, on: feature_view, when: 'ttl_seconds == 0', message: m}]\n")},
            "v",
            ["an exemption from ttl.bounded at feature_view:v, with owner, reason, approver and end"],
            id="a rule of one's own",
        ),
    ],
)
def test_the_nearest_change_is_one_that_the_verdict_function_allows(
    assets: list[Asset], options: dict[str, Any], name: str, expected: list[str]
) -> None:
    assert nearest(situation(*assets, **options), name) == expected


def test_a_service_may_leave_the_field_out_that_nobody_allows() -> None:
    fields = (Field("a", "Int64", {"residency": "DE"}), Field("b", "Int64", {"residency": "FR"}))
    one = asset("feature_view:one", fields=(fields[0],))
    two = asset("feature_view:two", fields=(fields[1], Field("c", "Int64", {"residency": "EU"})))
    service = asset("feature_service:s", Input(one.key, ("a",)), Input(two.key, ("b", "c")))
    assert nearest(situation(one, two, service), "s") == ["leave feature_view:one out of feature_service:s"]


def test_what_no_change_can_help_is_said() -> None:
    view = asset("feature_view:v", "data_source:gone", tags={"residency": "DE"})
    answer = explain(situation(view), "v")
    assert "      nearest change: no single change that was tried is enough" in answer.text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("labz", "Found no object 'labz' in project clinic. There are: data_source:visits, feature_service:labs,"),
        ("feature_view:labz", "Found no object 'feature_view:labz' in project clinic. There are: feature_view:labs."),
        ("labs", "'labs' names 2 objects: feature_service:labs, feature_view:labs. Say which, as kind:name."),
    ],
)
def test_an_object_that_is_not_there_or_not_one_is_a_wrong_question(name: str, message: str) -> None:
    now = situation(asset("data_source:visits"), asset("feature_view:labs"), asset("feature_service:labs"))
    with pytest.raises(ConfigurationError) as error:
        explain(now, name)
    assert str(error.value).startswith(message)
