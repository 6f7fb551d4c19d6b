from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from governance.canonical import canonical_json
from governance.validation.errors import SuiteError, ValidationCrashed
from governance.validation.one_pass import Engine, columns_of, translated
from governance.validation.one_pass.scan import kept_connection
from governance.validation.result import critical_failures, validation_json
from governance.validation.suite import Suite, parse_suite
from governance.validation.validate import validate

ROOT = Path(__file__).parents[3]
TABLE = pa.table({"a": pa.array([1.0, 2.0, None, 99.0]), "b": pa.array(["secret-x", "secret-y", "secret-z", None])})
QUANTILES = {"column": "a", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 9]]}}


def _suite(*expectations: tuple[str, dict[str, Any], str]) -> Suite:
    listed = [{"type": kind, "kwargs": kwargs, "severity": severity} for kind, kwargs, severity in expectations]
    return parse_suite({"name": "test", "expectations": listed}, origin="test")


MIXED = _suite(
    ("expect_column_values_to_not_be_null", {"column": "b"}, "warning"),
    ("expect_column_most_common_value_to_be_in_set", {"column": "b", "value_set": ["w"]}, "critical"),
    ("expect_column_values_to_be_between", {"column": "a", "min_value": 0, "max_value": 10}, "critical"),
    ("expect_column_quantile_values_to_be_between", QUANTILES, "info"),
    ("expect_column_max_to_be_between", {"column": "a", "max_value": 10}, "critical"),
    ("expect_table_row_count_to_equal", {"value": 4}, "info"),
)


def test_results_stand_in_the_order_of_the_suite_whoever_gave_them() -> None:
    results = validate(TABLE, MIXED)
    assert [result.expectation for result in results] == [one.type for one in MIXED.expectations]
    assert [result.success for result in results] == [False, False, False, True, False, True]
    assert critical_failures(results) == (results[1], results[2], results[4])


def test_no_value_of_the_table_is_in_any_result() -> None:
    told = canonical_json(validation_json(validate(TABLE, MIXED)))
    assert b"secret" not in told
    assert b"99" not in told


def test_rows_may_come_batch_by_batch() -> None:
    opened = []

    def rows() -> pa.RecordBatchReader:
        opened.append(1)
        return pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(max_chunksize=1))

    unique = ("expect_column_values_to_be_unique", {"column": "b"}, "info")
    mean = ("expect_column_mean_to_be_between", {"column": "a", "max_value": 50}, "info")
    suite = Suite("both", (*MIXED.expectations, *_suite(unique, mean).expectations))
    assert validate(rows, suite) == validate(TABLE, suite)
    assert len(opened) > 2, "each scan reads the rows anew"


def test_the_common_expectations_never_import_great_expectations() -> None:
    program = """
import sys, pathlib, pyarrow as pa
from governance.validation.suite import read_suite
from governance.validation.validate import validate
suite = read_suite(pathlib.Path("feature_repo/expectations/liver_risk.json"))
columns = sorted({name for one in suite.expectations for name in one.columns})
texts = {"patient_id", "sex"}
table = pa.table({name: pa.array([None, None], pa.string() if name in texts else pa.float64()) for name in columns})
assert len(validate(table, suite)) == len(suite.expectations)
assert "great_expectations" not in sys.modules, "it was imported"
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("bound", "decided"), [(0.6, False), (0.7, True)])
def test_a_bound_that_is_all_but_hit_is_left_to_great_expectations(bound: float, *, decided: bool) -> None:
    """0.1 + 0.2 + 0.3 is 0.6 or a little more, depending on who adds."""
    table = pa.table({"x": [0.1, 0.2, 0.3]})
    suite = _suite(("expect_column_sum_to_be_between", {"column": "x", "max_value": bound}, "info"))
    check = translated(suite.expectations[0], columns_of(table.schema), ("x",))
    assert check is not None
    assert (check.read([3, 0.3, 0.6]) is not None) is decided
    assert validate(table, suite)[0].success is (sum([0.1, 0.2, 0.3]) <= bound)


def test_the_same_rows_give_the_same_digits_however_they_are_batched() -> None:
    numbers = pa.table({"x": [((7919 * i) % 1009) / 3 * 10 ** (i % 7) for i in range(50_000)]})
    suite = _suite(
        ("expect_column_mean_to_be_between", {"column": "x", "min_value": 0}, "info"),
        ("expect_column_stdev_to_be_between", {"column": "x", "min_value": 0}, "info"),
    )
    pieces = pa.Table.from_batches(numbers.to_batches(max_chunksize=777))
    told = {json.dumps(validation_json(validate(one, suite))) for one in (numbers, pieces, numbers)}
    assert len(told) == 1


def test_a_missing_column_is_a_crash_that_names_it() -> None:
    suite = _suite(("expect_column_values_to_not_be_null", {"column": "c"}, "info"))
    with pytest.raises(ValidationCrashed, match="no column c in the table, which has a, b"):
        validate(TABLE, suite)


def test_an_expectation_that_a_column_is_there_fails_without_it() -> None:
    suite = _suite(
        ("expect_column_to_exist", {"column": "c"}, "info"),
        ("expect_table_columns_to_match_ordered_list", {"column_list": ["a", "c"]}, "info"),
    )
    assert [result.success for result in validate(TABLE, suite)] == [False, False]


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_column_values_to_taste_good", {"column": "a"}),
        ("expect_column_values_to_be_between", {"column": "a", "minimum": 3}),
        ("expect_column_values_to_be_between", {"column": "a"}),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 3, "mostly": 7}),
        ("expect_column_values_to_be_in_set", {"column": "a"}),
        ("expect_table_column_count_to_be_between", {"min_value": 3, "strict_min": True}),
    ],
)
def test_what_great_expectations_refuses_is_refused(kind: str, kwargs: dict[str, Any]) -> None:
    with pytest.raises(SuiteError, match=kind):
        validate(TABLE, _suite((kind, kwargs, "info")))


def test_columns_that_pandas_sees_otherwise_are_left_to_great_expectations() -> None:
    codes = pa.dictionary(pa.int8(), pa.string())
    schema = pa.schema([("a", pa.int64()), ("a", pa.int64()), ("b", pa.uint8()), ("c", pa.float16()), ("d", codes)])
    assert columns_of(schema) == {}


def test_an_error_while_scanning_quotes_no_value() -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield TABLE.to_batches()[0]
        raise ValueError("secret-value")

    suite = _suite(("expect_column_values_to_be_unique", {"column": "b"}, "info"))
    with pytest.raises(ValidationCrashed) as caught:
        validate(lambda: pa.RecordBatchReader.from_batches(TABLE.schema, broken()), suite)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert validate(TABLE, suite)[0].success, "the next validation is none the worse"


def test_duckdb_neither_downloads_nor_writes_to_disk() -> None:
    rows = kept_connection(0, alone=True).execute("SELECT name, value FROM duckdb_settings()").fetchall()
    settings = dict(rows)
    names = ("autoinstall_known_extensions", "autoload_known_extensions", "temp_directory")
    assert [settings[name] for name in names] == ["false", "false", ""]


def test_memory_can_be_limited_and_spilled(tmp_path: Path) -> None:
    keys = pa.table({"k": pa.array([f"patient number {one}" for one in range(200_000)])})
    suite = _suite(("expect_column_values_to_be_unique", {"column": "k"}, "info"))
    with pytest.raises(ValidationCrashed, match="a limit and a directory to spill to"):
        validate(keys, suite, engine=Engine(memory_limit="8MiB"))
    assert validate(keys, suite, engine=Engine(memory_limit="64MiB", spill=tmp_path))[0].success
