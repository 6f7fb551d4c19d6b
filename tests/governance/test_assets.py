from __future__ import annotations

import hashlib
import itertools

import pytest

from governance.assets import Asset, Definitions
from governance.canonical import canonical_json
from governance.errors import ConfigurationError
from tests.governance.pictures import asset, clinic


def test_the_definition_version_is_the_hash_of_the_sorted_objects_as_canonical_json() -> None:
    views = [asset("feature_view:b", definition={"n": 2}), asset("data_source:a", definition={"n": 1.5})]
    expected = [
        {"type": "data_source", "project": "clinic", "name": "a", "definition": {"n": 1.5}},
        {"type": "feature_view", "project": "clinic", "name": "b", "definition": {"n": 2}},
    ]
    assert Definitions("clinic", views).digest == hashlib.sha256(canonical_json(expected)).hexdigest()


def test_the_order_in_which_objects_are_given_makes_no_new_version() -> None:
    assets = [asset("feature_view:b", "data_source:a"), asset("data_source:a"), asset("entity:c")]
    digests = {Definitions("clinic", order).digest for order in itertools.permutations(assets)}
    assert len(digests) == 1


def test_what_the_feature_store_makes_itself_and_the_project_row_make_no_new_version() -> None:
    made = Asset(kind="entity", name="__dummy", project="clinic", system=True)
    row = Asset(kind="project", name="clinic", project="clinic", definition={"n": 1})
    assert Definitions("clinic", [*clinic().assets, made, row]).digest == clinic().digest


def test_the_version_of_nothing_is_that_of_the_empty_list() -> None:
    assert Definitions("clinic", []).digest == hashlib.sha256(b"[]").hexdigest()


def test_a_circle_of_definitions_is_an_error_that_prints_it() -> None:
    circle = Definitions(
        "clinic",
        [
            asset("on_demand_feature_view:a", "on_demand_feature_view:b"),
            asset("on_demand_feature_view:b", "on_demand_feature_view:c"),
            asset("on_demand_feature_view:c", "on_demand_feature_view:a"),
        ],
    )
    with pytest.raises(ConfigurationError) as error:
        _ = circle.graph.order
    assert str(error.value) == (
        "definitions are made from each other in a circle: on_demand_feature_view:a <- on_demand_feature_view:b <- "
        "on_demand_feature_view:c <- on_demand_feature_view:a; break it at one of them"
    )


def test_inputs_come_before_what_is_made_from_them() -> None:
    order = clinic().graph.order
    assert (
        order.index("data_source:visits")
        < order.index("feature_view:labs")
        < order.index("on_demand_feature_view:albi")
    )


def test_a_chain_of_ten_thousand_views_has_an_order() -> None:
    views = [
        asset("feature_view:0"),
        *(asset(f"feature_view:{one}", f"feature_view:{one - 1}") for one in range(1, 10_000)),
    ]
    assert Definitions("clinic", views).graph.order[-1] == "feature_view:9999"


def test_two_objects_of_one_key_are_an_error() -> None:
    with pytest.raises(ConfigurationError, match="feature_view:labs is defined twice in project clinic"):
        Definitions("clinic", [asset("feature_view:labs"), asset("feature_view:labs")])


def test_an_object_of_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="kind 'feature_veiw' named 'labs'; known kinds: data_source, entity"):
        Definitions("clinic", [asset("feature_veiw:labs")])
