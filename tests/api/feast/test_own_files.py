"""What governance stands on is no place for rows, whatever a caller allows to be overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.feast.own_files import overlap
from governance.errors import Denied, WrongQuestion
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view


def _rows(*values: float) -> pa.Table:
    at = [hours(-1)] * len(values)
    return pa.table({"patient_id": [1] * len(values), "event_timestamp": times(at), "rate": list(values)})


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """A repository with one view, of one source."""
    return Small(tmp_path / "repository").prepare()


def _applied(small: Small, *more: Any) -> Any:
    from feast import Field
    from feast.types import Float64, Int64

    patient = entity("patient", "patient_id")
    schema = [Field(name="patient_id", dtype=Int64), Field(name="rate", dtype=Float64)]
    return small.applied(patient, view("laboratory", small.source("visits", _rows(0.5)), [patient], schema), *more)


def _job(store: Any) -> Any:
    spine = pd.DataFrame({"patient_id": [1], "event_timestamp": [NOON]})
    job = store.get_historical_features(spine, features=["laboratory:rate"])
    job.to_arrow()
    return job


def _contents(root: Path) -> dict[str, bytes]:
    """Every file, except SQLite's own beside a database, which may come and go."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _persist(job: Any, path: Path | str, form: Any = None) -> None:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    job.persist(SavedDatasetFileStorage(path=str(path), file_format=form), allow_overwrite=True)


OWN = [
    "data/provender.db",
    "data/provender.db-wal",
    "data/provender.db-journal",
    "data/online.db",
    "data/source-digests.db",
    "data/keys",
    "data/keys/more.parquet",
    "data/keys/deep/more.parquet",
    "data/objects",
    "data/objects/snapshots/more.parquet",
    "data/checkpoints/more.parquet",
    "data/registry/head.json",
    "data/registry/versions",
    "data",
    ".",
    "..",
    "policy.yaml",
    "feature_store.yaml",
    "expectations",
    "expectations/laboratory.json",
    "sources/../policy.yaml",
]


@pytest.mark.parametrize("place", OWN)
def test_no_copy_of_a_retrieval_takes_the_place_of_what_governs_it(small: Small, place: str) -> None:
    job = _job(_applied(small))
    before = _contents(small.path.parent)
    with pytest.raises(WrongQuestion, match=r"has files in common with the|is no Parquet file"):
        _persist(job, place)
    assert _contents(small.path.parent) == before
    assert not small.predicates("write")


def test_no_copy_takes_the_place_of_a_stored_snapshot_a_key_or_a_file_of_any_other_kind(small: Small) -> None:
    from feast.data_format import DeltaFormat

    (small.path / "notes.txt").write_text("by hand")
    job = _job(_applied(small))
    (stored,) = (small.path / "data/objects").rglob("*.parquet")
    keys = sorted((small.path / "data/keys").iterdir())
    before = _contents(small.path)
    for place in (stored, *keys, small.path / "notes.txt"):
        with pytest.raises(WrongQuestion):
            _persist(job, place)
    with pytest.raises(WrongQuestion, match="has files in common with the keys"):
        _persist(job, "data/keys", DeltaFormat())
    assert _contents(small.path) == before


def test_a_symbolic_link_leads_round_nothing(small: Small) -> None:
    job = _job(_applied(small))
    (small.path / "vault").symlink_to(small.path / "data/objects")
    (small.path / "rules.parquet").symlink_to(small.path / "policy.yaml")
    (small.path / "data/keys/out.parquet").symlink_to(small.path / "out.parquet")
    before = _contents(small.path)
    for place in ("vault", "vault/more.parquet", "rules.parquet", "data/keys/out.parquet"):
        with pytest.raises(WrongQuestion, match="has files in common with the"):
            _persist(job, place)
    assert _contents(small.path) == before


@pytest.mark.parametrize("place", ["data/keys/more.parquet", "data/objects", "policy.yaml", "data/no%74es/../keys"])
def test_a_uri_leads_round_nothing(small: Small, place: str) -> None:
    job = _job(_applied(small))
    before = _contents(small.path)
    with pytest.raises(WrongQuestion, match="has files in common with the"):
        _persist(job, f"file://{small.path}/{place}")
    assert _contents(small.path) == before


@pytest.mark.parametrize("place", ["sources/visits.parquet", "sources"])
def test_no_copy_takes_the_place_of_a_source(small: Small, place: str) -> None:
    job = _job(_applied(small))
    before = _contents(small.path / "sources")
    with pytest.raises(WrongQuestion, match=r"is what .* reads"):
        _persist(job, place)
    assert _contents(small.path / "sources") == before


def test_no_copy_becomes_a_row_of_a_source_by_lying_where_its_wildcard_looks(small: Small) -> None:
    from feast import FileSource

    (small.path / "days").mkdir()
    pq.write_table(_rows(1.0), small.path / "days/day-1.parquet")
    source = FileSource(name="days", path="days/day-*.parquet", timestamp_field="event_timestamp", **LABELS)
    job = _job(_applied(small, source))
    for place in ("days/day-2.parquet", "days"):
        with pytest.raises(WrongQuestion, match="is what data_source:days reads"):
            _persist(job, place)
    _persist(job, "days/other.parquet")


def test_a_copy_may_take_the_place_of_an_older_one(small: Small) -> None:
    job = _job(_applied(small))
    for _ in range(2):
        _persist(job, "data/saved.parquet")
    (small.path / "data/empty").touch()
    _persist(job, "data/empty")
    assert pq.read_table(small.path / "data/empty").num_rows == 1


