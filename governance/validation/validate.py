"""Hold a table against a suite: the common expectations in DuckDB, the rest in Great Expectations.

    results = validate(table, read_suite(path))
    if critical_failures(results): ...

Which of the two decides changes nothing about the result: each translation has exactly Great Expectations' semantics
(``docs/validation.md`` has the few differences), and an expectation that has none goes to Great Expectations. What
comes back is reduced to aggregates, because a result is signed and carried away.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from governance.validation.errors import ValidationCrashed
from governance.validation.one_pass import Check, Engine, Rows, columns_of, measured, translated
from governance.validation.result import ExpectationResult, reduced

if TYPE_CHECKING:
    import pyarrow as pa

    from governance.validation.suite import Expectation, Suite

_ABOUT_COLUMNS = frozenset({"expect_column_to_exist", "expect_table_columns_to_match_ordered_list"})
"""For these an absent column is no crash but the answer."""


def validate(rows: Rows, suite: Suite, *, engine: Engine | None = None) -> tuple[ExpectationResult, ...]:
    """One result for each expectation of ``suite``, in its order.

    Nulls and NaN both count as missing, and missing values satisfy every expectation except those about them.

    :param rows: a table, or a function that opens the same rows anew as a ``pyarrow.RecordBatchReader``. Of the
        latter only a batch at a time is in memory, unless an expectation must be left to Great Expectations.
    :raises SuiteError: an expectation that Great Expectations does not know, or whose arguments it refuses
    :raises ValidationCrashed: one cannot be evaluated on these rows
    """
    schema = _schema(rows)
    _refuse_missing_columns(schema, suite)
    checks = checks_of(suite.expectations, schema)
    found = measured_results(rows, suite.expectations, checks, engine or Engine())
    left = [one for one, result in zip(suite.expectations, found, strict=True) if result is None]
    rest = iter(_by_great_expectations(rows, left, suite.name) if left else ())
    return tuple(next(rest) if result is None else result for result in found)


@lru_cache(maxsize=32)
def checks_of(expectations: tuple[Expectation, ...], schema: pa.Schema) -> tuple[Check | None, ...]:
    """The translation of each expectation to rows of that schema, or None."""
    columns, names = columns_of(schema), tuple(schema.names)
    return tuple(translated(one, columns, names) for one in expectations)


def measured_results(
    rows: Rows, expectations: Sequence[Expectation], checks: Sequence[Check | None], engine: Engine
) -> list[ExpectationResult | None]:
    """The result of each expectation's check; None without one, or where it leaves the answer to Great Expectations."""
    known = [check for check in checks if check is not None]
    measures = [measure for check in known for measure in check.measures]
    columns = tuple({column.sql: column for check in known for column in check.columns}.values())
    values = measured(rows, measures, columns, engine) if measures else {}
    answers = (
        None if check is None else check.read([values[measure] for measure in check.measures]) for check in checks
    )
    return [
        None if answer is None else reduced(expectation, success=answer.success, details=answer.details)
        for expectation, answer in zip(expectations, answers, strict=True)
    ]


def _by_great_expectations(
    rows: Rows, expectations: Sequence[Expectation], suite: str
) -> tuple[ExpectationResult, ...]:
    import pyarrow as pa

    from governance.validation.gx import evaluate  # importing Great Expectations takes seconds

    return evaluate(rows if isinstance(rows, pa.Table) else rows().read_all(), expectations, suite=suite)


def _schema(rows: Rows) -> pa.Schema:
    import pyarrow as pa

    return rows.schema if isinstance(rows, pa.Table) else rows().schema


def _refuse_missing_columns(schema: pa.Schema, suite: Suite) -> None:
    present = set(schema.names)
    for expectation in suite.expectations:
        absent = sorted(set(expectation.columns) - present)
        if absent and expectation.type not in _ABOUT_COLUMNS:
            raise ValidationCrashed(
                f"suite {suite.name!r}, {expectation.type}: no column {', '.join(absent)} in the table, "
                f"which has {', '.join(sorted(present))}; validate the table the suite was written for"
            )
