"""The expectations that have a translation, and what each of them may be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from governance.validation.one_pass import column_aggregates, column_values, several_columns, table_shape
from governance.validation.one_pass.columns import Column
from governance.validation.one_pass.measure import Check, Condition
from governance.validation.one_pass.question import Question, Untranslatable
from governance.validation.one_pass.row_condition import row_condition
from governance.validation.suite import Expectation

CHECKS: Final[Mapping[str, column_values.Builder]] = {
    **column_values.CHECKS,
    **column_aggregates.CHECKS,
    **several_columns.CHECKS,
    **table_shape.CHECKS,
}
SUPPORTED: Final = frozenset(CHECKS)
"""Names of the expectations that may have a translation; whether one has depends on its arguments and columns."""

_BOUNDS: Final = frozenset({"min_value", "max_value", "strict_min", "strict_max"})
_COLUMN: Final = frozenset({"column"})
_ROWS: Final = frozenset({"row_condition", "condition_parser"})
_EACH: Final = _COLUMN | _ROWS | {"mostly"}
_PAIR: Final = _ROWS | {"column_A", "column_B", "mostly", "ignore_row_if"}

_ARGUMENTS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(
        ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null", "expect_column_values_to_be_unique"),
        _EACH,
    ),
    "expect_column_values_to_be_between": _EACH | _BOUNDS,
    "expect_column_value_lengths_to_be_between": _EACH | _BOUNDS,
    "expect_column_value_lengths_to_equal": _EACH | {"value"},
    "expect_column_values_to_be_in_set": _EACH | {"value_set"},
    "expect_column_values_to_not_be_in_set": _EACH | {"value_set"},
    "expect_column_values_to_match_regex": _EACH | {"regex"},
    "expect_column_values_to_not_match_regex": _EACH | {"regex"},
    "expect_column_values_to_be_increasing": _EACH | {"strictly"},
    "expect_column_values_to_be_decreasing": _EACH | {"strictly"},
    **{name: _COLUMN | _ROWS | _BOUNDS for name in column_aggregates.CHECKS if name.endswith("_between")},
    **{name: _COLUMN | _ROWS | {"value_set"} for name in column_aggregates.CHECKS if name.endswith("_set")},
    "expect_compound_columns_to_be_unique": _ROWS | {"column_list", "mostly", "ignore_row_if"},
    "expect_column_pair_values_to_be_equal": _PAIR,
    "expect_column_pair_values_a_to_be_greater_than_b": _PAIR | {"or_equal"},
    "expect_table_row_count_to_be_between": _BOUNDS | _ROWS,
    "expect_table_row_count_to_equal": _ROWS | {"value"},
    "expect_table_column_count_to_be_between": frozenset({"min_value", "max_value"}),
    "expect_table_column_count_to_equal": frozenset({"value"}),
    "expect_table_columns_to_match_ordered_list": frozenset({"column_list"}),
    "expect_table_columns_to_match_set": frozenset({"column_set", "exact_match"}),
    "expect_column_to_exist": _COLUMN | {"column_index"},
}
"""Arguments by expectation; with any other one, Great Expectations decides what it means."""


def translated(expectation: Expectation, columns: Mapping[str, Column], names: tuple[str, ...]) -> Check | None:
    """The expectation over these columns (``names``: all of the table); None where it has no exact translation."""
    arguments = expectation.kwargs
    build = CHECKS.get(expectation.type)
    if build is None or not _ARGUMENTS[expectation.type].issuperset(arguments):
        return None
    try:
        where, used = _where(arguments.pop("row_condition", None), arguments.pop("condition_parser", None), columns)
        check = build(Question(arguments, columns, names, where))
    except Untranslatable:
        return None
    spoken = {*expectation.columns, *used} & columns.keys() if check.measures else set()
    return replace(check, columns=tuple(columns[name] for name in sorted(spoken)))


def _where(condition: object, parser: object, columns: Mapping[str, Column]) -> tuple[Condition | None, frozenset[str]]:
    if condition is None:
        return None, frozenset()
    return row_condition(condition, parser, columns)
