"""Two who change a governed registry at once: nothing is lost, and a conflict names the object."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from governance.errors import AnswerIsNo, Denied
from tests.api.feast.views import follow_up_view, view_names


def test_two_applies_of_other_objects_at_once_are_both_kept(applied: Any) -> None:
    repository, first = applied
    second = repository.store()
    assert second.list_feature_views()
    late = follow_up_view(second, "outcomes")
    first.apply(follow_up_view(first, "follow_up"))
    second.registry.apply_data_source(late[0], second.project, commit=False)
    second.registry.apply_feature_view(late[1], second.project)
    assert (
        view_names(second) == view_names(repository.store()) == {"laboratory", "demographics", "follow_up", "outcomes"}
    )
    assert repository.decisions[-2:] == [("apply", "allow")] * 2


def test_two_applies_of_one_object_at_once_are_a_conflict_that_names_it(applied: Any) -> None:
    repository, first = applied
    second = repository.store()
    assert second.list_feature_views()
    _retag(first, "one")
    (view,) = (one for one in second.registry.proto().feature_views if one.spec.name == "laboratory")
    view.spec.tags["team"] = "other"
    with pytest.raises(AnswerIsNo, match="somebody else meanwhile, and both of you changed feature view laboratory"):
        second.registry.commit()
    assert repository.store().get_feature_view("laboratory").tags["team"] == "one"
    assert second.get_feature_view("laboratory").tags["team"] == "one"
    _retag(second, "other")
    assert repository.store().get_feature_view("laboratory").tags["team"] == "other"


def test_what_two_applies_make_together_is_judged_together(applied: Any) -> None:
    repository, first = applied
    source, view = follow_up_view(first)
    first.apply(source)
    second = repository.store()
    assert second.list_data_sources()
    first.registry.delete_data_source(source.name, first.project)
    head = repository.head
    with pytest.raises(Denied, match=r"inputs\.defined") as refusal:
        second.registry.apply_feature_view(view, second.project)
    assert source.name in str(refusal.value)
    assert repository.head == head
    assert view_names(second) == {"laboratory", "demographics"}
    assert repository.decisions[-1] == ("apply", "deny")


def test_materializing_a_view_that_is_changed_meanwhile_keeps_both(applied: Any) -> None:
    repository, first = applied
    second = repository.store()
    view = second.get_feature_view("laboratory")
    _retag(first, "new team")
    times = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
    second.registry.apply_materialization(view, second.project, *times)
    now = repository.store().get_feature_view("laboratory")
    assert now.tags["team"] == "new team"
    assert now.materialization_intervals == [times]
    assert len(repository.records("decision")) == 2


def _retag(store: Any, team: str) -> None:
    view = store.get_feature_view("laboratory")
    view.tags = {**view.tags, "team": team}
    store.apply(view)
