"""What a governed registry lets in, and that it stays what it was."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from governance.errors import Denied, WrongQuestion
from tests.api.feast.views import TAGS, follow_up_view, view_names


def test_an_accepted_apply_is_one_recorded_decision_and_one_signed_head(applied: Any) -> None:
    repository, store = applied
    (decision,) = repository.predicates("decision")
    assert decision["gate"] == "apply"
    assert decision["outcome"] == "allow"
    assert decision["definitions"] == repository.head["definitions"]
    assert decision["policy"] == repository.head["policy"]
    assert view_names(store) == {"laboratory", "demographics"}


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
        store.apply(follow_up_view(store, "careless", owner=""))
    assert repository.head == head
    assert view_names(store) == {"laboratory", "demographics"}
    assert "careless" not in str(store.registry.proto())
    store.apply(follow_up_view(store))
    assert view_names(store) == {"laboratory", "demographics", "follow_up"}
    assert [one["outcome"] for one in repository.predicates("decision")] == ["allow", "deny", "allow"]


def test_a_single_object_written_past_apply_is_judged_at_the_commit(applied: Any) -> None:
    """As the UI and the registry server write."""
    _, store = applied
    _, view = follow_up_view(store, "careless", owner="")
    with pytest.raises(Denied, match="owner"):
        store.registry.apply_feature_view(view, store.project)
    assert view_names(store) == {"laboratory", "demographics"}


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
        first.apply(follow_up_view(first, "careless", owner=""))
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
    (one, two) = (follow_up_view(store, "follow_up", tags={**TAGS, "meta": value}) for value in ("one", "two"))
    store.apply(one)
    before = repository.head["definitions"]
    store.apply(two)
    assert repository.head["definitions"] != before
    assert len(repository.records("decision")) == 3


def test_a_file_named_like_another_module_is_refused_by_name(repository: Any) -> None:
    (repository.path / "lineage.py").write_text("from liver_views import laboratory\n")
    with pytest.raises(WrongQuestion, match=r"lineage\.py is shadowed"):
        repository.apply()
    assert not (repository.path / "data/online.db").exists()
    assert repository.records("decision") == []


def test_objects_of_another_project_do_not_ride_along(applied: Any) -> None:
    repository, store = applied
    head = repository.head
    _, view = follow_up_view(store, "careless", owner="")
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

    return follow_up_view(Files(), **changes)


def _arguments(source: Any) -> dict[str, Any]:
    names = ("name", "timestamp_field", "created_timestamp_column", "owner", "tags", "description")
    return {name: getattr(source, name) for name in names}


def _empty_digest() -> str:
    from governance.assets import Definitions

    return Definitions("liver_care", []).digest


def _files(path: Path) -> set[str]:
    return {str(one.relative_to(path)) for one in path.rglob("*") if "__pycache__" not in one.parts}
