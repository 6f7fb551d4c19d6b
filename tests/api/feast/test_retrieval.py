"""A point-in-time retrieval: decided, recorded, canonical, and readable only as the snapshot that it became."""

from __future__ import annotations

import ast
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import governance
from governance.errors import AnswerIsNo, Denied, WrongQuestion

SERVICE = "liver_risk"
SOURCES = {"laboratory_results", "patient_register"}


def _ask(store: Any, spine: Any, **options: Any) -> Any:
    return store.get_historical_features(spine, features=store.get_feature_service(SERVICE), **options)


def _states(repository: Any) -> list[str]:
    return [one["state"] for one in repository.predicates("retrieval")]


def _outcomes_known(policy: Path, callers: str) -> None:
    """Replace the example's grant, which gives everybody one purpose and so states it for them."""
    text = policy.read_text()
    policy.write_text(text.replace('"process:*", purposes: [research]', callers))


def test_a_retrieval_is_recorded_from_start_to_snapshot(applied: Any, liver_spine: pd.DataFrame) -> None:
    repository, store = applied
    job = _ask(store, liver_spine)
    assert _states(repository) == ["START"]
    with pytest.raises(WrongQuestion, match="not run yet"):
        _ = job.snapshot
    table = job.to_arrow()
    start, complete = repository.predicates("retrieval")
    assert (start["state"], complete["state"]) == ("START", "COMPLETE")
    assert start["run"] == complete["run"] == job.snapshot.run_id
    assert complete["snapshot"] == job.snapshot.digest == job.snapshot.id
    assert complete["rows"] == table.num_rows == len(liver_spine)
    assert {one["name"] for one in complete["sources"]} == SOURCES
    assert complete["definitions"] == repository.head["definitions"]
    assert complete["request"]["purpose"] == "research"
    assert complete["spine"]["origin"]["code"]["name"].endswith("liver_spine")
    assert complete["validation"]
    assert all(one["success"] for one in complete["validation"] if one["severity"] == "critical"), complete[
        "validation"
    ]
    assert complete["labels"] == {**complete["labels"], "residency": ["DE"], "pii": True}
    event = complete["event"]
    (output,) = event["outputs"]
    assert output["facets"]["version"]["datasetVersion"] == job.snapshot.digest
    lineage = output["facets"]["columnLineage"]["fields"]
    assert {one["field"] for one in lineage["albi"]["inputFields"]} >= {"bilirubin_mg_dl", "albumin_g_dl"}
    assert repository.parts.snapshots.read(job.snapshot.digest).select(table.column_names).equals(table)


def test_rows_stand_in_the_order_of_the_spine_in_declared_types(applied: Any, liver_spine: pd.DataFrame) -> None:
    _, store = applied
    shuffled = liver_spine.sample(frac=1, random_state=7)
    table = _ask(store, shuffled).to_arrow()
    assert table.column("patient_id").to_pylist() == shuffled["patient_id"].tolist()
    types = {field.name: field.type for field in table.schema}
    assert types["event_timestamp"] == pa.timestamp("us", "UTC")
    assert types["histologic_stage"] == pa.int64()
    assert types["sex"] == pa.string()
    assert not [name for name in types if name.startswith("__")]


