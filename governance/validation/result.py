"""What validating a table found: one result for each expectation, without any value of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from governance.validation.suite import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from governance.canonical import Json
    from governance.validation.suite import Expectation

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


@dataclass(frozen=True)
class ExpectationResult:
    """Whether one expectation holds."""

    expectation: str
    """Great Expectations' name of it."""
    column: str | None
    """The column, several separated by commas, None for the whole table."""
    success: bool
    severity: Severity
    observed: Json
    """An aggregate over all rows: counts and percentages, or a mean; never a single value. None where there is none."""
    unexpected_count: int | None
    """How many rows violate it; None where the expectation does not count rows."""

    def as_json(self) -> dict[str, Json]:
        """The members ``expectation, column, success, severity, observed`` of a record's ``validation``."""
        return {
            "expectation": self.expectation,
            "column": self.column,
            "success": self.success,
            "severity": self.severity.value,
            "observed": self.observed,
        }


def critical_failures(results: Iterable[ExpectationResult]) -> tuple[ExpectationResult, ...]:
    """The results that forbid the use of the table, in the suite's order."""
    return tuple(result for result in results if not result.success and result.severity is Severity.CRITICAL)


def validation_json(results: Iterable[ExpectationResult]) -> list[dict[str, Json]]:
    """All results as the list that a record or snapshot manifest keeps."""
    return [result.as_json() for result in results]


def reduced(expectation: Expectation, *, success: bool, details: Mapping[str, Json]) -> ExpectationResult:
    """What may be told of a result whose ``details`` are those of Great Expectations: counts and aggregates only."""
    return ExpectationResult(
        expectation=expectation.type,
        column=expectation.column,
        success=success,
        severity=expectation.severity,
        observed=_observed(expectation.type, details),
        unexpected_count=int(details["unexpected_count"]) if "unexpected_count" in details else None,
    )


def _observed(kind: str, details: Mapping[str, Json]) -> Json:
    if kind in _AGGREGATES:
        return _plain(details.get("observed_value"))
    counts = {name: _plain(details[name]) for name in _COUNTS if details.get(name) is not None}
    return counts or None


def _plain(value: Json) -> Json:
    """A number as JSON has it: numpy's scalars unwrapped, NaN (no rows to average) as null."""
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and plain != plain else plain  # noqa: PLR0124 - NaN differs from itself
