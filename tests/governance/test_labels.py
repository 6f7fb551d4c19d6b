from __future__ import annotations

from datetime import date

import pytest

from governance.assets import Definitions, Field, Input
from governance.labels import labels_of, labels_of_request
from tests.governance.pictures import TODAY, asset, clinic, policy

SECRET = (
    "labels: {confidentiality: {values: [public, internal, secret], flow: max},"
    " licence: {values: [a, b], flow: union}}\n"
)
COUNTS = (
    "declassify: [{object: 'feature_view:counts', drops: [pii], owner: ana, reason: only counts, approver: bo,"
    " expires: 2026-06-30}]\n"
)


def test_a_service_has_the_residency_of_its_source_and_says_by_which_path() -> None:
    labels = labels_of(clinic(), policy(), "feature_service:liver_risk_v1", today=TODAY)
    assert labels.residency == frozenset({"DE"})
    assert [" <- ".join(path) for path in labels.paths["residency"]] == [
        "liver_risk_v1 <- albi <- labs <- visits: residency=DE"
    ]


def test_two_objects_of_one_name_are_told_apart_in_a_path() -> None:
    definitions = Definitions(
        "clinic", [asset("data_source:labs", tags={"residency": "DE"}), asset("feature_view:labs", "data_source:labs")]
    )
    labels = labels_of(definitions, policy(), "feature_view:labs", today=TODAY)
    assert labels.paths["residency"] == (("feature_view:labs", "data_source:labs: residency=DE"),)


def test_what_projects_the_sensitive_field_away_is_free_of_it() -> None:
    assert labels_of(clinic(), policy(), "feature_view:labs", today=TODAY).pii
    assert not labels_of(clinic(), policy(), "feature_view:labs", ["albumin"], today=TODAY).pii
    assert not labels_of(clinic(), policy(), "feature_service:liver_risk_v1", today=TODAY).pii


def test_the_path_of_a_field_names_the_field() -> None:
    labels = labels_of(clinic(), policy(), "feature_view:labs", ["name"], today=TODAY)
    assert labels.paths["pii"] == (("labs.name: pii=true",),)


def test_a_service_can_be_asked_for_some_of_its_fields() -> None:
    wide = Definitions("clinic", [*clinic().assets, asset("feature_service:wide", "feature_view:labs")])
    assert labels_of(wide, policy(), "feature_service:wide", today=TODAY).pii
    assert not labels_of(wide, policy(), "feature_service:wide", ["albumin"], today=TODAY).pii


def test_a_field_that_nobody_knows_counts_as_the_whole() -> None:
    wide = Definitions("clinic", [*clinic().assets, asset("feature_service:wide", "feature_view:labs")])
    assert labels_of(wide, policy(), "feature_view:labs", ["unheard"], today=TODAY).pii
    assert labels_of(wide, policy(), "feature_service:wide", ["unheard"], today=TODAY).pii


def test_a_tag_of_a_field_overrides_its_views_tag_but_not_what_is_inherited() -> None:
    fields = (Field("count", "Int64", {"pii": "false"}), Field("name", "String"))
    own = Definitions("clinic", [asset("feature_view:v", tags={"pii": "true"}, fields=fields)])
    assert not labels_of(own, policy(), "feature_view:v", ["count"], today=TODAY).pii
    source = asset("data_source:s", tags={"pii": "true"})
    inherited = Definitions("clinic", [source, asset("feature_view:v", "data_source:s", fields=fields)])
    assert labels_of(inherited, policy(), "feature_view:v", ["count"], today=TODAY).pii


def test_places_narrow_to_what_all_inputs_allow_after_zones_are_expanded() -> None:
    definitions = Definitions(
        "clinic",
        [
            asset("data_source:a", tags={"residency": "EU"}),
            asset("data_source:b", tags={"residency": "FR,NO"}),
            asset("feature_view:v", "data_source:a", "data_source:b"),
        ],
    )
    labels = labels_of(definitions, policy(), "feature_view:v", today=TODAY)
    assert labels.residency == frozenset({"FR"})
    assert labels.paths["residency"] == (("v", "a: residency=EU"), ("v", "b: residency=FR,NO"))


