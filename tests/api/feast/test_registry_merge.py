"""Two changes of one registry made beside each other, in all the ways that two people may change it."""

from __future__ import annotations

from typing import Any

import pytest
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from hypothesis import given
from hypothesis import strategies as st

from api.feast.registry_merge import Conflict, merged

KINDS = ("entities", "data_sources", "feature_views", "feature_services", "permissions")
Objects = dict[tuple[str, str], str]
"""(kind, name) → its description"""

objects = st.dictionaries(
    st.tuples(st.sampled_from(KINDS), st.sampled_from("abcd")), st.sampled_from(["", "x", "y"]), max_size=8
)


def _registry(content: Objects, intervals: tuple[int, ...] = ()) -> RegistryProto:
    proto = RegistryProto()
    proto.projects.add().spec.name = "care"
    for (kind, name), text in content.items():
        _add(proto, kind, name, text, intervals)
    return proto


def _add(proto: RegistryProto, kind: str, name: str, text: str, intervals: tuple[int, ...]) -> None:
    one: Any = getattr(proto, kind).add()
    spec = one if kind == "data_sources" else one.spec
    spec.name, spec.project = name, "care"
    spec.tags["text"] = text
    for start in intervals if kind == "feature_views" else ():
        one.meta.materialization_intervals.add().start_time.seconds = start


def _content(proto: RegistryProto) -> Objects:
    found = {}
    for kind in KINDS:
        for one in getattr(proto, kind):
            spec = one if kind == "data_sources" else one.spec
            found[kind, spec.name] = spec.tags["text"]
    return found


def _applied(content: Objects, base: Objects, changed: Objects) -> Objects:
    """``content`` with what ``changed`` made of ``base``: the slow and obvious way."""
    result = dict(content)
    for key in base.keys() | changed.keys():
        if base.get(key) != changed.get(key):
            result.pop(key, None)
            if key in changed:
                result[key] = changed[key]
    return result


@given(base=objects, theirs=objects, mine=objects)
def test_two_changes_are_both_kept_in_either_order_or_refused_by_name(
    base: Objects, theirs: Objects, mine: Objects
) -> None:
    ways = [base.keys() | theirs.keys() | mine.keys()]
    both = {k for k in ways[0] if theirs.get(k) != base.get(k) != mine.get(k) and theirs.get(k) != mine.get(k)}
    protos = {"base": _registry(base), "theirs": _registry(theirs), "mine": _registry(mine)}
    if both:
        with pytest.raises(Conflict) as refusal:
            merged(**protos)
        assert all(name in str(refusal.value) for _kind, name in both)
        return
    result = _content(merged(**protos))
    assert result == _applied(theirs, base, mine) == _applied(mine, base, theirs)


@given(before=st.sets(st.integers(0, 5)), there=st.sets(st.integers(0, 5)), here=st.sets(st.integers(0, 5)))
def test_intervals_are_added_and_taken_away_one_by_one(before: set[int], there: set[int], here: set[int]) -> None:
    view: Objects = {("feature_views", "a"): "x"}
    protos = [_registry(view, tuple(sorted(one))) for one in (before, there, here)]
    result = merged(base=protos[0], theirs=protos[1], mine=protos[2])
    (found,) = result.feature_views
    starts = [one.start_time.seconds for one in found.meta.materialization_intervals]
    assert sorted(starts) == sorted((there - (before - here)) | (here - before))


def test_an_interval_lands_on_a_view_that_was_changed_meanwhile() -> None:
    base, theirs = _registry({("feature_views", "a"): "x"}), _registry({("feature_views", "a"): "changed"})
    mine = _registry({("feature_views", "a"): "x"}, (7,))
    for result in (merged(base=base, theirs=theirs, mine=mine), merged(base=base, theirs=mine, mine=theirs)):
        assert _content(result) == {("feature_views", "a"): "changed"}
        assert len(result.feature_views[0].meta.materialization_intervals) == 1


def test_an_interval_of_a_view_that_was_removed_meanwhile_is_gone_with_it() -> None:
    base, mine = _registry({("feature_views", "a"): "x"}), _registry({("feature_views", "a"): "x"}, (7,))
    assert _content(merged(base=base, theirs=_registry({}), mine=mine)) == {}
    assert _content(merged(base=base, theirs=mine, mine=_registry({}))) == {}


def test_views_of_any_kind_share_their_names() -> None:
    theirs, mine = _registry({("feature_views", "Age"): "x"}), _registry({})
    one = mine.on_demand_feature_views.add()
    one.spec.name, one.spec.project = "age", "care"
    with pytest.raises(Conflict, match="feature view age"):
        merged(base=_registry({}), theirs=theirs, mine=mine)


def test_what_has_no_name_of_its_own_is_added_and_taken_away() -> None:
    base, theirs, mine = (_registry({}) for _ in range(3))
    for proto, paths in ((base, "ab"), (theirs, "abc"), (mine, "bd")):
        for path in paths:
            proto.infra.infra_objects.add().sqlite_table.path = path
    result = merged(base=base, theirs=theirs, mine=mine)
    assert [one.sqlite_table.path for one in result.infra.infra_objects] == ["b", "c", "d"]


def test_a_project_that_two_see_first_at_once_keeps_the_first_number() -> None:
    theirs, mine = _registry({}), _registry({})
    for proto, number in ((theirs, "1"), (mine, "2")):
        proto.project_metadata.add(project="care", project_uuid=number)
    result = merged(base=RegistryProto(), theirs=theirs, mine=mine)
    assert [one.project_uuid for one in result.project_metadata] == ["1"]
    assert [one.spec.name for one in result.projects] == ["care"]
