"""One expectation put to known columns: its arguments, read as strictly as they can be translated.

Every reader here gives None (or raises :class:`Untranslatable`) for what only Great Expectations can judge: arguments
that it would refuse, convert or understand in a way of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import and_
from typing import Any

from governance.canonical import Json
from governance.validation.one_pass.columns import Column, Kind
from governance.validation.one_pass.measure import Condition, Measure, Parameter

EXACT = 2**53
"""Whole numbers up to here are themselves as doubles."""
_MOMENT = "%Y-%m-%dT%H:%M:%S"
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Untranslatable(Exception):
    """This expectation has no exact translation."""


@dataclass(frozen=True)
class Question:
    """An expectation's arguments and the columns it may speak of."""

    arguments: Mapping[str, Json]
    columns: Mapping[str, Column]
    names: tuple[str, ...]
    """All columns of the table, in its order."""
    where: Condition | None = None
    """The row condition; only rows of which it is true count."""

    def column(self, name: str = "column") -> Column:
        """The column that the argument ``name`` names."""
        found = self.columns.get(str(self.arguments.get(name)))
        if found is None:
            raise Untranslatable
        return found

    def number(self, name: str) -> int | float | None:
        """A finite number that is exact as a double; None where it is not given."""
        value = self.arguments.get(name)
        return None if value is None else number(value)

    def whole(self, name: str) -> int | None:
        """A whole number; None where it is not given."""
        value = self.number(name)
        if value is not None and not isinstance(value, int):
            raise Untranslatable
        return value

    def truth(self, name: str) -> bool:
        """A flag; False where it is not given."""
        value = self.arguments.get(name)
        if value is not None and not isinstance(value, bool):
            raise Untranslatable
        return bool(value)

    def text(self, name: str, *, default: str | None = None) -> str:
        """A text."""
        value = self.arguments.get(name, default)
        if not isinstance(value, str):
            raise Untranslatable
        return value

    def mostly(self) -> float:
        """The share of values that must satisfy the expectation; 1 where it is not given."""
        share = number(self.arguments.get("mostly", 1))
        if not 0 <= share <= 1:
            raise Untranslatable
        return share

    def count(self, condition: Condition | None = None) -> Measure:
        """How many rows satisfy the condition."""
        if self.where is None and condition is None:
            return Measure("count(*)")
        among = self.among(condition)
        return Measure(f"count_if({among.sql})", among.parameters, empty=0)

    def present(self, column: Column) -> Measure:
        """In how many rows the column has a value."""
        return self.aggregate(f"count({column.sql})")

    def aggregate(self, sql: str, *, in_order: bool = False) -> Measure:
        """An aggregate over the rows that count."""
        if self.where is None:
            return Measure(sql, in_order=in_order)
        return Measure(f"{sql} FILTER (WHERE {self.where.sql})", self.where.parameters, in_order=in_order)

    def among(self, condition: Condition | None) -> Condition:
        """What a WHERE clause says for the rows that count and satisfy the condition."""
        return _all(one for one in (self.where, condition) if one is not None)


def number(value: Json) -> int | float:
    """``value`` if it is a finite number that a double holds exactly. Raises Untranslatable."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Untranslatable
    if isinstance(value, int) and abs(value) > EXACT:
        raise Untranslatable
    return value


def _all(conditions: Iterable[Condition]) -> Condition:
    given = tuple(conditions)
    return reduce(and_, given) if given else Condition("TRUE")


@dataclass(frozen=True)
class Bounds:
    """``min_value`` and ``max_value``, each strict or not."""

    low: Parameter | None
    high: Parameter | None
    strict_low: bool
    strict_high: bool

    def hold(self, value: Any) -> bool:
        """Whether a measured value lies between them."""
        above = self.low is None or (value > self.low if self.strict_low else value >= self.low)
        below = self.high is None or (value < self.high if self.strict_high else value <= self.high)
        return bool(above and below)

    def near(self, value: float, tolerance: float) -> bool:
        """Whether a value so near to a bound could lie on its other side."""
        return any(one is not None and abs(value - float(one)) <= tolerance for one in (self.low, self.high))

    def condition(self, sql: str) -> Condition:
        """Whether the value of that expression lies between them."""
        low = Condition(f"{sql} {'>' if self.strict_low else '>='} ?", () if self.low is None else (self.low,))
        high = Condition(f"{sql} {'<' if self.strict_high else '<='} ?", () if self.high is None else (self.high,))
        return _all(one for one in (low, high) if one.parameters)


def bounds(question: Question, read: Callable[[str], Parameter | None]) -> Bounds:
    """The bounds of an expectation, each read by ``read``; at least one, and not the wrong way round."""
    low, high = read("min_value"), read("max_value")
    if (low is None and high is None) or (low is not None and high is not None and low > high):  # type: ignore[operator] # both of one reader, so of one type
        raise Untranslatable
    return Bounds(low, high, question.truth("strict_min"), question.truth("strict_max"))


def value_bounds(question: Question, column: Column) -> Bounds:
    """The bounds of the values of a column."""
    if column.kind.numeric:
        return bounds(question, question.number)
    if column.kind is Kind.MOMENT:
        return bounds(question, lambda name: _moment(question.arguments.get(name), column))
    raise Untranslatable


def _moment(text: Json, column: Column) -> int | None:
    """A moment in the column's unit, where the text says it exactly and with its zone."""
    if text is None:
        return None
    if not isinstance(text, str) or len(text) < len("2000-01-01T00:00:00Z"):
        raise Untranslatable
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Untranslatable from None
    if moment.tzinfo is None or not text.startswith(moment.strftime(_MOMENT)):
        raise Untranslatable
    elapsed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    units, rest = divmod((elapsed.days * 86_400 + elapsed.seconds) * 10**6 + elapsed.microseconds, 10**6)
    scale = _UNITS[column.type.unit]
    if rest * scale % 10**6:
        raise Untranslatable
    return units * scale + rest * scale // 10**6


def elements(values: Json, kind: Kind) -> Sequence[Parameter]:
    """The distinct members of a ``value_set`` for a column of that kind, all of one sort."""
    if not isinstance(values, list) or not 0 < len(values) <= 1000:
        raise Untranslatable
    if kind.numeric:
        members: list[Parameter] = [number(one) for one in values]
    elif all(isinstance(one, bool if kind is Kind.TRUTH else str) for one in values):
        members = list(values)
    else:
        raise Untranslatable
    if kind not in (Kind.WHOLE, Kind.DOUBLE, Kind.TEXT, Kind.TRUTH):
        raise Untranslatable
    return list(dict.fromkeys(members))


def member_of(sql: str, members: Sequence[Parameter]) -> Condition:
    """Whether the value of that expression is one of ``members``."""
    return Condition(f"{sql} IN ({', '.join('?' * len(members))})", tuple(members))
