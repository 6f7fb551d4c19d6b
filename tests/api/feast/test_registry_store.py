"""What a governed registry lets in, and that it stays what it was."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.errors import AnswerIsNo, Denied, WrongQuestion

TAGS = {"residency": "DE", "pii": "true", "purpose": "research"}
OWNER = "data-office@hospital.example"


def _view(store: Any, name: str = "follow_up", **changes: Any) -> list[Any]:
    """A view of the follow-up file with its source and the example's patient; ``changes`` are made to the view."""
    from feast import FeatureView, Field, FileSource
    from feast.types import Int64, String

    source = FileSource(
        name=f"{name}_export",
        path="data/sources/follow_up.parquet",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        owner=OWNER,
        tags=changes.pop("source_tags", TAGS),
    )
    view = {
        "name": name,
        "entities": [store.get_entity("patient")],
        "ttl": timedelta(days=400),
        "schema": [Field(name="patient_id", dtype=Int64), Field(name="outcome", dtype=String)],
        "source": source,
        "owner": OWNER,
        "tags": TAGS,
        **changes,
    }
    return [source, FeatureView(**view)]


def _names(store: Any) -> set[str]:
    return {view.name for view in store.list_feature_views(allow_cache=True)}


def test_an_accepted_apply_is_one_recorded_decision_and_one_signed_head(applied: Any) -> None:
    repository, store = applied
    (decision,) = repository.predicates("decision")
    assert decision["gate"] == "apply"
    assert decision["outcome"] == "allow"
    assert decision["definitions"] == repository.head["definitions"]
    assert decision["policy"] == repository.head["policy"]
    assert _names(store) == {"laboratory", "demographics"}


def test_a_decision_names_the_commit_of_the_repository(repository: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(repository.path), "-c", "user.name=t", "-c", "user.email=t@t.example"]
    (repository.path / ".gitignore").write_text("data/\n")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "definitions"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as inside a git hook
    repository.apply()
    (decision,) = repository.predicates("decision")
    assert decision["repository"] == {"commit": commit, "dirty": False}


@pytest.mark.parametrize(
    ("changes", "rule", "denied"),
    [
        ({"owner": ""}, "ownership.owner", "feature_view:follow_up"),
        ({"source_tags": {"pii": "true"}}, "residency", "data_source:follow_up_export"),
    ],
    ids=["no owner", "no residency"],
)
def test_what_the_policy_denies_reaches_neither_infrastructure_nor_registry(
    repository: Any, changes: dict[str, Any], rule: str, denied: str
) -> None:
    store = repository.store()
    objects = repository.objects()
    source, view = _view_of(objects, **changes)
    before = repository.path / "data" / "online.db"
    with pytest.raises(Denied, match=rule) as refusal:
        store.apply([*objects, source, view])
    assert denied in str(refusal.value)
    assert "fix:" in str(refusal.value)
    assert not before.exists()
    assert repository.head["definitions"] == _empty_digest()
    (decision,) = repository.predicates("decision")
    assert decision["outcome"] == "deny"
    assert {one["object"] for one in decision["findings"]} >= {denied}


def test_german_data_does_not_get_into_an_online_store_in_france(repository: Any) -> None:
    repository.configure(lambda document: document["online_store"].update(path="data/mirror-fr/online.db"))
    with pytest.raises(Denied, match="residency") as refusal:
        repository.apply()
    assert "mirror-fr/online.db" in str(refusal.value)
    assert "path:" in str(refusal.value)
    assert not (repository.path / "data/mirror-fr").exists()


def test_another_yaml_file_is_judged_by_the_store_that_it_names(applied: Any) -> None:
    """`-f other.yaml` uses other stores than the file with the governance block, which is still feature_store.yaml."""
    repository, _ = applied
    repository.configure(
        lambda document: document["online_store"].update(path="data/mirror-fr/online.db"), "other.yaml"
    )
    head = repository.head
    with pytest.raises(Denied, match="mirror-fr"):
        repository.apply(repository.store("other.yaml"))
    assert repository.head == head
    assert not (repository.path / "data/mirror-fr").exists()


