"""A policy that changes: what that means is on record before anything is decided by it."""

from __future__ import annotations

from typing import Any

import pytest

from governance.errors import AnswerIsNo, Denied
from tests.api.feast.views import follow_up_view

OWNED = "  - {id: ttl.short, on: feature_view, when: 'ttl_seconds > 86400', gates: [apply], message: kept too long}\n"


def _stricter(repository: Any) -> str:
    """Let the policy deny views that live longer than a day; gives the policy before."""
    path = repository.path / "policy.yaml"
    old: str = path.read_text()
    path.write_text(old.replace("\nrules:\n", f"\nrules:\n{OWNED}"))
    return old


def test_the_first_apply_under_another_policy_records_what_it_newly_denies(applied: Any) -> None:
    repository, store = applied
    before = repository.head
    _stricter(repository)
    with pytest.raises(Denied, match=r"ttl\.short"):
        store.apply(follow_up_view(store))
    (change,) = repository.predicates("policy")
    assert change["old"] == {"policy": before["policy"], "outcome": "allow"}
    assert change["new"] == {"policy": repository.parts.policy().sha256, "outcome": "deny"}
    assert {(one["rule"], one["object"]) for one in change["denies"]} == {
        ("ttl.short", "feature_view:demographics"),
        ("ttl.short", "feature_view:laboratory"),
    }
    assert change["allows"] == []
    assert change["definitions"] == before["definitions"]
    kinds = [record.kind for record in repository.parts.records.all()]
    assert kinds[-2:] == ["policy", "decision"]


def test_a_policy_change_is_recorded_once_and_its_way_back_too(applied: Any) -> None:
    repository, store = applied
    old = _stricter(repository)
    for _ in range(2):
        with pytest.raises(Denied):
            store.apply(follow_up_view(store))
    (repository.path / "policy.yaml").write_text(old)
    repository.apply()
    repository.apply()
    there, back = repository.predicates("policy")
    assert (back["old"], back["new"]) == (there["new"], there["old"])
    assert {one["rule"] for one in back["allows"]} == {"ttl.short"}
    assert back["denies"] == []


def test_a_commit_of_bookkeeping_alone_does_not_say_that_the_new_policy_allowed_it(applied: Any) -> None:
    from datetime import UTC, datetime

    repository, store = applied
    before = repository.head
    _stricter(repository)
    view = store.get_feature_view("laboratory")
    times = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
    store.registry.apply_materialization(view, store.project, *times)
    assert repository.head["policy"] == before["policy"]
    assert repository.head["object"] != before["object"]
    assert repository.predicates("policy") == []


def test_nothing_is_compared_before_something_is_registered(repository: Any) -> None:
    repository.apply()
    assert repository.predicates("policy") == []


def test_a_kept_policy_that_was_edited_is_noticed_when_it_is_needed(applied: Any) -> None:
    repository, store = applied
    kept = repository.path / "data/registry/policies" / f"{repository.head['policy']}.yaml"
    kept.write_text(kept.read_text().replace("ownership", "residency"))
    _stricter(repository)
    with pytest.raises(AnswerIsNo, match="was changed behind our back"):
        store.apply(follow_up_view(store))
    assert len(repository.records("decision")) == 1
