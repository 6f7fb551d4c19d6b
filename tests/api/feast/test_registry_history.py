"""What was defined when, and Feast opened at an old version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from governance.errors import AnswerIsNo, WrongQuestion
from tests.answers import Answer

SPINE = pd.DataFrame({"patient_id": [1], "event_timestamp": [datetime(2026, 1, 1, tzinfo=UTC)]})


@pytest.fixture
def changed(applied: Any) -> Any:
    """A repository that was applied, and then again with a view that knows less."""
    repository, store = applied
    first = repository.head["definitions"]
    view = store.get_feature_view("laboratory")
    view.ttl = timedelta(days=7)
    store.apply([view])
    return repository, first, repository.head["definitions"]


def test_the_log_lists_every_version_with_who_when_and_policy(changed: Any, provender: Callable[..., Answer]) -> None:
    repository, first, second = changed
    listed = provender("registry", "log", "--repo", repository.path, "--json").document
    assert [one["definitions"] for one in listed] == [second, first]
    assert [one["record"] for one in listed] == [one.id for one in repository.records("decision")][::-1]
    assert all(one["policy"] == repository.head["policy"] and one["actor"] for one in listed)
    assert listed[0]["object"] == repository.head["object"]
    told = provender("registry", "log", "--repo", repository.path).out
    assert first[:8] in told
    assert second[:8] in told


def test_what_differs_between_two_versions_is_said(changed: Any, provender: Callable[..., Answer]) -> None:
    repository, first, second = changed
    answer = provender("registry", "diff", first[:8], "--repo", repository.path)
    assert answer.code == 1
    assert "~ feature_view:laboratory" in answer.out
    assert "ttl" in answer.out
    document = provender("registry", "diff", second, first, "--repo", repository.path, "--json").document
    assert [(one["action"], one["object"]) for one in document["changes"]] == [("change", "feature_view:laboratory")]
    same = provender("registry", "diff", second, "--repo", repository.path)
    assert (same.code, same.out) == (0, "Both versions define the same.\n")


def test_the_policy_that_allowed_a_version_is_kept_to_the_byte(changed: Any, provender: Callable[..., Answer]) -> None:
    repository, first, _ = changed
    file = repository.path / "policy.yaml"
    old = file.read_text()
    file.write_text(old + "# stricter one day\n")
    store = repository.store()
    view = store.get_feature_view("laboratory")
    view.ttl = timedelta(days=8)
    store.apply([view])
    assert provender("registry", "policy", first[:8], "--repo", repository.path).out == old
    assert provender("registry", "policy", "--repo", repository.path).out == old + "# stricter one day\n"
    (kept,) = (one for one in (repository.path / "data/registry/policies").iterdir() if one.read_text() == old)
    kept.write_text(old.replace("residency", "nothing"))
    answer = provender("registry", "policy", first[:8], "--repo", repository.path)
    assert answer.code == 1
    assert "was changed behind our back" in answer.err


def test_what_was_defined_at_a_moment_is_found_again(changed: Any, provender: Callable[..., Answer]) -> None:
    repository, first, second = changed
    times = [datetime.fromisoformat(record.time) for record in repository.records("decision")]
    between, before = times[1] - timedelta(microseconds=1), times[0] - timedelta(seconds=1)
    shown = provender("registry", "as-of", between.isoformat(), "--repo", repository.path, "--json").document
    assert shown["definitions"] == first
    assert {"feature_view:laboratory", "entity:patient"} <= {one["object"] for one in shown["objects"]}
    assert provender("registry", "show", "--repo", repository.path, "--json").document["definitions"] == second
    assert first in provender("registry", "show", first[:10], "--repo", repository.path).out
    missing = provender("registry", "as-of", before.isoformat(), "--repo", repository.path)
    assert missing.code == 2
    assert "nothing had been applied yet" in missing.err
    assert provender("registry", "as-of", "yesterday", "--repo", repository.path).code == 2


@pytest.mark.parametrize("name", ["", "abc", "ffffffffff", "HEAD", "../../policy.yaml"])
def test_a_name_that_means_no_version_is_a_wrong_question(
    changed: Any, provender: Callable[..., Answer], name: str
) -> None:
    answer = provender("registry", "show", name, "--repo", changed[0].path)
    assert answer.code == 2
    assert "provender registry log" in answer.err


def test_a_teardown_is_part_of_the_history_and_leaves_it_readable(
    changed: Any, provender: Callable[..., Answer]
) -> None:
    repository, first, second = changed
    repository.store().registry.teardown()
    listed = provender("registry", "log", "--repo", repository.path, "--json").document
    assert listed[0]["gate"] == "teardown"
    assert second in {one["definitions"] for one in listed}
    now = provender("registry", "show", "--repo", repository.path)
    assert now.code == 2
    assert "everything was torn down" in now.err
    assert provender("registry", "show", first, "--repo", repository.path).code == 0


def test_a_version_that_was_edited_is_not_shown(changed: Any, provender: Callable[..., Answer]) -> None:
    repository, first, _ = changed
    (old,) = (one for one in provender("registry", "log", "--repo", repository.path, "--json").document[1:])
    path = repository.path / "data/registry" / old["object"]
    path.write_bytes(path.read_bytes() + b"\x00")
    answer = provender("registry", "show", first, "--repo", repository.path)
    assert answer.code == 1
    assert "versions/" in answer.err
    _pin(repository, first)
    with pytest.raises(AnswerIsNo):
        repository.store("old.yaml").list_feature_views()


def _pin(repository: Any, version: Any) -> None:
    repository.configure(lambda document: document["registry"].update(version=version), "old.yaml")


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted((root / "data/registry").rglob("*")) if path.is_file()}


def test_feast_opened_at_an_old_version_shows_it(changed: Any) -> None:
    repository, first, _ = changed
    before = _contents(repository.path)
    _pin(repository, first)
    old = repository.store("old.yaml")
    assert old.get_feature_view("laboratory").ttl != timedelta(days=7)
    assert repository.store().get_feature_view("laboratory").ttl == timedelta(days=7)
    assert (
        "laboratory"
        in repository.invoke(
            "-c", str(repository.path), "-f", str(repository.path / "old.yaml"), "feature-views", "list"
        ).output
    )
    assert _contents(repository.path) == before


def test_an_old_version_is_neither_written_nor_read_from_nor_torn_down(changed: Any) -> None:
    repository, first, _ = changed
    _pin(repository, first)
    before, records = _contents(repository.path), repository.records("decision")
    view = repository.store("old.yaml").get_feature_view("laboratory")
    now = datetime.now(UTC)
    acts: list[Callable[[Any], Any]] = [
        lambda store: store.apply([view]),
        lambda store: store.registry.apply_feature_view(view, store.project),
        lambda store: store.registry.delete_feature_view("laboratory", store.project),
        lambda store: store.get_historical_features(SPINE, features=["laboratory:bilirubin_mg_dl"]),
        lambda store: store.get_online_features(
            features=["laboratory:bilirubin_mg_dl"], entity_rows=[{"patient_id": 1}]
        ),
        lambda store: store.materialize(now - timedelta(days=9), now),
        lambda store: store.registry.teardown(),
        lambda store: store.teardown(),
    ]
    for act in acts:
        with pytest.raises(WrongQuestion, match="opened at the old version"):
            act(repository.store("old.yaml"))
        assert _contents(repository.path) == before
    assert repository.records("decision") == records
    assert repository.records("retrieval") == []


@pytest.mark.parametrize("version", ["head", "abc123", 12345678, "f" * 63])
def test_an_old_version_is_named_by_its_whole_digest(changed: Any, version: Any) -> None:
    repository, _, _ = changed
    _pin(repository, version)
    with pytest.raises(WrongQuestion, match="64 hex digits"):
        repository.store("old.yaml").list_feature_views()


def test_a_version_that_no_decision_let_in_is_not_opened(changed: Any) -> None:
    repository, _, _ = changed
    _pin(repository, "f" * 64)
    with pytest.raises(WrongQuestion, match="no version of the registry"):
        repository.store("old.yaml").list_feature_views()


def test_a_plan_at_an_old_version_is_refused(changed: Any, provender: Callable[..., Answer]) -> None:
    repository, first, _ = changed
    _pin(repository, first)
    answer = provender("plan", "--repo", repository.path, "-f", repository.path / "old.yaml")
    assert answer.code == 2
    assert "opened at the old version" in answer.err