def test_a_tag_cannot_widen_what_is_inherited() -> None:
    definitions = Definitions(
        "clinic",
        [
            asset("data_source:a", tags={"residency": "DE"}),
            asset("feature_view:v", "data_source:a", tags={"residency": "EEA"}),
        ],
    )
    assert labels_of(definitions, policy(), "feature_view:v", today=TODAY).residency == frozenset({"DE"})


def test_declared_labels_flow_as_they_say() -> None:
    definitions = Definitions(
        "clinic",
        [
            asset("data_source:a", tags={"confidentiality": "secret", "licence": "a"}),
            asset("data_source:b", tags={"confidentiality": "internal", "licence": "b"}),
            asset("feature_view:v", "data_source:a", "data_source:b", tags={"confidentiality": "public"}),
        ],
    )
    labels = labels_of(definitions, policy(SECRET), "feature_view:v", today=TODAY)
    assert labels.custom == {"confidentiality": {"secret"}, "licence": {"a", "b"}}


def test_purposes_narrow_to_those_that_all_inputs_allow() -> None:
    definitions = Definitions(
        "clinic",
        [
            asset("data_source:a", tags={"purpose": "care, research"}),
            asset("data_source:b", tags={"purpose": "research,teaching"}),
            asset("feature_view:v", "data_source:a", "data_source:b"),
        ],
    )
    assert labels_of(definitions, policy(), "feature_view:v", today=TODAY).purpose == frozenset({"research"})


@pytest.mark.parametrize(("today", "pii"), [(date(2026, 6, 30), False), (date(2026, 7, 1), True)])
def test_a_declassification_drops_what_is_inherited_until_its_day(today: date, *, pii: bool) -> None:
    definitions = Definitions(
        "clinic",
        [
            asset("data_source:visits", tags={"pii": "true", "residency": "DE"}),
            asset("feature_view:counts", "data_source:visits"),
            asset("feature_service:dashboard", "feature_view:counts"),
        ],
    )
    labels = labels_of(definitions, policy(COUNTS), "feature_service:dashboard", today=today)
    assert labels.pii is pii
    assert labels.residency == frozenset({"DE"})


def test_a_declassification_leaves_what_the_object_says_itself() -> None:
    definitions = Definitions("clinic", [asset("feature_view:counts", tags={"pii": "true"})])
    assert labels_of(definitions, policy(COUNTS), "feature_view:counts", today=TODAY).pii


def test_records_tell_nowhere_from_nobody_said() -> None:
    both = [asset("data_source:a", tags={"residency": "DE"}), asset("data_source:b", tags={"residency": "FR"})]
    definitions = Definitions(
        "clinic", [*both, asset("feature_view:v", "data_source:a", "data_source:b"), asset("entity:e")]
    )
    nowhere = labels_of(definitions, policy(), "feature_view:v", today=TODAY).as_json()
    nobody = labels_of(definitions, policy(), "entity:e", today=TODAY).as_json()
    assert nowhere == {"residency": [], "pii": False, "purpose": [], "undeclared": ["purpose"], "custom": {}}
    assert nobody == {
        "residency": [],
        "pii": False,
        "purpose": [],
        "undeclared": ["residency", "purpose"],
        "custom": {},
    }


def test_a_request_for_several_views_has_the_labels_of_all_fields_asked_for() -> None:
    definitions = Definitions("clinic", [*clinic().assets, asset("feature_view:other", tags={"residency": "FR"})])
    asked = [Input("feature_view:labs", ("albumin",)), Input("feature_view:other")]
    labels = labels_of_request(definitions, policy(), asked, today=TODAY)
    assert (labels.residency, labels.pii) == (frozenset(), False)


def test_labels_of_something_that_is_not_defined_are_an_error() -> None:
    with pytest.raises(KeyError):
        labels_of(clinic(), policy(), "feature_view:none", today=TODAY)
