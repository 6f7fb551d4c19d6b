"""Expectations about the table: how many rows, which columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from governance.canonical import Json
from governance.validation.one_pass.column_values import Builder
from governance.validation.one_pass.measure import Check, Found
from governance.validation.one_pass.question import Bounds, Question, Untranslatable, bounds


def _limits(question: Question, *, equal: bool) -> Bounds:
    if not equal:
        return bounds(question, question.whole)
    if (value := question.whole("value")) is None:
        raise Untranslatable
    return Bounds(value, value, strict_low=False, strict_high=False)


def _row_count(question: Question, *, equal: bool) -> Check:
    limits = _limits(question, equal=equal)
    return Check((question.count(),), lambda values: _number(values[0], limits))


def _column_count(question: Question, *, equal: bool) -> Check:
    limits, number = _limits(question, equal=equal), len(question.names)
    return Check((), lambda _values: _number(number, limits))


def _number(value: Any, limits: Bounds) -> Found:
    return Found(limits.hold(value), {"observed_value": value})


def _names(value: Json) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Untranslatable
    return value


def _known(*, holds: bool) -> Check:
    return Check((), lambda _values: Found(holds, {}))


def _ordered_list(question: Question) -> Check:
    return _known(holds=list(question.names) == _names(question.arguments.get("column_list")))


def _column_set(question: Question) -> Check:
    wanted, there = set(_names(question.arguments.get("column_set"))), set(question.names)
    exact = question.arguments.get("exact_match", True)
    if not isinstance(exact, bool):
        raise Untranslatable
    return _known(holds=wanted == there if exact else wanted <= there)


def _exists(question: Question) -> Check:
    """Great Expectations takes the index 0 for no index."""
    name, index = question.text("column"), question.whole("column_index")
    if not index:
        return _known(holds=name in question.names)
    inside = -len(question.names) <= index < len(question.names)
    return _known(holds=inside and question.names[index] == name)


CHECKS: Final[Mapping[str, Builder]] = {
    "expect_table_row_count_to_be_between": lambda question: _row_count(question, equal=False),
    "expect_table_row_count_to_equal": lambda question: _row_count(question, equal=True),
    "expect_table_column_count_to_be_between": lambda question: _column_count(question, equal=False),
    "expect_table_column_count_to_equal": lambda question: _column_count(question, equal=True),
    "expect_table_columns_to_match_ordered_list": _ordered_list,
    "expect_table_columns_to_match_set": _column_set,
    "expect_column_to_exist": _exists,
}
