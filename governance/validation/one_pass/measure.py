"""What an expectation asks of the rows, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from governance.canonical import Json
from governance.validation.one_pass.columns import Column

Parameter: TypeAlias = int | float | str | bool


@dataclass(frozen=True)
class Condition:
    """A boolean SQL expression over one row of ``prepared``; of a missing value it says neither yes nor no."""

    sql: str
    parameters: tuple[Parameter, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"({self.sql}) AND ({other.sql})", (*self.parameters, *other.parameters))

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"({self.sql}) OR ({other.sql})", (*self.parameters, *other.parameters))

    def __invert__(self) -> Condition:
        return Condition(f"NOT ({self.sql})", self.parameters)

    def surely(self) -> Condition:
        """False where it says neither yes nor no."""
        return Condition(f"coalesce({self.sql}, FALSE)", self.parameters)


@dataclass(frozen=True)
class Measure:
    """One number (or value) about all rows."""

    sql: str
    """An aggregate over the rows of ``prepared``, or a whole SELECT of one value where it is ``alone``."""
    parameters: tuple[Parameter, ...] = ()
    alone: bool = False
    """It cannot share its scan: it groups or compares rows."""
    empty: Any = None
    """What a null of it means: that there were no rows."""
    in_order: bool = False
    """Its last digits depend on the order of the rows, so that one thread reads them."""


@dataclass(frozen=True)
class Found:
    """Whether an expectation holds, with the members that Great Expectations' own result has."""

    success: bool
    details: Mapping[str, Json]


@dataclass(frozen=True)
class Check:
    """An expectation, translated."""

    measures: tuple[Measure, ...]
    read: Callable[[Sequence[Any]], Found | None]
    """Takes the measured values in their order; None where Great Expectations must decide after all."""
    columns: tuple[Column, ...] = ()
    """What the measures speak of."""
