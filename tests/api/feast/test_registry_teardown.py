"""A teardown of a governed registry is one act, recorded, and keeps every version."""

from __future__ import annotations

from typing import Any

import pytest

from governance.errors import AnswerIsNo
from tests.api.feast.views import OWNER, TAGS, follow_up_view, view_names


def test_nothing_is_added_to_a_registry_that_was_torn_down_meanwhile(applied: Any) -> None:
    repository, first = applied
    second = repository.store()
    late = follow_up_view(second, "outcomes")
    second.registry.apply_data_source(late[0], second.project, commit=False)
    first.registry.teardown()
    with pytest.raises(AnswerIsNo, match=r"changed by somebody else meanwhile\. Nothing was written"):
        second.registry.apply_feature_view(late[1], second.project)
    assert repository.store().list_feature_views() == []


def test_teardown_keeps_every_version(applied: Any) -> None:
    repository, store = applied
    before = set(repository.versions)
    store.teardown()
    assert before <= set(repository.versions)
    assert repository.store().list_feature_views() == []
    store.registry.teardown()
    assert before <= set(repository.versions)
    assert not (repository.path / "data/registry/head.json").exists()


def test_a_teardown_is_one_record_whatever_order_feast_removes_objects_in(applied: Any) -> None:
    from feast import PushSource

    repository, store = applied
    export, view = follow_up_view(store)
    pushed = PushSource(name="pushed", batch_source=export, owner=OWNER, tags=TAGS)
    view.batch_source, view.stream_source = export, pushed
    store.apply([view, pushed, export])
    before = repository.head
    store.teardown()
    assert repository.decisions == [("apply", "allow"), ("apply", "allow"), ("teardown", "allow")]
    assert repository.predicates("decision")[-1]["definitions"] == before["definitions"]
    assert (repository.path / "data/registry" / before["object"]).exists()
    assert repository.store().list_data_sources() == []
    again = repository.apply()
    assert view_names(again) == {"laboratory", "demographics"}


def test_a_teardown_that_is_cut_off_leaves_the_registry_whole(applied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from feast.infra.registry.registry import Registry

    repository, store = applied
    before = repository.head

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(Registry, "delete_entity", killed)
        with pytest.raises(KeyboardInterrupt):
            store.teardown()
    assert repository.head == before
    assert view_names(repository.store()) == {"laboratory", "demographics"}
    assert repository.decisions == [("apply", "allow")]
    with pytest.raises(AnswerIsNo, match="was cut off in this process"):
        store.apply(follow_up_view(store))
    assert view_names(store) == {"laboratory", "demographics"}
    store.apply(follow_up_view(store))
    assert view_names(repository.store()) == {"laboratory", "demographics", "follow_up"}


def test_a_teardown_whose_infrastructure_stays_takes_no_definition_away(
    applied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feast.infra.online_stores.sqlite import SqliteOnlineStore

    repository, store = applied

    def busy(*_: Any, **__: Any) -> None:
        raise OSError(16, "busy")

    with monkeypatch.context() as crash:
        crash.setattr(SqliteOnlineStore, "teardown", busy)
        with pytest.raises(OSError, match="busy"):
            store.teardown()
    store.apply(follow_up_view(store))
    assert view_names(repository.store()) == {"laboratory", "demographics", "follow_up"}
    store.teardown()
    assert repository.store().list_entities() == []


def test_a_teardown_cut_off_after_its_record_is_completed(applied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.feast.registry_commits import RegistryCommits

    repository, store = applied

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(RegistryCommits, "_complete", killed)
        with pytest.raises(KeyboardInterrupt):
            store.teardown()
    assert repository.decisions[-1] == ("teardown", "allow")
    assert repository.store().list_feature_views() == []
    assert view_names(repository.apply()) == {"laboratory", "demographics"}


def test_a_registry_that_was_torn_down_is_empty_and_its_old_head_does_not_come_back(applied: Any) -> None:
    repository, store = applied
    path = repository.path / "data/registry/head.json"
    old = path.read_bytes()
    store.registry.teardown()
    assert repository.predicates("decision")[-1]["gate"] == "teardown"
    assert repository.store().list_feature_views() == []
    path.write_bytes(old)
    with pytest.raises(AnswerIsNo, match="undone by a teardown"):
        repository.store().list_feature_views()
    path.unlink()
    again = repository.apply()
    assert view_names(again) == {"laboratory", "demographics"}
