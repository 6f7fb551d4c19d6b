from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from governance.canonical import canonical_json
from governance.validation.errors import SuiteError, ValidationCrashed
from governance.validation.gx import evaluate
from governance.validation.result import ExpectationResult, critical_failures, validation_json
from governance.validation.suite import Suite, parse_suite

TABLE = pa.table({"a": pa.array([1.0, 2.0, None, 99.0]), "b": pa.array(["secret-x", "secret-y", "secret-z", None])})


def _suite(*expectations: tuple[str, dict[str, Any], str]) -> Suite:
    listed = [{"type": kind, "kwargs": kwargs, "severity": severity} for kind, kwargs, severity in expectations]
    return parse_suite({"name": "test", "expectations": listed}, origin="test")


def validate(table: pa.Table, suite: Suite) -> tuple[ExpectationResult, ...]:
    return evaluate(table, suite.expectations, suite=suite.name)


def test_results_stand_in_the_order_of_the_suite_with_their_severities() -> None:
    suite = _suite(
        ("expect_column_values_to_not_be_null", {"column": "b"}, "warning"),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 0, "max_value": 10}, "critical"),
        ("expect_column_values_to_not_be_null", {"column": "b", "mostly": 0.5}, "critical"),
        ("expect_table_row_count_to_equal", {"value": 4}, "info"),
    )
    results = validate(TABLE, suite)
    assert [(result.column, result.success, result.severity.value) for result in results] == [
        ("b", False, "warning"),
        ("a", False, "critical"),
        ("b", True, "critical"),
        (None, True, "info"),
    ]
    assert [result.unexpected_count for result in results] == [1, 1, 1, None]
    assert critical_failures(results) == (results[1],)
    assert results[3].observed == 4


def test_no_value_of_the_table_is_in_any_result() -> None:
    suite = _suite(
        ("expect_column_values_to_be_in_set", {"column": "b", "value_set": ["w"]}, "critical"),
        ("expect_column_distinct_values_to_be_in_set", {"column": "b", "value_set": ["w"]}, "critical"),
        ("expect_column_most_common_value_to_be_in_set", {"column": "b", "value_set": ["w"]}, "critical"),
        ("expect_column_values_to_match_regex", {"column": "b", "regex": "^w"}, "critical"),
        ("expect_column_max_to_be_between", {"column": "a", "max_value": 10}, "critical"),
        ("expect_column_values_to_be_unique", {"column": "b"}, "critical"),
    )
    results = validate(TABLE, suite)
    told = json.dumps(validation_json(results))
    assert "secret" not in told
    assert "99" not in told
    assert results[4].observed is None
    assert canonical_json(validation_json(results))


def test_an_aggregate_over_all_rows_is_told() -> None:
    (result,) = validate(TABLE, _suite(("expect_column_mean_to_be_between", {"column": "a", "max_value": 50}, "info")))
    assert result.success
    assert result.observed == 34.0


def test_an_exception_inside_an_expectation_is_a_crash_that_quotes_no_value() -> None:
    """Comparing text with a number raises inside Great Expectations, which reports it as a mere failure."""
    suite = _suite(("expect_column_values_to_be_between", {"column": "b", "min_value": 1}, "warning"))
    with pytest.raises(ValidationCrashed, match="could not be evaluated") as caught:
        validate(TABLE, suite)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_column_values_to_taste_good", {"column": "a"}),
        ("expect_column_values_to_be_between", {"column": "a", "minimum": 3}),
        ("expect_column_values_to_be_between", {"column": "a"}),
        ("expect_column_values_to_be_in_set", {}),
    ],
)
def test_an_expectation_unknown_to_great_expectations_is_named(kind: str, kwargs: dict[str, Any]) -> None:
    with pytest.raises(SuiteError, match=kind):
        validate(TABLE, _suite((kind, kwargs, "info")))


def test_an_empty_table_is_validated_too() -> None:
    suite = _suite(
        ("expect_column_values_to_not_be_null", {"column": "a"}, "critical"),
        ("expect_column_mean_to_be_between", {"column": "a", "min_value": 0}, "info"),
    )
    results = validate(TABLE.slice(0, 0), suite)
    assert results[0].success
    assert results[1].observed is None


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    validate(TABLE, _suite(("expect_column_values_to_be_unique", {"column": "a"}, "info")))
    assert capfd.readouterr() == ("", "")
