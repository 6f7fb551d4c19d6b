"""Feast's data sources as lineage opens them: which are understood, in which state, and how that is recorded."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from governance.errors import WrongQuestion
from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from tests.lineage.sources import iceberg_tables


@pytest.fixture
def make_view() -> Any:
    """A view over a source; only its source counts here."""
    from feast import Entity, FeatureView

    def make(source: Any) -> Any:
        return FeatureView(name=f"view_of_{source.name}", entities=[Entity(name="patient")], source=source)

    return make


def file_source(path: str, **more: Any) -> Any:
    from feast import FileSource

    return FileSource(name="labs", path=path, timestamp_field="time", **more)


def write(path: Path, *values: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"value": values}), path)
    return path


def values(opened: Any) -> list[int]:
    found: list[int] = opened.dataset.to_table(columns=["value"]).column("value").to_pylist()
    return sorted(found)


def test_paths_are_below_the_repository_absolute_or_uris(tmp_path: Path) -> None:
    from api.feast.sources import opened

    file = write(tmp_path / "repo" / "data" / "a b.parquet", 1)
    for path in ("data/a b.parquet", str(file), file.as_uri(), "data/../data/*.parquet", "data"):
        found = opened(file_source(path), tmp_path / "repo")
        assert values(found) == [1]
    assert opened(file_source("data/a b.parquet"), tmp_path / "repo").uri == file.as_uri()


def test_a_relative_repository_means_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.feast.sources import opened

    write(tmp_path / "repo" / "a.parquet", 1)
    monkeypatch.chdir(tmp_path)
    (file,) = opened(file_source("a.parquet"), Path("repo")).state({}).files
    assert file.path == str(tmp_path / "repo" / "a.parquet")


def test_delta_is_read_as_delta(tmp_path: Path) -> None:
    from feast.data_format import DeltaFormat

    from api.feast.sources import opened

    write_deltalake(tmp_path / "labs", pa.table({"value": [1, 2]}))
    DeltaTable(tmp_path / "labs").delete("value = 1")
    found = opened(file_source("labs", file_format=DeltaFormat()), tmp_path)
    assert values(found) == [2]
    with pytest.raises(SourceUnreadable, match=r"is a Delta table.*DeltaFormat\(\)"):
        opened(file_source("labs"), tmp_path)


def test_an_iceberg_source_is_found_by_its_catalogue(tmp_path: Path) -> None:
    from feast.infra.data_sources.contrib.iceberg_catalog import IcebergSource

    from api.feast.sources import opened

    made = iceberg_tables.properties(tmp_path)
    iceberg_tables.create(made, pa.table({"value": [1, 2]}))
    source = IcebergSource(
        name="labs",
        catalog_type="sql",
        catalog_name="tests",
        warehouse=made["warehouse"],
        namespace="labs",
        table="values",
        catalog_properties={"uri": made["uri"]},
        timestamp_field="time",
    )
    again = IcebergSource.from_proto(source.to_proto())  # as it comes out of the registry
    found = opened(again, tmp_path)
    assert values(found) == [1, 2]
    assert found.uri == "iceberg://tests/labs.values"


def test_s3_takes_endpoint_and_credentials_as_feast_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from feast.credentials import ConnectionRef

    from api.feast.sources import lineage_source

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    source = file_source(
        "s3://Bucket/labs/", s3_endpoint_override="http://store:8333", connection_ref=ConnectionRef("env", "AWS_")
    )
    found: Any = lineage_source(source, tmp_path)
    assert (found.uri, found.path) == ("s3+http://store:8333/bucket/labs/", "Bucket/labs")
    assert asdict(found.storage.access) == {
        "endpoint": "http://store:8333",
        "access_key": "key",
        "secret_key": "secret",
        "session_token": None,
        "region": "eu-central-1",
    }
    assert "secret" not in repr(found)


def test_credentials_that_cannot_be_had_are_said(tmp_path: Path) -> None:
    from feast.credentials import ConnectionRef

    from api.feast.sources import opened

    source = file_source("s3://bucket/labs", connection_ref=ConnectionRef("nowhere", "labs"))
    with pytest.raises(SourceUnreadable, match="credentials of source labs cannot be had"):
        opened(source, tmp_path)


def test_what_is_no_file_and_no_table_is_unknown(tmp_path: Path, make_view: Any) -> None:
    from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import PostgreSQLSource

    from api.feast.denial import NotOffered
    from api.feast.sources import check_views, keys_now, observe_views, opened

    for source in (PostgreSQLSource(name="labs", query="SELECT 1"), file_source("gs://bucket/labs")):
        with pytest.raises(NotOffered, match="reads Parquet files, Delta and Iceberg tables"):
            opened(source, tmp_path)
        views = (make_view(source),)
        (state,) = observe_views(views, tmp_path, {})
        assert (state.state, state.files) == ("unknown", ())
        check_views(views, tmp_path, pinned=False)
        assert keys_now(views, tmp_path) == (("labs", None),)


def test_one_act_sees_one_state(tmp_path: Path, make_view: Any) -> None:
    from feast.data_format import DeltaFormat

    from api.feast.sources import check_views, observe_views, one_state, opened

    write_deltalake(tmp_path / "labs", pa.table({"value": [1]}))
    source = file_source("labs", file_format=DeltaFormat())
    views = (make_view(source),)
    with one_state():
        (state,) = observe_views(views, tmp_path, {})
        write_deltalake(tmp_path / "labs", pa.table({"value": [2]}), mode="append")
        assert values(opened(source, tmp_path)) == [1]
        assert observe_views(views, tmp_path, {})[0].table == state.table
        check_views(views, tmp_path, pinned=True)
        with pytest.raises(SourceUnreadable, match="labs changed while it was read"):
            check_views(views, tmp_path, pinned=False)  # an engine that read whatever was there
    assert values(opened(source, tmp_path)) == [1, 2]


def test_within_pinning_the_recorded_state_is_read(tmp_path: Path) -> None:
    from feast.data_format import DeltaFormat

    from api.feast.sources import one_state, opened, pinning

    write_deltalake(tmp_path / "labs", pa.table({"value": [1]}))
    write(tmp_path / "other.parquet", 1)
    source, other = file_source("labs", file_format=DeltaFormat()), file_source("other.parquet")
    other.name = "other"
    state = opened(source, tmp_path).state({})
    write_deltalake(tmp_path / "labs", pa.table({"value": [2]}), mode="append")
    write(tmp_path / "other.parquet", 2)
    with pinning([state]), one_state():
        assert values(opened(source, tmp_path)) == [1]
        assert values(opened(other, tmp_path)) == [2]
    assert values(opened(source, tmp_path)) == [1, 2]


def test_the_standing_of_a_recorded_state_is_told(tmp_path: Path) -> None:
    from api.feast.sources import opened, pinning, standing_of

    file, source = write(tmp_path / "a.parquet", 1), file_source("a.parquet")
    state = opened(source, tmp_path).state({})
    assert standing_of(source, state, tmp_path).standing == "as recorded"
    write(file, 2)
    found = standing_of(source, state, tmp_path)
    assert (found.name, found.standing) == ("labs", "changed")
    assert "hold other bytes" in found.detail
    with pinning([state]), pytest.raises(SourceChanged):
        opened(source, tmp_path)
    file.unlink()
    assert standing_of(source, state, tmp_path).standing == "gone"
    with pinning([state]), pytest.raises(SourceGone):
        opened(source, tmp_path)


def test_keys_tell_without_reading_whether_anything_moved(tmp_path: Path, make_view: Any) -> None:
    from api.feast.sources import keys_now

    views = (make_view(file_source("data")),)
    assert keys_now(views, tmp_path) == (("labs", None),)
    write(tmp_path / "data" / "a.parquet", 1)
    before = keys_now(views, tmp_path)
    assert keys_now(views, tmp_path) == before
    write(tmp_path / "data" / "b.parquet", 1)
    assert keys_now(views, tmp_path) != before


def _as_delta(repository: Any) -> Path:
    """Make the laboratory's file a Delta table, and say so in the definitions."""
    file = repository.path / "data" / "sources" / "laboratory.parquet"
    table: Path = repository.path / "data" / "sources" / "laboratory"
    write_deltalake(table, pq.read_table(file))
    file.unlink()
    code = repository.path / "liver_sources.py"
    changed = code.read_text().replace(
        'path="data/sources/laboratory.parquet"', 'path="data/sources/laboratory", file_format=DeltaFormat()'
    )
    code.write_text(
        f"{changed}\n".replace("from feast import", "from feast.data_format import DeltaFormat\nfrom feast import", 1)
    )
    return table


