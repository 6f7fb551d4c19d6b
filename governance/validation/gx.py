"""Hold a table against a suite with Great Expectations: the only module that imports it.

    results = validate(table, read_suite(path))
    if critical_failures(results): ...

The context lives in memory, draws no progress bars and reads no project files. Great Expectations
1.24 has no usage statistics left to turn off, and ``mode="ephemeral"`` never looks for its (closed)
cloud. What comes back is reduced to aggregates, because a result is signed and carried away.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from governance.validation.errors import SuiteError, ValidationCrashed
from governance.validation.result import ExpectationResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from governance.canonical import Json
    from governance.validation.suite import Expectation, Suite

_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""Counts, but none of the offending values."""
_COUNTS = ("element_count", "missing_count", "unexpected_count", "unexpected_percent")
_AGGREGATES = frozenset(
    {
        "expect_column_mean_to_be_between",
        "expect_column_stdev_to_be_between",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_unique_value_count_to_be_between",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
    }
)
"""Whose ``observed_value`` is no single value of the table (a minimum, a median or a most common value is one)."""
_EXCEPTION_NAME = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")


def validate(table: pa.Table, suite: Suite) -> tuple[ExpectationResult, ...]:
    """One result for each expectation of ``suite``, in its order.

    Nulls and NaN both count as missing (Great Expectations works on pandas here, which has one
    sign for both), and missing values satisfy every expectation except those about missing values.
    Raises :class:`SuiteError` for an expectation that Great Expectations does not know or whose
    arguments it refuses, :class:`ValidationCrashed` where one cannot be evaluated on this table.
    """
    _import_quietly()
    domain_objects = [_domain_object(expectation, suite.name) for expectation in suite.expectations]
    _refuse_missing_columns(table, suite)
    batch = _batch(table)
    # One by one: validating a whole suite returns the results in another order than the suite's.
    return tuple(
        _result(expectation, batch.validate(domain_object, result_format=_RESULT_FORMAT))
        for expectation, domain_object in zip(suite.expectations, domain_objects, strict=True)
    )


def _import_quietly() -> None:
    """Import Great Expectations once. It imports sre_parse and sre_constants, which Python 3.11 deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"module 'sre_\w+' is deprecated", DeprecationWarning)
        import great_expectations  # noqa: F401


def _domain_object(expectation: Expectation, suite: str) -> Any:
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.metadata_types import FailureSeverity

    place = f"suite {suite!r}, {expectation.type}"
    configuration = ExpectationConfiguration(
        type=expectation.type, kwargs=expectation.kwargs, severity=FailureSeverity(expectation.severity.value)
    )
    try:
        return configuration.to_domain_obj()
    except ValidationError as refused:
        reasons = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in refused.errors())
        raise SuiteError(f"{place}: Great Expectations refuses its arguments ({reasons})") from refused
    except (GreatExpectationsError, TypeError) as unknown:
        raise SuiteError(f"{place}: unknown to Great Expectations or not to be configured so ({unknown})") from unknown


def _refuse_missing_columns(table: pa.Table, suite: Suite) -> None:
    present = set(table.column_names)
    for expectation in suite.expectations:
        absent = sorted(set(expectation.columns) - present)
        if absent:
            raise ValidationCrashed(
                f"suite {suite.name!r}, {expectation.type}: no column {', '.join(absent)} in the table, "
                f"which has {', '.join(sorted(present))}; validate the table the suite was written for"
            )


def _batch(table: pa.Table) -> Any:
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("table")
    whole = asset.add_batch_definition_whole_dataframe("whole")
    return whole.get_batch(batch_parameters={"dataframe": table.to_pandas()})


def _result(expectation: Expectation, found: Any) -> ExpectationResult:
    crash = _exception(found.exception_info)
    if crash is not None:
        raise ValidationCrashed(
            f"{expectation.type} on {expectation.column or 'the table'} could not be evaluated ({crash}); "
            "check the column's type against the suite"
        )
    details: Mapping[str, Any] = found.result
    return ExpectationResult(
        expectation=expectation.type,
        column=expectation.column,
        success=bool(found.success),
        severity=expectation.severity,
        observed=_observed(expectation.type, details),
        unexpected_count=int(details["unexpected_count"]) if "unexpected_count" in details else None,
    )


def _observed(kind: str, details: Mapping[str, Any]) -> Json:
    if kind in _AGGREGATES:
        return _plain(details.get("observed_value"))
    counts = {name: _plain(details[name]) for name in _COUNTS if details.get(name) is not None}
    return counts or None


def _plain(value: Any) -> Json:
    """A number as JSON has it: numpy's scalars unwrapped, NaN (no rows to average) as null."""
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and plain != plain else plain  # noqa: PLR0124 - NaN differs from itself


def _exception(info: Mapping[str, Any]) -> str | None:
    """The class of the exception inside Great Expectations, if there was one.

    It reports one either directly or once for each metric that raised. Only the class is passed on:
    the message may quote a value.
    """
    reports = [info] if "raised_exception" in info else list(info.values())
    for report in reports:
        if report.get("raised_exception"):
            last = (report.get("exception_traceback") or "").strip().rsplit("\n", 1)[-1]
            name = _EXCEPTION_NAME.match(last)
            return name.group(1) if name else "an exception"
    return None