def test_feasts_own_stores_give_the_same_digest(
    applied: Any, liver_spine: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, store = applied
    spine = liver_spine.sample(frac=1, random_state=7).reset_index(drop=True)
    spine.loc[3, "patient_id"] = 999_999  # nobody
    mine = _ask(store, spine)
    mine.to_arrow()
    monkeypatch.chdir(repository.path)  # Feast's duckdb store takes the paths of sources from here
    for engine in ("duckdb", "dask"):
        repository.configure(lambda document, engine=engine: document.update(offline_store={"type": engine}), "e.yaml")
        theirs = _ask(repository.store("e.yaml"), spine)
        assert theirs.to_arrow().schema.names, engine
        assert theirs.snapshot.digest == mine.snapshot.digest, engine
    engines = [one["engine"]["name"] for one in repository.predicates("retrieval") if one["state"] == "COMPLETE"]
    assert engines == ["AsofOfflineStore", "DuckDBOfflineStore", "DaskOfflineStore"]


def test_an_engine_that_loses_rows_of_the_spine_is_found_out(applied: Any, liver_spine: pd.DataFrame) -> None:
    """Feast's dask store answers only one of several equal entity rows."""
    repository, _ = applied
    repository.configure(lambda document: document.update(offline_store={"type": "dask"}), "dask.yaml")
    doubled = pd.concat([liver_spine.head(40)] * 2, ignore_index=True)
    with pytest.raises(AnswerIsNo, match="40 rows for a spine of 80"):
        _ask(repository.store("dask.yaml"), doubled).to_df()
    assert _states(repository) == ["START", "FAIL"]


def test_duplicate_rows_of_a_spine_are_kept(applied: Any, liver_spine: pd.DataFrame) -> None:
    _, store = applied
    doubled = pd.concat([liver_spine.head(40)] * 2, ignore_index=True)
    table = _ask(store, doubled).to_arrow()
    assert table.num_rows == 80
    assert table.slice(0, 40).equals(table.slice(40))


def test_full_names_carry_the_view_and_the_suite_still_finds_its_columns(
    applied: Any, liver_spine: pd.DataFrame
) -> None:
    repository, store = applied
    table = _ask(store, liver_spine, full_feature_names=True).to_arrow()
    assert {"laboratory__albumin_g_dl", "demographics__sex", "liver_scores__albi"} <= set(table.column_names)
    complete = repository.predicates("retrieval")[-1]
    assert complete["validation"]
    assert "laboratory__albumin_g_dl" in complete["event"]["outputs"][0]["facets"]["columnLineage"]["fields"]


def test_on_demand_views_run_once_for_all_ways_out(
    applied: Any, liver_spine: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feast.on_demand_feature_view import OnDemandFeatureView

    _, store = applied
    ran: list[str] = []
    compute = OnDemandFeatureView.transform_arrow

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        ran.append(self.name)
        return compute(self, *arguments, **options)

    monkeypatch.setattr(OnDemandFeatureView, "transform_arrow", counted)
    job = _ask(store, liver_spine)
    job.to_df()
    job.to_arrow()
    assert ran == ["liver_scores"]


def test_one_job_is_one_run_and_one_snapshot(applied: Any, liver_spine: pd.DataFrame) -> None:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    repository, store = applied
    job = _ask(store, liver_spine)
    job.to_df()
    first = job.snapshot
    job.to_arrow()
    assert job.to_feast_df().data.num_rows == first.rows
    assert set(job.to_tensor()) == set(job.to_arrow().column_names)
    job.persist(SavedDatasetFileStorage(path="data/saved/liver.parquet"))
    assert pq.read_table(repository.path / "data/saved/liver.parquet").equals(job.to_arrow())
    assert job.snapshot is first
    assert _states(repository) == ["START", "COMPLETE"]


def test_threads_that_ask_at_once_share_one_run(applied: Any, liver_spine: pd.DataFrame) -> None:
    repository, store = applied
    job = _ask(store, liver_spine)
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda _: job.to_arrow(), range(4)))
    assert all(table is tables[0] for table in tables)
    assert _states(repository) == ["START", "COMPLETE"]


def test_the_purpose_is_that_of_the_moment_of_asking_whatever_thread_runs_the_job(
    repository: Any, liver_spine: pd.DataFrame
) -> None:
    _outcomes_known(repository.path / "policy.yaml", '"process:*", purposes: [care, research]')
    store = repository.apply()
    with governance.acting(purpose="care"):
        job = _ask(store, liver_spine)
    thread = threading.Thread(target=job.to_df)
    thread.start()
    thread.join()
    assert [one["request"]["purpose"] for one in repository.predicates("retrieval")] == ["care", "care"]


