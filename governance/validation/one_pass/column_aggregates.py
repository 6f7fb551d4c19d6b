"""Expectations about one number of a column.

The sum of doubles depends on the order of addition. Ours is compensated (Kahan) and read by one thread, so that the
same rows always give the same digits; Great Expectations' is numpy's. Where the two could lie on different sides of
a bound, Great Expectations decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from governance.validation.one_pass.column_values import Builder
from governance.validation.one_pass.columns import Column, Kind
from governance.validation.one_pass.measure import Check, Condition, Found
from governance.validation.one_pass.question import (
    Bounds,
    Question,
    Untranslatable,
    bounds,
    elements,
    member_of,
    value_bounds,
)

_TOLERANCE: Final = {64: 1e-9, 32: 1e-6}
"""By bits: far above the error of any way to add up such numbers, relative to the largest of them.

Of 32-bit numbers pandas keeps moments and sums in 32 bits; here they are doubles.
"""


def _within(value: Any, limits: Bounds) -> Found:
    return Found(value is not None and limits.hold(value), {"observed_value": value})


def _numeric(question: Question) -> Column:
    if not (column := question.column()).kind.numeric:
        raise Untranslatable
    return column


def _moment_of_distribution(question: Question, *, sql: str, empty: float | None = None, spread: bool = False) -> Check:
    """Mean, standard deviation, median or sum; ``spread`` where its error grows with the number of rows."""
    column = _numeric(question)
    limits = bounds(question, question.number)
    precision = _TOLERANCE[32 if column.kind is Kind.DOUBLE and column.type.bit_width == 32 else 64]
    measures = (
        question.present(column),
        question.aggregate(f"max(abs(CAST({column.sql} AS DOUBLE)))"),
        question.aggregate(sql.format(f"CAST({column.sql} AS DOUBLE)"), in_order=True),
    )

    def read(values: Sequence[Any]) -> Found | None:
        considered, largest, value = values
        if value is None:
            return _within(empty, limits)
        tolerance = precision * largest * (considered if spread else 1)
        if not (math.isfinite(value) and math.isfinite(tolerance)) or limits.near(value, tolerance):
            return None
        return _within(value, limits)

    return Check(measures, read)


def _extreme(question: Question, *, sql: str) -> Check:
    column = question.column()
    limits = value_bounds(question, column)
    return Check((question.aggregate(sql.format(column.sql)),), lambda values: _within(values[0], limits))


def _comparable(question: Question) -> Column:
    if not (column := question.column()).kind.comparable:
        raise Untranslatable
    return column


def _unique_count(question: Question) -> Check:
    limits = bounds(question, question.whole)
    measure = question.aggregate(f"count(DISTINCT {_comparable(question).sql})")
    return Check((measure,), lambda values: _within(values[0], limits))


def _share(question: Question, name: str) -> float | None:
    value = question.number(name)
    if value is not None and not 0 <= value <= 1:
        raise Untranslatable
    return value


def _unique_share(question: Question) -> Check:
    column, limits = _comparable(question), bounds(question, partial(_share, question))

    def read(values: Sequence[Any]) -> Found:
        distinct, considered = values
        return _within(distinct / considered if considered else 0, limits)

    return Check((question.aggregate(f"count(DISTINCT {column.sql})"), question.present(column)), read)


def _present_share(question: Question) -> Check:
    limits = bounds(question, partial(_share, question))

    def read(values: Sequence[Any]) -> Found:
        considered, rows = values
        return _within(considered / rows if rows else 0, limits)

    return Check((question.present(question.column()), question.count()), read)


def _distinct_values(question: Question, *, none_else: bool, none_absent: bool) -> Check:
    """The distinct values against a set: nothing outside it, nothing of it absent, or both."""
    column = question.column()
    members = elements(question.arguments.get("value_set"), column.kind)
    inside = member_of(column.sql, members)
    counts = [Condition(f"{column.sql} IS NOT NULL") & ~inside, inside]
    measures = [_distinct(question, column, one) for one in counts]

    def read(values: Sequence[Any]) -> Found:
        outside, found = values
        absent = len(members) - found
        details = {"unexpected_count": outside} if none_else else {}
        details |= {"missing_count": absent} if none_absent else {}
        return Found(not (none_else and outside) and not (none_absent and absent), details)

    return Check(tuple(measures), read)


def _distinct(question: Question, column: Column, condition: Condition) -> Any:
    among = question.among(condition)
    narrowed = Question(question.arguments, question.columns, question.names, among)
    return narrowed.aggregate(f"count(DISTINCT {column.sql})")


_distributed: Final[Callable[..., Builder]] = lambda **how: partial(_moment_of_distribution, **how)  # noqa: E731 - one word for five lines below

CHECKS: Final[Mapping[str, Builder]] = {
    "expect_column_mean_to_be_between": _distributed(sql="favg({})"),
    "expect_column_stdev_to_be_between": _distributed(sql="stddev_samp({})"),
    "expect_column_median_to_be_between": _distributed(sql="median({})"),
    "expect_column_sum_to_be_between": _distributed(sql="fsum({})", empty=0, spread=True),
    "expect_column_min_to_be_between": partial(_extreme, sql="min({})"),
    "expect_column_max_to_be_between": partial(_extreme, sql="max({})"),
    "expect_column_unique_value_count_to_be_between": _unique_count,
    "expect_column_proportion_of_unique_values_to_be_between": _unique_share,
    "expect_column_proportion_of_non_null_values_to_be_between": _present_share,
    "expect_column_distinct_values_to_be_in_set": partial(_distinct_values, none_else=True, none_absent=False),
    "expect_column_distinct_values_to_contain_set": partial(_distinct_values, none_else=False, none_absent=True),
    "expect_column_distinct_values_to_equal_set": partial(_distinct_values, none_else=True, none_absent=True),
}
