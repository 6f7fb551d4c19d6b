from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from governance.validation.result import critical_failures, validation_json
from governance.validation.suite import Suite, read_suite
from governance.validation.validate import validate


@pytest.fixture(scope="module")
def suite(repository: Path) -> Suite:
    return read_suite(repository / "expectations" / "liver_risk.json")


def test_the_real_data_has_no_critical_failure_and_one_honest_warning(features: pa.Table, suite: Suite) -> None:
    """An albumin of 8.01 and one of 6.82 g/dL stand in the published data."""
    results = validate(features, suite)
    assert len(results) == len(suite.expectations)
    assert not critical_failures(results)
    (warning,) = [result for result in results if not result.success]
    assert (warning.column, warning.severity.value, warning.unexpected_count) == ("albumin_g_dl", "warning", 2)


def test_a_broken_copy_fails_and_no_value_of_it_is_told(features: pa.Table, suite: Suite) -> None:
    bilirubin = [None, 987.654, *features["bilirubin_mg_dl"].to_pylist()[2:]]
    sex = ["Erika Mustermann", *features["sex"].to_pylist()[1:]]
    broken = features.set_column(
        features.column_names.index("bilirubin_mg_dl"), "bilirubin_mg_dl", pa.array(bilirubin)
    ).set_column(features.column_names.index("sex"), "sex", pa.array(sex))
    failures = critical_failures(validate(broken, suite))
    assert [(failure.expectation, failure.column, failure.unexpected_count) for failure in failures] == [
        ("expect_column_values_to_not_be_null", "bilirubin_mg_dl", 1),
        ("expect_column_values_to_be_between", "bilirubin_mg_dl", 1),
        ("expect_column_values_to_be_in_set", "sex", 1),
    ]
    told = repr(failures) + repr(validation_json(failures))
    assert "987" not in told
    assert "Mustermann" not in told
