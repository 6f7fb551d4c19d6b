"""A governed registry's head: what is put in its place by hand, and what a crash leaves, is noticed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.errors import AnswerIsNo
from tests.api.feast.views import follow_up_view, view_names


@pytest.mark.parametrize("member", ["definitions", "policy", "object"])
def test_a_head_edited_by_hand_is_noticed(applied: Any, member: str) -> None:
    repository, _ = applied
    path = repository.path / "data/registry/head.json"
    other = [name for name in repository.versions if name not in repository.head["object"]]
    changed = f"versions/{other[0]}" if member == "object" else "0" * 64
    path.write_text(json.dumps({**repository.head, member: changed}))
    with pytest.raises(AnswerIsNo, match="edited by hand"):
        repository.store().list_feature_views()


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"object": "x", "definitions": "y", "policy": "z"}'])
def test_a_head_that_is_no_head_is_one_sentence(applied: Any, content: str) -> None:
    repository, _ = applied
    (repository.path / "data/registry/head.json").write_text(content)
    with pytest.raises(AnswerIsNo, match="not as it was written"):
        repository.store().list_feature_views()


def test_a_version_edited_by_hand_is_noticed(applied: Any) -> None:
    repository, _ = applied
    path = repository.path / "data/registry" / repository.head["object"]
    path.write_bytes(path.read_bytes().replace(b"hepatology@hospital", b"oncology12@hospital"))
    with pytest.raises(AnswerIsNo, match="behind our back"):
        repository.store().list_feature_views()


def test_a_head_that_was_deleted_is_noticed(applied: Any) -> None:
    repository, store = applied
    (repository.path / "data/registry/head.json").unlink()
    with pytest.raises(AnswerIsNo, match="head was deleted"):
        repository.store().list_feature_views()
    with pytest.raises(AnswerIsNo, match="head was deleted"):
        store.apply(follow_up_view(store))
    assert not (repository.path / "data/registry/head.json").exists()


def test_an_older_head_put_back_is_noticed_and_both_versions_are_named(applied: Any) -> None:
    repository, store = applied
    path = repository.path / "data/registry/head.json"
    old = path.read_bytes()
    before = repository.head["definitions"]
    store.apply(follow_up_view(store))
    after = repository.head["definitions"]
    path.write_bytes(old)
    with pytest.raises(AnswerIsNo, match="older one was put back") as refusal:
        repository.store().list_feature_views()
    assert before in str(refusal.value)
    assert after in str(refusal.value)


def test_a_commit_cut_off_after_its_decision_is_completed(applied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.feast.registry_commits import RegistryCommits

    repository, store = applied
    before = repository.head

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(RegistryCommits, "_complete", killed)
        with pytest.raises(KeyboardInterrupt):
            store.apply(follow_up_view(store))
    assert repository.head == before
    assert "follow_up" in view_names(repository.store())
    assert repository.head["definitions"] == repository.predicates("decision")[-1]["definitions"]
