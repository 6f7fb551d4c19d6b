"""A retrieval held against the suites of its repository, whatever its columns are called."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureService, Field, FileSource
from feast.types import Float64, Int64

from api.feast.pulled import PullRequest
from api.feast.validation import held, limits_in
from governance.canonical import canonical_json
from governance.errors import ConfigurationError
from governance.validation.errors import ValidationCrashed
from lineage.duckdb_engine import Limits
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view
from tests.governance import pictures


@pytest.fixture
def clinic(tmp_path: Path) -> tuple[Small, Any]:
    """Two views with a feature ``x``, a service with one of them under two aliases, and a suite about the first."""
    repository = Small(tmp_path / "clinic").prepare()
    patient = entity("patient", "patient_id")
    views = []
    for name, values in (("a", [5.0, 700.0]), ("b", [-1.0, -1.0])):
        rows = pa.table({"patient_id": [1, 2], "event_timestamp": times([hours(-1)] * 2), "x": values})
        schema = [Field(name="patient_id", dtype=Int64), Field(name="x", dtype=Float64)]
        views.append(view(name, repository.source(f"of_{name}", rows), [patient], schema))
    aliases = [views[0].with_name(f"{one}other").with_join_key_map({"patient_id": f"{one}_id"}) for one in "mf"]
    twice = FeatureService(name="twice", features=aliases, owner=LABELS["owner"], tags=LABELS["tags"])
    store = repository.applied(patient, *views, twice)
    (repository.path / "expectations").mkdir()
    _expect(repository, least=100)
    return repository, store


def _expect(repository: Small, *, least: float) -> dict[str, Any]:
    kwargs = {"column": "x", "min_value": least}
    one = {"type": "expect_column_values_to_be_between", "kwargs": kwargs, "severity": "critical"}
    suite = {"name": "floor", "expectations": [one]}
    (repository.path / "expectations" / "a.json").write_text(json.dumps(suite))
    return suite


def _spine(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": [1], "event_timestamp": pd.to_datetime([NOON], utc=True), **columns})


def _validation(clinic: tuple[Small, Any], spine: pd.DataFrame, features: Any, **options: Any) -> list[dict[str, Any]]:
    repository, store = clinic
    store.get_historical_features(spine, features=features, **options).to_arrow()
    found: list[dict[str, Any]] = repository.predicates("retrieval")[-1]["validation"]
    return found


def test_a_pinned_version_is_no_way_past_a_suite(clinic: tuple[Small, Any]) -> None:
    (plain,) = _validation(clinic, _spine(), ["a:x"])
    assert (plain["success"], plain["severity"]) == (False, "critical")
    assert _validation(clinic, _spine(), ["a@v0:x"]) == [plain]
    assert _validation(clinic, _spine(), ["b:x"]) == []


def test_a_suite_reads_its_own_view_beside_another_feature_of_that_name(clinic: tuple[Small, Any]) -> None:
    (one,) = _validation(clinic, _spine(), ["a:x", "b:x"], full_feature_names=True)
    assert (one["success"], one["observed"]["unexpected_count"], one["columns"]) == (False, 1, ["a__x"])


def test_a_column_of_the_entity_rows_is_not_taken_for_a_feature(clinic: tuple[Small, Any]) -> None:
    (one,) = _validation(clinic, _spine(x=[500.0]), ["a:x"], full_feature_names=True)
    assert (one["success"], one["columns"]) == (False, ["a__x"])


def test_a_view_under_two_aliases_is_held_against_its_suite_twice(clinic: tuple[Small, Any]) -> None:
    spine = pd.DataFrame({"m_id": [1], "f_id": [2], "event_timestamp": pd.to_datetime([NOON], utc=True)})
    found = _validation(clinic, spine, clinic[1].get_feature_service("twice"), full_feature_names=True)
    told = {one["columns"][0]: one["success"] for one in found}
    assert told == {"mother__x": False, "fother__x": True}


def test_a_record_says_against_which_suite_the_rows_were_held(clinic: tuple[Small, Any]) -> None:
    found = []
    for least in (100, -100):
        suite = _expect(clinic[0], least=least)
        (one,) = _validation(clinic, _spine(), ["a:x"])
        assert one["suite"] == "floor"
        assert one["suite_sha256"] == sha256(canonical_json(suite)).hexdigest()
        (output,) = clinic[0].predicates("retrieval")[-1]["event"]["outputs"]
        assert output["facets"]["provender_validation"]["suites"] == [{"name": "floor", "sha256": one["suite_sha256"]}]
        found.append((one["success"], one["arguments"]))
    assert found == [(False, {"column": "x", "min_value": 100}), (True, {"column": "x", "min_value": -100})]


LABS = ("bilirubin", "albumin", "name")


def _held(rows: Any, repo: Path, limits: Limits) -> list[dict[str, Any]]:
    """What is found of rows of ``labs``, of which the names must be unique."""
    (repo / "expectations").mkdir(exist_ok=True)
    one = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "name"}, "severity": "critical"}
    (repo / "expectations" / "labs.json").write_text(json.dumps({"name": "labs", "expectations": [one]}))
    asked = frozenset(("labs", name) for name in LABS)
    request = PullRequest(
        object="saved_dataset:mine",
        asked=asked,
        columns=tuple(("labs", name, name) for name in LABS),
        source=FileSource(path="mine.parquet"),
        timestamp="event_timestamp",
        join_keys=(),
        start=None,
        end=None,
        purpose=None,
    )
    return held(rows, request, pictures.clinic(), repo=repo, limits=limits)


def _labs(rows: int) -> pa.Table:
    numbers = pa.array(range(rows))
    return pa.table({"bilirubin": numbers, "albumin": numbers, "name": [f"patient {one:09}" for one in range(rows)]})


def test_what_is_large_is_validated_within_the_memory_limit(tmp_path: Path) -> None:
    tight = Limits("1MB", 1)
    (small,) = _held(_labs(100), tmp_path, tight)
    assert small["success"]
    for large in (_labs(200_000), _labs(200_000).to_reader):
        with pytest.raises(ValidationCrashed, match="could not be measured"):
            _held(large, tmp_path, tight)
        assert _held(large, tmp_path, Limits("200MB", 1))[0]["success"]


def test_what_is_large_spills_to_a_private_folder_that_goes_with_it(tmp_path: Path) -> None:
    spill = tmp_path / "disk" / "spill"
    seen: set[str] = set()

    def rows() -> pa.RecordBatchReader:
        seen.update(f"{one.name[:16]} {one.stat().st_mode & 0o777:o}" for one in spill.iterdir())
        return _labs(10).to_reader()

    assert _held(rows, tmp_path, Limits(None, None, spill))[0]["success"]
    assert seen == {"provender-spill- 700"}
    assert list(spill.iterdir()) == []


def test_the_limits_are_those_of_the_offline_store(tmp_path: Path) -> None:
    block = {"type": "api.feast.AsofOfflineStore", "memory_limit": "2GiB", "threads": 2, "spill_directory": "spill"}
    assert limits_in({"offline_store": block}, tmp_path) == Limits("2GiB", 2, tmp_path / "spill")
    assert limits_in({"offline_store": "dask"}, tmp_path) == limits_in({}, tmp_path) == Limits()
    with pytest.raises(ConfigurationError, match="memory_limit"):
        limits_in({"offline_store": {"memory_limit": "much"}}, tmp_path)
