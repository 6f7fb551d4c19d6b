"""What validating a table found: one result for each expectation, without any value of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from governance.validation.suite import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from governance.canonical import Json


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