def test_a_missing_online_store_block_means_feasts_own_default(repository: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        del document["online_store"]

    policy = (repository.path / "policy.yaml").read_text()
    (repository.path / "policy.yaml").write_text(policy.replace("file://**/mirror-fr/**", "file://**/online.db"))
    repository.configure(change)
    with pytest.raises(Denied, match=r"online\.db"):
        repository.apply()


def test_after_a_denial_the_process_goes_on_with_what_the_registry_holds(applied: Any) -> None:
    repository, store = applied
    head = repository.head
    with pytest.raises(Denied):
        store.apply(_view(store, "careless", owner=""))
    assert repository.head == head
    assert _names(store) == {"laboratory", "demographics"}
    assert "careless" not in str(store.registry.proto())
    store.apply(_view(store))
    assert _names(store) == {"laboratory", "demographics", "follow_up"}
    assert [one["outcome"] for one in repository.predicates("decision")] == ["allow", "deny", "allow"]


def test_a_single_object_written_past_apply_is_judged_at_the_commit(applied: Any) -> None:
    """As the UI and the registry server write."""
    _, store = applied
    _, view = _view(store, "careless", owner="")
    with pytest.raises(Denied, match="owner"):
        store.registry.apply_feature_view(view, store.project)
    assert _names(store) == {"laboratory", "demographics"}


def test_two_feature_stores_of_one_configuration_are_both_judged_before_infrastructure(
    applied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feast import FeatureStore

    repository, first = applied
    monkeypatch.chdir(repository.path)  # where Feast looks for the registry of a bare configuration
    second = FeatureStore(config=first.config)
    assert second.list_feature_views()
    (repository.path / "data/online.db").unlink()
    with pytest.raises(Denied):
        first.apply(_view(first, "careless", owner=""))
    assert not (repository.path / "data/online.db").exists()


def test_opening_and_applying_the_same_again_is_no_decision_and_no_version(applied: Any) -> None:
    repository, _ = applied
    versions, head = repository.versions, repository.head
    repository.apply()
    assert repository.store().list_feature_views()
    assert (repository.versions, repository.head) == (versions, head)
    assert len(repository.records("decision")) == 1


def test_opening_an_empty_registry_is_no_decision(repository: Any) -> None:
    assert repository.store().list_feature_views() == []
    assert repository.records("decision") == []


def test_applying_the_same_again_is_refused_once_its_store_may_not_hold_it(applied: Any) -> None:
    repository, _ = applied
    repository.configure(lambda document: document["online_store"].update(path="data/mirror-fr/online.db"))
    with pytest.raises(Denied, match="mirror-fr"):
        repository.apply()
    assert not (repository.path / "data/mirror-fr").exists()


def test_a_tag_called_meta_is_part_of_the_definition(applied: Any) -> None:
    repository, store = applied
    (one, two) = (_view(store, "follow_up", tags={**TAGS, "meta": value}) for value in ("one", "two"))
    store.apply(one)
    before = repository.head["definitions"]
    store.apply(two)
    assert repository.head["definitions"] != before
    assert len(repository.records("decision")) == 3


def test_two_applies_of_other_objects_at_once_are_both_kept(applied: Any) -> None:
    repository, first = applied
    second = repository.store()
    assert second.list_feature_views()
    late = _view(second, "outcomes")
    first.apply(_view(first, "follow_up"))
    second.registry.apply_data_source(late[0], second.project, commit=False)
    second.registry.apply_feature_view(late[1], second.project)
    assert _names(second) == _names(repository.store()) == {"laboratory", "demographics", "follow_up", "outcomes"}
    assert _decided(repository)[-2:] == [("apply", "allow")] * 2


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
    source, view = _view(first)
    first.apply(source)
    second = repository.store()
    assert second.list_data_sources()
    first.registry.delete_data_source(source.name, first.project)
    head = repository.head
    with pytest.raises(Denied, match=r"inputs\.defined") as refusal:
        second.registry.apply_feature_view(view, second.project)
    assert source.name in str(refusal.value)
    assert repository.head == head
    assert _names(second) == {"laboratory", "demographics"}
    assert _decided(repository)[-1] == ("apply", "deny")


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


def test_nothing_is_added_to_a_registry_that_was_torn_down_meanwhile(applied: Any) -> None:
    repository, first = applied
    second = repository.store()
    late = _view(second, "outcomes")
    second.registry.apply_data_source(late[0], second.project, commit=False)
    first.registry.teardown()
    with pytest.raises(AnswerIsNo, match=r"changed by somebody else meanwhile\. Nothing was written"):
        second.registry.apply_feature_view(late[1], second.project)
    assert repository.store().list_feature_views() == []


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


def test_a_file_named_like_another_module_is_refused_by_name(repository: Any) -> None:
    (repository.path / "lineage.py").write_text("from liver_views import laboratory\n")
    with pytest.raises(WrongQuestion, match=r"lineage\.py is shadowed"):
        repository.apply()
    assert not (repository.path / "data/online.db").exists()
    assert repository.records("decision") == []


def test_teardown_keeps_every_version(applied: Any) -> None:
    repository, store = applied
    before = set(repository.versions)
    store.teardown()
    assert before <= set(repository.versions)
    assert repository.store().list_feature_views() == []
    store.registry.teardown()
    assert before <= set(repository.versions)
    assert not (repository.path / "data/registry/head.json").exists()


def _decided(repository: Any) -> list[tuple[str, str]]:
    return [(one["gate"], one["outcome"]) for one in repository.predicates("decision")]


def test_a_teardown_is_one_record_whatever_order_feast_removes_objects_in(applied: Any) -> None:
    from feast import PushSource

    repository, store = applied
    export, view = _view(store)
    pushed = PushSource(name="pushed", batch_source=export, owner=OWNER, tags=TAGS)
    view.batch_source, view.stream_source = export, pushed
    store.apply([view, pushed, export])
    before = repository.head
    store.teardown()
    assert _decided(repository) == [("apply", "allow"), ("apply", "allow"), ("teardown", "allow")]
    assert repository.predicates("decision")[-1]["definitions"] == before["definitions"]
    assert (repository.path / "data/registry" / before["object"]).exists()
    assert repository.store().list_data_sources() == []
    again = repository.apply()
    assert _names(again) == {"laboratory", "demographics"}


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
    assert _names(repository.store()) == {"laboratory", "demographics"}
    assert _decided(repository) == [("apply", "allow")]
    with pytest.raises(AnswerIsNo, match="was cut off in this process"):
        store.apply(_view(store))
    assert _names(store) == {"laboratory", "demographics"}
    store.apply(_view(store))
    assert _names(repository.store()) == {"laboratory", "demographics", "follow_up"}


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
    store.apply(_view(store))
    assert _names(repository.store()) == {"laboratory", "demographics", "follow_up"}
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
    assert _decided(repository)[-1] == ("teardown", "allow")
    assert repository.store().list_feature_views() == []
    assert _names(repository.apply()) == {"laboratory", "demographics"}


def test_a_head_that_was_deleted_is_noticed(applied: Any) -> None:
    repository, store = applied
    (repository.path / "data/registry/head.json").unlink()
    with pytest.raises(AnswerIsNo, match="head was deleted"):
        repository.store().list_feature_views()
    with pytest.raises(AnswerIsNo, match="head was deleted"):
        store.apply(_view(store))
    assert not (repository.path / "data/registry/head.json").exists()


def test_an_older_head_put_back_is_noticed_and_both_versions_are_named(applied: Any) -> None:
    repository, store = applied
    path = repository.path / "data/registry/head.json"
    old = path.read_bytes()
    before = repository.head["definitions"]
    store.apply(_view(store))
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
            store.apply(_view(store))
    assert repository.head == before
    assert "follow_up" in _names(repository.store())
    assert repository.head["definitions"] == repository.predicates("decision")[-1]["definitions"]


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
    assert _names(again) == {"laboratory", "demographics"}


def test_objects_of_another_project_do_not_ride_along(applied: Any) -> None:
    repository, store = applied
    head = repository.head
    _, view = _view(store, "careless", owner="")
    with pytest.raises(WrongQuestion, match="of project elsewhere"):
        store.registry.apply_feature_view(view, "elsewhere")
    assert "careless" not in str(repository.store().registry.proto())
    assert repository.head["definitions"] == head["definitions"]


def test_a_view_that_reads_elsewhere_than_its_source_says_is_judged_by_where_it_reads(applied: Any) -> None:
    from feast import FileSource

    _, store = applied
    view = store.get_feature_view("demographics")
    elsewhere = FileSource(**{**_arguments(view.batch_source), "path": "data/mirror-fr/demographics.parquet"})
    view.batch_source = elsewhere
    with pytest.raises(Denied, match="mirror-fr"):
        store.registry.apply_feature_view(view, store.project)


def test_a_kind_of_object_that_no_policy_can_judge_is_refused(applied: Any) -> None:
    from feast.protos.feast.core.ValidationProfile_pb2 import ValidationReference

    _, store = applied
    proto = store.registry.proto()
    proto.validation_references.append(ValidationReference(name="profile", project=store.project))
    with pytest.raises(WrongQuestion, match="validation references"):
        store.registry.commit()
    assert not len(store.registry.proto().validation_references)


def test_a_governed_provider_refuses_a_registry_that_is_not(repository: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        document["registry"] = {"path": "data/plain.db", "governance": "feature_store.yaml"}

    repository.configure(change)
    with pytest.raises(WrongQuestion, match="registry is not"):
        repository.apply()
    assert not (repository.path / "data/online.db").exists()


BROKEN = {
    "no governance block": (lambda d: d.pop("governance"), "no `governance:` block"),
    "a block that is a list": (lambda d: d.update(governance=[1]), "names no policy"),
    "an unknown setting": (lambda d: d["governance"].update(plicy="x"), "plicy"),
    "a policy that is not there": (lambda d: d["governance"].update(policy="none.yaml"), r"none\.yaml"),
    "no registry path": (lambda d: d["registry"].pop("path"), "names no path"),
    "a registry elsewhere": (lambda d: d["registry"].update(path="gs://b/r"), "gs://b/r"),
    "a registry that is a file": (lambda d: d["registry"].update(path="policy.yaml"), "is a file"),
    "a database that is no URL": (lambda d: d["governance"].update(database="nonsense"), "nonsense"),
    "a database that is not there": (
        lambda d: d["governance"].update(database="postgresql+psycopg://u:secret@127.0.0.1:1/x"),
        "cannot be opened",
    ),
    "objects by FTP": (lambda d: d["governance"].update(objects="ftp://b/o"), "ftp://b/o"),
}


@pytest.mark.parametrize("case", BROKEN, ids=list(BROKEN))
def test_a_broken_configuration_is_one_sentence_and_nothing_is_written(repository: Any, case: str) -> None:
    change, text = BROKEN[case]
    repository.configure(change)
    before = _files(repository.path)
    with pytest.raises(WrongQuestion, match=text) as error:
        repository.apply()
    assert error.value.exit_code == 2  # type: ignore[attr-defined] # click's, which Feast's command line reads
    assert "secret" not in str(error.value)
    assert _files(repository.path) == before


def test_a_malformed_policy_is_one_sentence_and_nothing_is_written(repository: Any) -> None:
    (repository.path / "policy.yaml").write_text("version: 1\nzones: [\n")
    before = _files(repository.path)
    with pytest.raises(WrongQuestion, match=r"policy\.yaml"):
        repository.apply()
    assert _files(repository.path) == before


def test_the_configuration_may_come_from_the_environment(repository: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import base64

    from feast import FeatureStore
    from feast.repo_config import load_repo_config

    file = repository.path / "feature_store.yaml"
    config = load_repo_config(repository.path, file)
    monkeypatch.setenv("FEATURE_STORE_YAML_BASE64", base64.b64encode(file.read_bytes()).decode())
    monkeypatch.chdir(repository.path)
    file.unlink()
    repository.apply(FeatureStore(config=config))
    assert [one["outcome"] for one in repository.predicates("decision")] == ["allow"]


def _view_of(objects: list[Any], **changes: Any) -> list[Any]:
    class Files:
        @staticmethod
        def get_entity(name: str) -> Any:
            return next(one for one in objects if one.name == name)

    return _view(Files(), **changes)


def _arguments(source: Any) -> dict[str, Any]:
    names = ("name", "timestamp_field", "created_timestamp_column", "owner", "tags", "description")
    return {name: getattr(source, name) for name in names}


def _empty_digest() -> str:
    from governance.assets import Definitions

    return Definitions("liver_care", []).digest


def _files(path: Path) -> set[str]:
    return {str(one.relative_to(path)) for one in path.rglob("*") if "__pycache__" not in one.parts}
