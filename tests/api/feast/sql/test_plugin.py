"""Feast's SQL registry with the plugin: what is denied is rolled back, whoever writes it and however."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import StaticPool, create_engine, text

from governance.errors import AnswerIsNo, Denied, WrongQuestion
from tests.answers import Answer
from tests.api.feast.sql.conftest import SQLITE, on_sql
from tests.api.feast.views import follow_up_view
from tests.processes import let_go, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # SQLAlchemy's pool is collected
]
APPLIED = {"laboratory", "demographics"}


def _views(store: Any) -> set[str]:
    return {view.name for view in store.list_feature_views(allow_cache=False)}


def test_a_registry_in_sql_lives_the_life_of_any_other(on_either: Any, liver_spine: Any) -> None:
    store = on_either.apply()
    assert _views(store) == APPLIED
    decided = on_either.predicates("decision")
    assert {one["outcome"] for one in decided} == {"allow"}
    assert [one["over"] for one in decided[1:]] == [one["definitions"] for one in decided[:-1]]

    with pytest.raises(Denied, match=r"ownership\.owner  feature_view:careless"):
        store.apply(follow_up_view(store, "careless", owner=""))
    assert _views(store) == _views(on_either.store()) == APPLIED
    assert on_either.decisions[-1] == ("apply", "deny")
    store.apply(follow_up_view(store, "late"))
    assert _views(store) == _views(on_either.store()) == {*APPLIED, "late"}

    job = store.get_historical_features(entity_df=liver_spine, features=["laboratory:bilirubin_mg_dl"])
    assert job.to_arrow().num_rows == len(liver_spine)
    assert on_either.records("retrieval")

    store.teardown()
    assert on_either.decisions[-1] == ("teardown", "allow")
    assert _views(on_either.store()) == set()  # Feast leaves old versions of views behind, and cannot make them anew


def test_applying_the_same_again_is_no_decision(on_sqlite: Any) -> None:
    store = on_sqlite.apply()
    decided = on_sqlite.decisions
    on_sqlite.apply(store)
    on_sqlite.apply()
    assert on_sqlite.decisions == decided


def test_sql_of_any_kind_is_decided_before_it_is_committed(on_either: Any) -> None:
    store = on_either.apply()
    engine = store.registry.write_engine
    spoiled = store.get_feature_view("laboratory").to_proto()
    spoiled.spec.owner = ""
    statement = text("UPDATE feature_views SET feature_view_proto = :data WHERE feature_view_name = 'laboratory'")
    with pytest.raises(Denied, match=r"ownership\.owner  feature_view:laboratory"), engine.begin() as connection:
        connection.execute(statement, {"data": spoiled.SerializeToString()})
    source: Any = store.get_data_source("laboratory_results").to_proto()
    source.tags.clear()
    statement = text("UPDATE data_sources SET data_source_proto = :data WHERE data_source_name = 'laboratory_results'")
    with engine.connect() as connection:
        connection.exec_driver_sql("SAVEPOINT mine")
        connection.execute(statement, {"data": source.SerializeToString()})
        connection.exec_driver_sql("RELEASE SAVEPOINT mine")
        with pytest.raises(Denied, match=r"residency\.required"):
            connection.commit()
    assert on_either.store().get_data_source("laboratory_results").tags
    assert on_either.store().get_feature_view("laboratory").owner != ""


@pytest.mark.parametrize("statement", ["COMMIT", "END TRANSACTION", "UPDATE entities SET project_id = 'x'; COMMIT"])
def test_no_statement_ends_a_transaction_past_the_decision(on_either: Any, statement: str) -> None:
    store = on_either.apply()
    with store.registry.write_engine.connect() as connection:
        connection.exec_driver_sql("UPDATE feature_services SET project_id = 'other'")
        with pytest.raises(AnswerIsNo, match="past the decision on it"):
            connection.exec_driver_sql(statement)
    assert on_either.store().list_feature_services()
    assert _views(on_either.store()) == APPLIED


@pytest.mark.system
def test_a_query_that_writes_is_decided_on_too(repository: Any, postgres: str) -> None:
    from feast.infra.registry import sql
    from sqlalchemy import select

    from tests.postgresql import new_database

    policy = repository.path / "policy.yaml"
    policy.write_text(
        policy.read_text().replace("\npacks:", '\n  - {match: "postgresql://127.0.0.1:*/**", zone: DE}\npacks:')
    )
    store = on_sql(repository, new_database(postgres)).apply()
    spoiled = store.get_feature_view("laboratory").to_proto()
    spoiled.spec.owner = ""
    one = sql.feature_views.c.feature_view_name == "laboratory"
    changed = (
        sql.feature_views.update().where(one).values(feature_view_proto=spoiled.SerializeToString()).returning(one)
    ).cte("changed")
    with store.registry.write_engine.connect() as connection:
        connection.execute(select(changed))
        with pytest.raises(Denied, match=r"ownership\.owner"):
            connection.commit()


def test_an_engine_with_one_connection_is_refused(on_sqlite: Any) -> None:
    on_sqlite.apply()
    config = str(on_sqlite.path / "feature_store.yaml")
    engine = create_engine(SQLITE, plugins=["provender"], provender_config=config, poolclass=StaticPool)
    with pytest.raises(WrongQuestion, match="one connection only"), engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM feature_views")
    engine.dispose()
    assert _views(on_sqlite.store()) == APPLIED


def test_tables_that_feast_read_while_somebody_applied_are_read_again(
    on_sqlite: Any, liver_spine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feast.infra.registry.sql import SqlRegistry

    store, whole = on_sqlite.apply(), SqlRegistry.proto

    def torn(registry: Any) -> Any:
        monkeypatch.setattr(SqlRegistry, "proto", whole)
        proto = whole(registry)
        del proto.feature_services[:]
        return proto

    monkeypatch.setattr(SqlRegistry, "proto", torn)
    job = store.get_historical_features(entity_df=liver_spine, features=["laboratory:bilirubin_mg_dl"])
    assert job.to_arrow().num_rows == len(liver_spine)


def test_what_is_rolled_back_is_not_asked_about(on_sqlite: Any) -> None:
    store = on_sqlite.apply()
    decided = on_sqlite.decisions
    with store.registry.write_engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM feature_services")
        connection.rollback()
    assert on_sqlite.decisions == decided
    assert store.list_feature_services()


def test_what_was_written_past_the_plugin_is_noticed(on_sqlite: Any, liver_spine: Any) -> None:
    store = on_sqlite.apply()
    with sqlite3.connect(on_sqlite.path / "data/feast.db") as past:
        past.execute("DELETE FROM feature_views WHERE feature_view_name = 'demographics'")
    past.close()
    again = on_sqlite.store()
    features = ["laboratory:bilirubin_mg_dl"]
    acts: tuple[Callable[[], object], ...] = (
        lambda: again.get_historical_features(entity_df=liver_spine, features=features),
        lambda: again.get_online_features(features=features, entity_rows=[{"patient_id": 1}]),
        lambda: again.apply(follow_up_view(again)),
        lambda: store.apply(follow_up_view(store)),
    )
    for act in acts:
        with pytest.raises(AnswerIsNo, match="which the last recorded decision did not let in"):
            act()


def test_an_older_database_put_back_is_noticed(on_sqlite: Any, tmp_path: Path) -> None:
    store = on_sqlite.apply()
    file = on_sqlite.path / "data/feast.db"
    shutil.copy(file, tmp_path)
    store.apply(follow_up_view(store, "one"))
    store.registry.write_engine.dispose()
    shutil.copy(tmp_path / "feast.db", file)
    again = on_sqlite.store()
    with pytest.raises(AnswerIsNo, match="an older backup was put back"):
        again.apply(follow_up_view(again, "other"))


APPLY = """
import sys
from pathlib import Path
from tests.api.feast.conftest import Repository
from tests.api.feast.views import follow_up_view
store = Repository(Path(sys.argv[1])).store()
objects = follow_up_view(store, sys.argv[2])
print("ready", flush=True)
input()
store.apply(objects)
"""


def test_two_processes_that_apply_at_once_lose_nothing(on_either: Any) -> None:
    on_either.apply()
    ends = let_go(started(APPLY, on_either.path, name) for name in ("one", "other"))
    assert [code for code, _ in ends] == [0, 0], ends
    assert _views(on_either.store()) == {*APPLIED, "one", "other"}
    allowed = [one for one in on_either.predicates("decision") if one["outcome"] == "allow"]
    assert [one["over"] for one in allowed[1:]] == [one["definitions"] for one in allowed[:-1]]


KILLED = """
import os, signal, sys
from pathlib import Path
from api.feast.gate import ApplyGate
from tests.api.feast.conftest import Repository
from tests.api.feast.views import follow_up_view