def test_without_a_purpose_there_is_no_retrieval_and_the_refusal_is_recorded(
    repository: Any, liver_spine: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    _outcomes_known(repository.path / "policy.yaml", '"process:*", purposes: [care, research]')
    store = repository.apply()
    with pytest.raises(Denied, match=r"purpose\.required") as refusal:
        _ask(store, liver_spine)
    assert "PROVENDER_PURPOSE" in str(refusal.value)
    with governance.acting(purpose="marketing"), pytest.raises(Denied, match=r"purpose\.allowed"):
        _ask(store, liver_spine)
    assert _states(repository) == ["DENIED", "DENIED"]
    assert repository.predicates("retrieval")[0]["event"]["eventType"] == "FAIL"
    monkeypatch.setenv("PROVENDER_PURPOSE", "care")
    assert _ask(store, liver_spine).to_arrow().num_rows == len(liver_spine)
    assert repository.predicates("retrieval")[-1]["request"]["purpose"] == "care"


def _ways_out() -> set[str]:
    """Methods by which any of Feast's retrieval jobs gives rows out, read from the source: most need a client."""
    import feast.infra

    trees = [ast.parse(path.read_text()) for path in Path(feast.infra.__file__).parent.rglob("*.py")]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    jobs = [node for node in classes if node.name.endswith("RetrievalJob")]
    names = {each.name for job in jobs for each in job.body if isinstance(each, ast.FunctionDef)}
    return {name for name in names if name.startswith(("to_", "persist"))}


def test_every_way_out_of_any_feast_job_is_recorded_or_refused(applied: Any, liver_spine: pd.DataFrame) -> None:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    repository, store = applied
    ways = _ways_out()
    recorded = {"to_df", "to_arrow", "to_tensor", "to_feast_df", "persist"}
    known = {"to_sql", "to_remote_storage", "to_spark_df", "to_ray_dataset", "to_bigquery", "to_snowflake", "to_s3"}
    assert recorded | known <= ways
    refused = set()
    for name in sorted(ways):
        job = _ask(store, liver_spine.head(60))
        arguments = [SavedDatasetFileStorage(path="data/saved.parquet")] if name == "persist" else []
        before = len(repository.records("retrieval"))
        try:
            getattr(job, name)(*arguments)
        except (AnswerIsNo, WrongQuestion):
            refused.add(name)
        assert (len(repository.records("retrieval")) > before) is (name not in refused), name
    assert refused == ways - recorded


def test_a_copy_in_a_place_that_the_labels_exclude_is_refused(applied: Any, liver_spine: pd.DataFrame) -> None:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    repository, store = applied
    job = _ask(store, liver_spine)
    with pytest.raises(Denied, match="mirror-fr"):
        job.persist(SavedDatasetFileStorage(path="data/mirror-fr/liver.parquet"))
    assert not (repository.path / "data/mirror-fr").exists()
    (denied,) = repository.predicates("write")
    assert (denied["state"], denied["verdict"]["outcome"]) == ("DENIED", "deny")


@pytest.mark.filterwarnings("ignore:Saving dataset:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Retrieving datasets:RuntimeWarning")
def test_a_saved_dataset_is_read_back_as_a_recorded_retrieval(applied: Any, liver_spine: pd.DataFrame) -> None:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    repository, store = applied
    job = _ask(store, liver_spine)
    storage = SavedDatasetFileStorage(path="data/saved.parquet")
    tags = {"residency": "DE", "pii": "true"}
    saved = store.create_saved_dataset(job, "liver", storage, tags=tags)
    assert [one["state"] for one in repository.predicates("write")] == ["START", "COMPLETE"]
    assert repository.predicates("write")[-1]["written"]["digest"] == job.snapshot.digest
    retrievals = len(repository.records("retrieval"))
    for one in (saved, store.get_saved_dataset("liver")):
        assert len(one.to_df()) == len(liver_spine)
    assert len(repository.records("retrieval")) == retrievals + 3  # the first has begun already
    again = repository.predicates("retrieval")[-1]
    assert again["sources"][0]["files"][0]["path"] == str(repository.path / "data/saved.parquet")
    assert len(repository.records("decision")) == 2


def test_a_source_that_changes_while_it_is_read_fails_the_run(
    applied: Any, liver_spine: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lineage.asof
    from api.feast import asof_store

    repository, store = applied
    file = repository.path / "data/sources/laboratory.parquet"
    join = lineage.asof.point_in_time_join

    def slow(*arguments: Any, **options: Any) -> Any:
        table = join(*arguments, **options)
        pq.write_table(pq.read_table(file).slice(1), file)
        return table

    monkeypatch.setattr(asof_store, "point_in_time_join", slow)
    job = _ask(store, liver_spine)
    with pytest.raises(WrongQuestion, match=r"laboratory\.parquet changed while it was read"):
        job.to_df()
    assert _states(repository) == ["START", "FAIL"]
    with pytest.raises(AnswerIsNo, match="failed already"):
        job.to_arrow()
    assert _states(repository) == ["START", "FAIL"]


@pytest.mark.parametrize("engine", ["api.feast.AsofOfflineStore", "duckdb", "dask"])
def test_a_file_that_appears_between_asking_and_reading_is_read_and_on_record(
    repository: Any, liver_spine: pd.DataFrame, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.path)
    file = repository.path / "data/sources/laboratory.parquet"
    repository.configure(lambda document: document.update(offline_store={"type": engine}))
    store = repository.apply()
    job = _ask(store, liver_spine)
    table = pq.read_table(file)
    changed = table.set_column(
        table.column_names.index("albumin_g_dl"), "albumin_g_dl", pa.nulls(len(table), pa.float64())
    )
    pq.write_table(changed, file)
    assert job.to_arrow().column("albumin_g_dl").null_count == len(liver_spine)


def test_a_frame_that_changes_after_asking_changes_nothing(applied: Any, liver_spine: pd.DataFrame) -> None:
    repository, store = applied
    spine = liver_spine.copy()
    job = _ask(store, spine)
    spine["event_within_365_days"] = 0
    table = job.to_arrow()
    assert table.column("event_within_365_days").to_pylist() == liver_spine["event_within_365_days"].tolist()
    assert repository.predicates("retrieval")[-1]["spine"]["origin"] is not None


def test_a_small_retrieval_is_named_at_random(applied: Any, liver_spine: pd.DataFrame) -> None:
    repository, store = applied
    job = _ask(store, liver_spine.head(49))
    job.to_df()
    complete = repository.predicates("retrieval")[-1]
    assert job.snapshot.digest.startswith("td1-sha256:")
    assert job.snapshot.id.startswith("random:")
    assert complete["snapshot"] == job.snapshot.id
    assert job.snapshot.digest.split(":")[1] not in str(complete)
    assert complete["spine"]["digest"] is None


def test_rows_that_cannot_be_recorded_are_not_given_out(applied: Any, liver_spine: pd.DataFrame) -> None:
    from sqlalchemy import event

    repository, store = applied
    job = _ask(store, liver_spine)
    engine = repository.parts.engine

    def read_only(connection: Any, _record: object, _proxy: object) -> None:
        connection.execute("PRAGMA query_only=ON")

    event.listen(engine, "checkout", read_only)
    engine.dispose()
    try:
        with pytest.raises(WrongQuestion, match="not recorded does not happen"):
            job.to_df()
        with pytest.raises(WrongQuestion, match="not run yet"):
            _ = job.snapshot
        with pytest.raises(WrongQuestion, match="not recorded does not happen"):
            _ask(store, liver_spine)
    finally:
        event.remove(engine, "checkout", read_only)
        engine.dispose()
    assert _states(repository) == ["START"]


def test_a_source_file_that_is_not_there_fails_in_one_sentence(applied: Any, liver_spine: pd.DataFrame) -> None:
    repository, store = applied
    (repository.path / "data/sources/laboratory.parquet").unlink()
    with pytest.raises(WrongQuestion, match=r"laboratory\.parquet cannot be read"):
        _ask(store, liver_spine).to_df()
    assert _states(repository) == ["START", "FAIL"]


def test_rows_that_nobody_can_follow_are_refused(applied: Any, liver_spine: pd.DataFrame) -> None:
    import dask.dataframe as dd

    repository, store = applied
    with pytest.raises(WrongQuestion, match="pandas DataFrame"):
        _ask(store, dd.from_pandas(liver_spine, npartitions=2))  # type: ignore[no-untyped-call] # dask's own
    with pytest.raises(WrongQuestion, match="__provender_row"):
        _ask(store, liver_spine.assign(__provender_row=1))
    assert _states(repository) == []


def test_without_a_spine_rows_stand_by_event_timestamp_then_join_keys(
    applied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feast.infra.offline_stores.dask import DaskOfflineStore

    from api.feast.asof_store import AsofRetrievalJob

    repository, _ = applied
    days = pd.to_datetime(["2013-01-01", "2012-01-01", "2012-01-01"], utc=True)
    answer = pa.table({"patient_id": [1, 3, 2], "bilirubin_mg_dl": [0.1, 0.2, 0.3], "event_timestamp": days})

    def engine_job(**_asked: Any) -> AsofRetrievalJob:
        return AsofRetrievalJob(lambda: answer, [], full_names=False, metadata=None, repo=repository.path)

    monkeypatch.setattr(DaskOfflineStore, "get_historical_features", staticmethod(engine_job))
    repository.configure(lambda document: document.update(offline_store={"type": "dask"}), "dask.yaml")
    moment = days[0].to_pydatetime()
    job = repository.store("dask.yaml").get_historical_features(
        None, features=["laboratory:bilirubin_mg_dl"], start_date=moment, end_date=moment
    )
    assert job.to_arrow()["patient_id"].to_pylist() == [2, 3, 1]


def test_an_error_after_the_record_keeps_its_cause(
    applied: Any, liver_spine: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, store = applied
    job = _ask(store, liver_spine)
    _refuse_after_commit(repository, monkeypatch)
    with pytest.raises(AnswerIsNo, match="the ledger refuses"):
        job.to_df()
    assert _states(repository) == ["START", "COMPLETE"]


def test_a_start_gets_its_leaf_with_the_end_of_its_run(applied: Any, liver_spine: pd.DataFrame) -> None:
    from audit.errors import UnknownRecord

    repository, store = applied
    ledger = repository.parts.ledger
    job = _ask(store, liver_spine)
    (start,) = repository.records("retrieval")
    with pytest.raises(UnknownRecord):
        ledger.prove(start.id)
    job.to_df()
    start, complete = repository.records("retrieval")
    assert ledger.prove(complete.id).index == ledger.prove(start.id).index + 1
    assert ledger.audit().ok


def _refuse_after_commit(repository: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AnswerIsNo("the ledger refuses")

    monkeypatch.setattr(repository.parts.recorder, "_after", refuse)


def test_objects_that_are_a_file_are_one_sentence(applied: Any, liver_spine: pd.DataFrame) -> None:
    repository, store = applied
    job = _ask(store, liver_spine)
    objects = repository.path / "data/objects"
    assert not objects.exists()
    objects.write_text("")
    with pytest.raises(WrongQuestion, match=r"data/objects cannot be written"):
        job.to_df()
    assert _states(repository) == ["START", "FAIL"]


@pytest.mark.parametrize("values", [[1, "Maria Musterfrau"], ["Maria Musterfrau", "x"], [1.5, 2.0]])
def test_no_message_repeats_a_value(applied: Any, values: list[Any]) -> None:
    _, store = applied
    when = pd.to_datetime(["2012-01-01"] * 2, utc=True)
    frame = pd.DataFrame({"patient_id": pd.Series(values, dtype=object), "event_timestamp": when})
    with pytest.raises((AnswerIsNo, WrongQuestion)) as error:
        _ask(store, frame).to_df()
    assert "Musterfrau" not in str(error.value)
    assert "1.5" not in str(error.value)
