"""Expectations about each value of a column: how many values violate it, among those that are not missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from governance.validation.one_pass.columns import Column, Kind
from governance.validation.one_pass.measure import Check, Condition, Found, Measure
from governance.validation.one_pass.question import (
    Question,
    Untranslatable,
    bounds,
    elements,
    member_of,
    value_bounds,
)
from governance.validation.one_pass.regex import is_plain, needs_ascii, re2

Builder = Callable[[Question], Check]


def counted(values: Sequence[Any], mostly: float) -> Found:
    """The result of an expectation that skips missing values, from the numbers of rows, considered and unexpected."""
    rows, considered, unexpected = values
    details: dict[str, Any] = {"element_count": rows, "missing_count": rows - considered}
    details["unexpected_count"] = unexpected
    if considered:
        details["unexpected_percent"] = unexpected / considered * 100
    return Found(not considered or (considered - unexpected) / considered >= mostly, details)


def missing(question: Question, *, wanted: bool) -> Check:
    """The two expectations about missing values themselves: every row counts."""
    mostly = question.mostly()

    def read(values: Sequence[Any]) -> Found:
        rows, present = values
        found = present if wanted else rows - present
        details: dict[str, Any] = {"element_count": rows, "unexpected_count": found}
        if rows:
            details["unexpected_percent"] = found / rows * 100
        return Found(not rows or (rows - found) / rows >= mostly, details)

    return Check((question.count(), question.present(question.column())), read)


def each(question: Question, holds: Condition, *, only_if_none: Condition | None = None) -> Check:
    """Every value that is there satisfies ``holds``; Great Expectations decides where a row is ``only_if_none``."""
    mostly = question.mostly()
    measures = [question.count(), question.present(question.column()), question.count(~holds)]
    if only_if_none is not None:
        measures.append(question.count(only_if_none))

    def read(values: Sequence[Any]) -> Found | None:
        return None if any(values[3:]) else counted(values[:3], mostly)

    return Check(tuple(measures), read)


def _between(question: Question) -> Check:
    column = question.column()
    return each(question, value_bounds(question, column).condition(column.sql))


def _in_set(question: Question) -> Check:
    column = question.column()
    return each(question, member_of(column.sql, elements(question.arguments.get("value_set"), column.kind)))


def _not_in_set(question: Question) -> Check:
    column = question.column()
    return each(question, ~member_of(column.sql, elements(question.arguments.get("value_set"), column.kind)))


def _text(question: Question) -> Column:
    if (column := question.column()).kind is not Kind.TEXT:
        raise Untranslatable
    return column


def _length_between(question: Question) -> Check:
    return each(question, bounds(question, question.whole).condition(f"length({_text(question).sql})"))


def _length_equals(question: Question) -> Check:
    if (value := question.whole("value")) is None:
        raise Untranslatable
    return each(question, Condition(f"length({_text(question).sql}) = ?", (value,)))


def _regex(question: Question, *, matches: bool) -> Check:
    column, pattern = _text(question), question.text("regex")
    if not is_plain(pattern):
        raise Untranslatable
    found = Condition(f"regexp_matches({column.sql}, ?)", (re2(pattern),))
    not_ascii = Condition(f"strlen({column.sql}) <> length({column.sql})") if needs_ascii(pattern) else None
    return each(question, found if matches else ~found, only_if_none=not_ascii)


def _unique(question: Question) -> Check:
    column, mostly = question.column(), question.mostly()
    if not column.kind.comparable:
        raise Untranslatable
    present = Condition(f"{column.sql} IS NOT NULL")
    measures = (question.count(), question.present(column), repeated(question, [column], present))
    return Check(measures, lambda values: counted(values, mostly))


def repeated(question: Question, columns: Sequence[Column], considered: Condition) -> Measure:
    """How many of the considered rows share their values with another of them; missing values are equal."""
    names, among = ", ".join(column.sql for column in columns), question.among(considered)
    groups = f"SELECT count(*) AS n FROM prepared WHERE {among.sql} GROUP BY {names}"  # noqa: S608 - names of our own
    return Measure(f"SELECT sum(n) FROM ({groups}) WHERE n > 1", among.parameters, alone=True, empty=0)  # noqa: S608 - likewise


def _ordered(question: Question, *, sign: str) -> Check:
    """Each value that is there against the one before it that is there."""
    column, mostly, strictly = question.column(), question.mostly(), question.truth("strictly")
    if not column.kind.numeric and column.kind is not Kind.MOMENT:
        raise Untranslatable
    present = Condition(f"{column.sql} IS NOT NULL")
    among = question.among(present)
    fine = f"value {sign} before" if strictly else f"value {sign}= before"
    if column.kind is Kind.DOUBLE:  # the difference of two equal infinities is no number, which pandas lets pass
        fine += " OR (isinf(value) AND value = before)"
    steps = f"SELECT {column.sql} AS value, lag({column.sql}) OVER () AS before FROM prepared WHERE {among.sql}"  # noqa: S608 - names of our own
    select = f"SELECT count_if(NOT ({fine})) FROM ({steps})"  # noqa: S608 - likewise
    wrong = Measure(select, among.parameters, alone=True, empty=0, in_order=True)
    return Check((question.count(), question.present(column), wrong), lambda values: counted(values, mostly))


CHECKS: Final[Mapping[str, Builder]] = {
    "expect_column_values_to_not_be_null": lambda question: missing(question, wanted=False),
    "expect_column_values_to_be_null": lambda question: missing(question, wanted=True),
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_be_unique": _unique,
    "expect_column_value_lengths_to_be_between": _length_between,
    "expect_column_value_lengths_to_equal": _length_equals,
    "expect_column_values_to_match_regex": lambda question: _regex(question, matches=True),
    "expect_column_values_to_not_match_regex": lambda question: _regex(question, matches=False),
    "expect_column_values_to_be_increasing": lambda question: _ordered(question, sign=">"),
    "expect_column_values_to_be_decreasing": lambda question: _ordered(question, sign="<"),
}