store = Repository(Path(sys.argv[1])).store()
objects = follow_up_view(store, "late")
record = ApplyGate.record

def recorded_and_killed(self, *arguments, **options):
    if sys.argv[2] == "after":
        record(self, *arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

ApplyGate.record = recorded_and_killed
store.apply(objects)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_transaction_that_is_killed_around_its_record_leaves_a_registry_that_goes_on(
    on_either: Any, moment: str, liver_spine: Any
) -> None:
    on_either.apply()
    process = started(KILLED, on_either.path, moment)
    _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    store = on_either.store()
    assert _views(store) == APPLIED
    job = store.get_historical_features(entity_df=liver_spine, features=["laboratory:bilirubin_mg_dl"])
    assert job.to_arrow().num_rows == len(liver_spine)
    store.apply(follow_up_view(store, "later"))
    assert _views(on_either.store()) == {*APPLIED, "later"}


def test_objects_that_break_a_new_rule_are_mended_one_after_the_other(on_sqlite: Any) -> None:
    store = on_sqlite.apply()
    store.apply(follow_up_view(store, "one"))
    store.apply(follow_up_view(store, "other"))
    rule = (
        "rules:\n  - {id: view.described, on: feature_view, when: 'description == \"\"', level: deny, gates: [apply],"
        " message: no description, fix: write one}"
    )
    policy = on_sqlite.path / "policy.yaml"
    policy.write_text(policy.read_text().replace("rules:", rule))
    with pytest.raises(Denied, match=r"view\.described  feature_view:third"):
        store.apply(follow_up_view(store, "third"))
    for name in ("one", "other"):
        view = follow_up_view(store, name, description="Outcomes at the end of follow-up.")[1]
        store.registry.apply_feature_view(view, store.project)
        assert store.registry.get_feature_view(name, store.project).description
    assert _views(store) == {*APPLIED, "one", "other"}


def test_a_view_whose_source_is_not_there_yet_is_judged_when_it_is(on_sqlite: Any) -> None:
    store = on_sqlite.apply()
    source, view = follow_up_view(store, "early", owner="")
    store.registry.apply_feature_view(view, store.project)
    with pytest.raises(Denied, match="which is not defined"):
        store.get_online_features(features=["early:outcome"], entity_rows=[{"patient_id": 1}])
    with pytest.raises(Denied, match=r"ownership\.owner  feature_view:early"):
        store.registry.apply_data_source(source, store.project)


def test_a_registry_that_was_filled_before_it_was_governed_is_decided_on_as_a_whole(
    repository: Any, liver_spine: Any
) -> None:
    on_sql(repository, SQLITE)
    governed = (repository.path / "feature_store.yaml").read_text()
    plain = {"registry_type": "sql", "path": f"sqlite:///{repository.path}/data/feast.db"}
    repository.configure(lambda document: document.update(registry=plain, provider="local", offline_store="file"))
    repository.configure(lambda document: document.pop("governance"))
    repository.apply()
    (repository.path / "feature_store.yaml").write_text(governed)

    store = repository.store()
    with pytest.raises(AnswerIsNo, match="filled before it was governed, and nothing of it was decided yet"):
        store.get_historical_features(entity_df=liver_spine, features=["laboratory:bilirubin_mg_dl"])
    repository.apply(store)
    assert repository.decisions == [("apply", "allow")]
    assert store.get_historical_features(entity_df=liver_spine, features=["laboratory:bilirubin_mg_dl"]).to_arrow()


def test_online_reads_are_decided_once_and_counted(on_sqlite: Any) -> None:
    store = on_sqlite.apply()
    for _ in range(5):
        store.get_online_features(features=["laboratory:bilirubin_mg_dl"], entity_rows=[{"patient_id": 1}])
    assert on_sqlite.decisions.count(("online", "allow")) == 1
    beside = on_sqlite.store()
    beside.apply(follow_up_view(beside))
    store.get_online_features(features=["laboratory:bilirubin_mg_dl"], entity_rows=[{"patient_id": 1}])


def test_plan_covers_the_whole_and_names_what_is_new(on_sqlite: Any, provender: Callable[..., Answer]) -> None:
    answer = provender("plan", "--repo", on_sqlite.path)
    assert answer.code == 0, answer.err
    on_sqlite.apply()
    assert "would change no definition" in provender("plan", "--repo", on_sqlite.path).out
    views = on_sqlite.path / "liver_views.py"
    views.write_text(views.read_text().replace('owner="hepatology@hospital.example"', 'owner=""'))
    answer = provender("plan", "--repo", on_sqlite.path)
    assert answer.code == 1
    assert "ownership.owner" in answer.out


def test_the_log_names_each_decision_and_old_versions_are_not_kept(
    on_sqlite: Any, provender: Callable[..., Answer]
) -> None:
    on_sqlite.apply()
    listed = provender("registry", "log", "--repo", on_sqlite.path, "--json").document
    assert [one["definitions"] for one in listed[::-1]] == [
        one["definitions"] for one in on_sqlite.predicates("decision")
    ]
    answer = provender("registry", "show", "head", "--repo", on_sqlite.path)
    assert answer.code == 2
    assert "Feast's SQL registry keeps no old versions" in answer.err


def test_it_is_the_same_database_from_every_working_directory(
    on_sqlite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_sqlite.apply()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert _views(on_sqlite.store()) == APPLIED
    assert not list(elsewhere.iterdir())


def test_feasts_own_command_line_is_decided_on(on_sqlite: Any, tmp_path: Path) -> None:
    applied = on_sqlite.cli("-c", str(on_sqlite.path), "apply", cwd=tmp_path)
    assert applied.returncode == 0, applied.stderr
    views = on_sqlite.path / "liver_views.py"
    views.write_text(views.read_text().replace('owner="hepatology@hospital.example"', 'owner=""'))
    refused = on_sqlite.cli("apply", "--skip-source-validation")
    assert refused.returncode == 1
    assert "apply denied: 1 deny\ndeny  ownership.owner  feature_view:laboratory" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_engine_that_no_feature_store_opens_is_governed_too(on_sqlite: Any) -> None:
    store = on_sqlite.apply()
    config = str(on_sqlite.path / "feature_store.yaml")
    engine = create_engine(f"{SQLITE}?plugin=provender", provender_config=config)
    with pytest.raises(WrongQuestion, match="of project other"), engine.begin() as connection:
        connection.exec_driver_sql("UPDATE entities SET project_id = 'other'")
    engine.dispose()
    assert [one.name for one in store.list_entities(allow_cache=False)] == ["patient"]


@pytest.mark.parametrize("named", [None, "feature_store.yaml"])
def test_nothing_is_looked_for_in_the_working_directory(
    on_sqlite: Any, named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(on_sqlite.path)
    with pytest.raises(WrongQuestion, match="Expected the absolute path"):
        create_engine("sqlite:///data/feast.db", plugins=["provender"], provender_config=named)


def test_another_provider_is_refused(on_sqlite: Any) -> None:
    on_sqlite.configure(lambda document: document.update(provider="local"))
    with pytest.raises(WrongQuestion, match="`provider:` is 'local'"):
        on_sqlite.store().list_feature_views()


def test_a_sql_registry_without_the_plugin_is_refused(repository: Any) -> None:
    plain = {"registry_type": "sql", "path": f"sqlite:///{repository.path}/data/feast.db"}
    repository.configure(lambda document: document.update(registry=plain))
    with pytest.raises(WrongQuestion, match="its registry is not"):
        repository.apply()


def test_a_registry_in_the_governance_databases_own_file_is_refused(repository: Any) -> None:
    on_sql(repository, "sqlite:///data/provender.db")
    with pytest.raises(WrongQuestion, match="are the same SQLite file"):
        repository.store().list_feature_views()


@pytest.mark.system
@pytest.mark.parametrize(
    ("level", "said"), [("AUTOCOMMIT", "without a transaction"), ("SERIALIZABLE", "run at SERIALIZABLE")]
)
def test_transactions_in_which_nothing_could_be_decided_are_refused(
    repository: Any, postgres: str, level: str, said: str
) -> None:
    from tests.postgresql import new_database

    on_sql(repository, new_database(postgres), isolation_level=level)
    with pytest.raises((AnswerIsNo, WrongQuestion), match=said):
        repository.store().list_feature_views()


def test_a_database_that_was_not_tried_is_refused(on_sqlite: Any) -> None:
    from sqlalchemy.engine import make_url

    from api.feast.sql.plugin import SqlRegistryPlugin

    plugin = SqlRegistryPlugin(make_url(SQLITE), {"provender_config": str(on_sqlite.path / "feature_store.yaml")})
    with pytest.raises(WrongQuestion, match="mysql was not tried"):
        plugin.engine_created(SimpleNamespace(dialect=SimpleNamespace(name="mysql")))  # type: ignore[arg-type]