def _asked(store: Any, spine: pd.DataFrame) -> Any:
    job = store.get_historical_features(spine, features=store.get_feature_service("liver_risk"))
    job.to_arrow()
    return job


def test_a_retrieval_reads_and_records_one_version_of_a_delta_table(repository: Any, liver_spine: pd.DataFrame) -> None:
    table = _as_delta(repository)
    store = repository.apply()
    first = _asked(store, liver_spine)
    DeltaTable(table).delete("event_timestamp < '2010-06-01T00:00:00Z'")
    second = _asked(store, liver_spine)
    assert first.snapshot.digest != second.snapshot.digest
    complete = [one for one in repository.predicates("retrieval") if one["state"] == "COMPLETE"]
    sources = [next(s for s in one["sources"] if s["name"] == "laboratory_results") for one in complete]
    identity = str(DeltaTable(table).metadata().id)
    tables = [{name: one["table"][name] for name in ("format", "id", "version")} for one in sources]
    assert tables == [{"format": "delta", "id": identity, "version": n} for n in (0, 1)]
    assert all(len(file["sha256"]) == 64 for one in sources for file in one["files"])


def test_digests_of_sources_are_remembered_by_the_next_process(
    repository: Any, liver_spine: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineage.sources import digests

    monkeypatch.setattr(digests, "SETTLED", -1)
    _asked(repository.apply(), liver_spine)
    _asked(repository.store(), liver_spine)  # another provider: nothing is remembered but in the file
    complete = [one for one in repository.predicates("retrieval") if one["state"] == "COMPLETE"]
    assert [{source["state"] for source in one["sources"]} for one in complete] == [{"computed"}, {"cached"}]
    assert (repository.path / "data" / "source-digests.db").stat().st_mode & 0o777 == 0o600


def test_a_source_with_a_column_of_another_type_is_one_sentence(repository: Any, liver_spine: pd.DataFrame) -> None:
    file = repository.path / "data" / "sources" / "laboratory.parquet"
    rows = pq.read_table(file)
    folder = repository.path / "data" / "sources" / "laboratory"
    folder.mkdir()
    pq.write_table(rows, folder / "a.parquet")
    pq.write_table(rows.set_column(0, rows.column_names[0], rows.column(0).cast(pa.string())), folder / "b.parquet")
    file.unlink()
    code = repository.path / "liver_sources.py"
    code.write_text(code.read_text().replace("sources/laboratory.parquet", "sources/laboratory"))
    store = repository.store()
    with pytest.raises(WrongQuestion, match=r"not of one schema: column \w+ is string in .*b\.parquet"):
        _asked(repository.apply(store), liver_spine)


def test_a_missing_source_is_one_sentence(applied: Any, liver_spine: pd.DataFrame) -> None:
    repository, store = applied
    (repository.path / "data" / "sources" / "laboratory.parquet").unlink()
    with pytest.raises(WrongQuestion, match=r"laboratory\.parquet cannot be read: No such file or directory"):
        _asked(store, liver_spine)


def test_two_places_of_one_name_are_refused(tmp_path: Path, make_view: Any) -> None:
    """An older version of a view may have been defined over a source that has moved since."""
    from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import PostgreSQLSource

    from api.feast.denial import NotOffered
    from api.feast.sources import check_views, keys_now, observe_views

    old, new = write(tmp_path / "old.parquet", 1), write(tmp_path / "new.parquet", 2)
    assert old != new
    apart = (
        (file_source("old.parquet"), file_source("new.parquet")),
        (file_source("old.parquet"), PostgreSQLSource(name="labs", query="SELECT 1")),
        (PostgreSQLSource(name="labs", query="SELECT 2"), PostgreSQLSource(name="labs", query="SELECT 1")),
        (file_source("gs://bucket/a"), file_source("gs://bucket/b")),
    )
    for sources in apart:
        views = tuple(make_view(source) for source in sources)
        for act in (
            lambda: observe_views(views, tmp_path, {}),  # noqa: B023 - called here
            lambda: keys_now(views, tmp_path),  # noqa: B023 - called here
            lambda: check_views(views, tmp_path, pinned=False),  # noqa: B023 - called here
        ):
            with pytest.raises(NotOffered, match="Two sources at different places are called labs"):
                act()


def test_one_place_in_other_words_is_one_source(tmp_path: Path, make_view: Any) -> None:
    from api.feast.sources import observe_views

    file = write(tmp_path / "a.parquet", 1)
    described = file_source("a.parquet", description="of the laboratory", field_mapping={"value": "one"})
    sources = (file_source("a.parquet"), described, file_source(str(file)), file_source(file.as_uri()))
    (state,) = observe_views(tuple(make_view(one) for one in sources), tmp_path, {})
    assert [one.path for one in state.files] == [str(file)]
