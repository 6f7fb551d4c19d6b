"""Expectations about several columns of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from governance.validation.one_pass.column_values import Builder, counted, repeated
from governance.validation.one_pass.columns import Column, Kind
from governance.validation.one_pass.measure import Check, Condition
from governance.validation.one_pass.question import Question, Untranslatable

_ALL, _ANY = "all_values_are_missing", "any_value_is_missing"
_BOTH, _EITHER = "both_values_are_missing", "either_value_is_missing"


def _compound_unique(question: Question) -> Check:
    names = question.arguments.get("column_list")
    if not isinstance(names, list) or len(names) < 2 or len(set(names)) != len(names):
        raise Untranslatable
    columns, mostly = [question.columns.get(name) for name in names], question.mostly()
    known = [column for column in columns if column is not None and column.kind.comparable]
    if len(known) < len(columns):
        raise Untranslatable
    present = _present(known, question.text("ignore_row_if", default=_ALL))
    measures = (question.count(), question.count(present), repeated(question, known, present))
    return Check(measures, lambda values: counted(values, mostly))


def _present(columns: Sequence[Column], ignored: str) -> Condition:
    """Which rows are not to be ignored."""
    present = [f"{column.sql} IS NOT NULL" for column in columns]
    if ignored in (_ALL, _BOTH):
        return Condition(" OR ".join(present))
    if ignored in (_ANY, _EITHER):
        return Condition(" AND ".join(present))
    raise Untranslatable


def _pair(question: Question, *, sign: str) -> Check:
    """Rows of which the comparison is not true are unexpected, also where one of the two is missing."""
    one, other, mostly = question.column("column_A"), question.column("column_B"), question.mostly()
    ignored = question.text("ignore_row_if", default=_BOTH)
    if not _alike(one, other) or (sign != "=" and not _orderly(one)):
        raise Untranslatable
    if question.truth("or_equal"):
        sign += "="
    present, holds = _present([one, other], ignored), Condition(f"{one.sql} {sign} {other.sql}").surely()
    measures = (question.count(), question.count(present), question.count(present & ~holds))
    return Check(measures, lambda values: counted(values, mostly))


def _alike(one: Column, other: Column) -> bool:
    if one.kind.numeric and other.kind.numeric:
        return True
    if one.kind is not other.kind:
        return False
    return one.kind in (Kind.TEXT, Kind.TRUTH) or (one.kind is Kind.MOMENT and one.type.unit == other.type.unit)


def _orderly(column: Column) -> bool:
    """Whether any two values have an order: pandas refuses to order texts and booleans where one is missing."""
    return column.kind.numeric or column.kind is Kind.MOMENT


CHECKS: Final[Mapping[str, Builder]] = {
    "expect_compound_columns_to_be_unique": _compound_unique,
    "expect_column_pair_values_to_be_equal": partial(_pair, sign="="),
    "expect_column_pair_values_a_to_be_greater_than_b": partial(_pair, sign=">"),
}