def test_a_source_or_log_that_lies_in_what_governs_is_not_written(small: Small) -> None:
    from feast import FeatureService, FileSource
    from feast.feature_logging import LoggingConfig
    from feast.infra.offline_stores.file_source import FileLoggingDestination

    logging = LoggingConfig(destination=FileLoggingDestination(path="data/objects/logs"))
    store = _applied(small)
    laboratory = store.get_feature_view("laboratory")
    store.apply([FeatureService(name="risk", features=[laboratory], logging_config=logging, **LABELS)])
    _job(store)
    (stored,) = (small.path / "data/objects").rglob("*.parquet")
    laboratory.batch_source = FileSource(name="visits", path=str(stored), timestamp_field="event_timestamp")
    before = _contents(small.path / "data/objects")
    with pytest.raises(WrongQuestion, match="has files in common with the objects"):
        store.provider.offline_write_batch(store.config, laboratory, pq.read_table(stored), None)
    with pytest.raises(WrongQuestion, match="has files in common with the objects"):
        store.write_logged_features(logs=_rows(1.0), source=store.get_feature_service("risk"))
    assert _contents(small.path / "data/objects") == before


def _logged(store: Any, path: str) -> None:
    from feast import FeatureService
    from feast.feature_logging import LoggingConfig
    from feast.infra.offline_stores.file_source import FileLoggingDestination

    logging = LoggingConfig(destination=FileLoggingDestination(path=path))
    laboratory = store.get_feature_view("laboratory")
    store.apply([FeatureService(name="risk", features=[laboratory], logging_config=logging, **LABELS)])
    store.write_logged_features(logs=_rows(1.0), source=store.get_feature_service("risk"))


def _days(small: Small, name: str = "days") -> Any:
    """A directory of one file, and the source that reads it."""
    from feast import FileSource

    (small.path / name).mkdir()
    pq.write_table(_rows(1.0), small.path / name / "day-1.parquet")
    return FileSource(name=name, path=name, timestamp_field="event_timestamp", **LABELS)


def test_a_log_never_becomes_rows_of_features(small: Small) -> None:
    from feast import Field
    from feast.types import Float64, Int64

    source = _days(small)
    schema = [Field(name="patient_id", dtype=Int64), Field(name="rate", dtype=Float64)]
    store = _applied(small, source, view("daily", source, [entity("patient", "patient_id")], schema))
    for path in ("days", "days/logs", "sources"):
        before = _contents(small.path / "days"), _contents(small.path / "sources")
        with pytest.raises(WrongQuestion, match=r"is what .* reads"):
            _logged(store, path)
        assert (_contents(small.path / "days"), _contents(small.path / "sources")) == before


def test_a_log_may_be_queried_as_a_source_of_its_own_but_joins_no_other(small: Small) -> None:
    store = _applied(small, _days(small), _days(small, "served"))
    _logged(store, "served")
    assert len(_contents(small.path / "served")) == 2
    with pytest.raises(WrongQuestion, match="is what data_source:days reads"):
        _logged(store, "days/logs")


def test_an_export_below_what_governs_is_refused(tmp_path: Path) -> None:
    small = Small(tmp_path / "repository").prepare(staging_location="data/objects/exports")
    job = _job(_applied(small))
    with pytest.raises(WrongQuestion, match="has files in common with the objects"):
        job.to_remote_storage()
    assert not (small.path / "data/objects/exports").exists()


def test_an_export_into_a_source_is_refused(tmp_path: Path) -> None:
    small = Small(tmp_path / "repository").prepare(staging_location="sources")
    job = _job(_applied(small))
    before = _contents(small.path / "sources")
    with pytest.raises(WrongQuestion, match=r"is what .* reads"):
        job.to_remote_storage()
    assert _contents(small.path / "sources") == before


def test_a_place_that_the_labels_exclude_is_still_denied(small: Small) -> None:
    small.configure(lambda document: document["governance"].update(checkpoints="witnessed"))
    job = _job(_applied(small))
    with pytest.raises(Denied, match="abroad"):
        _persist(job, "abroad/saved.parquet")
    with pytest.raises(WrongQuestion, match="has files in common with the checkpoints"):
        _persist(job, "witnessed/saved.parquet")


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("file:///a/b", "file:///a/b", "overlap"),
        ("file:///a", "file:///a/b", "overlap"),
        ("file:///a/b", "file:///a", "overlap"),
        ("file:///a/b", "file:///a/bc", "apart"),
        ("file:///", "file:///a", "overlap"),
        ("file:///a%20b", "file:///a%20b/c", "overlap"),
        ("file:///a/%5Bx%5D", "file:///a/%5Bx%5D/c", "overlap"),
        ("file:///a/%2A.parquet", "file:///a/b.parquet", "overlap"),
        ("file:///a/%2A.parquet", "file:///a", "overlap"),
        ("file:///a/%2A.parquet", "file:///b", "apart"),
        ("s3://bucket/a", "s3+http://127.0.0.1:9000/bucket/a/b", "overlap"),
        ("s3://bucket/a", "s3+http://127.0.0.1:9000/bucket/b", "apart"),
        ("s3://bucket", "file:///bucket", "apart"),
    ],
)
def test_places_overlap_where_one_holds_the_other(one: str, other: str, found: str) -> None:
    assert overlap(one, other) is (found == "overlap")
    assert overlap(other, one) is (found == "overlap")
