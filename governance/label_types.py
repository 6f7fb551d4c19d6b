"""Types of labels: which values a tag may have, and how values flow from what a thing is made from.

A label's value is always a set of texts. ``residency`` is the set of jurisdictions in which a thing may
be, ``purpose`` the set of purposes it may serve (both narrow on the way down: intersection), ``pii`` is
``{"true"}`` or ``{"false"}`` (the more sensitive wins), and a policy declares others under ``labels:``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from governance.zones import Zones

Value: TypeAlias = frozenset[str]

RESIDENCY: Final = "residency"
PII: Final = "pii"
PURPOSE: Final = "purpose"
BUILT_IN: Final = (RESIDENCY, PII, PURPOSE)


class Flow(StrEnum):
    """How a label of something made from several things follows from theirs."""

    UNION = "union"
    """Everything that any of them carries: sensitivities."""
    INTERSECTION = "intersection"
    """Only what all of them allow: permissions."""
    MAX = "max"
    """The greatest, in the order in which the values are declared: levels."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a tag is no value of its label."""

    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class LabelType:
    """One label, by name."""

    name: str
    flow: Flow
    values: tuple[str, ...] | None = None
    """The values a tag may name, least first; ``None`` where any text is one (purposes)."""
    zones: Zones | None = None
    """For residency: values are zones, and are expanded to jurisdictions."""

    def read(self, tag: object) -> Value | Unreadable:
        """The value that a tag's text means: one text for ``max``, else texts separated by commas."""
        if not isinstance(tag, str):
            return Unreadable(f"{self.name} is {tag!r}, a {type(tag).__name__}", "text")
        names = [tag] if self.flow is Flow.MAX else [part.strip() for part in tag.split(",")]
        known = self.zones.names if self.zones else self.values
        strange = [name for name in names if not name or (known is not None and name not in known)]
        if strange:
            return Unreadable(f"{self.name}={tag!r}, where {strange[0]!r} means nothing", _expected(known))
        return self.zones.expand(names) if self.zones else frozenset(names)

    def worst(self) -> Value | None:
        """What an unreadable tag counts as: the highest level, and otherwise nothing declared."""
        return frozenset(self.values[-1:]) if self.flow is Flow.MAX and self.values else None

    def join(self, one: Value, other: Value) -> Value:
        """The value of something that is made from both; never more permissive than either."""
        match self.flow:
            case Flow.UNION:
                return one | other
            case Flow.INTERSECTION:
                return one & other
            case Flow.MAX:
                return max(one, other, key=self._rank)
            case _:
                assert_never(self.flow)

    def _rank(self, value: Value) -> int:
        order = self.values or ()
        return max((order.index(name) for name in value), default=-1)


def built_in(zones: Zones) -> dict[str, LabelType]:
    """The labels that every policy has."""
    return {
        RESIDENCY: LabelType(RESIDENCY, Flow.INTERSECTION, zones=zones),
        PII: LabelType(PII, Flow.MAX, values=("false", "true")),
        PURPOSE: LabelType(PURPOSE, Flow.INTERSECTION),
    }


def _expected(known: tuple[str, ...] | None) -> str:
    if known is None:
        return "names separated by commas"
    return f"one of: {', '.join(known)}" if known else "a zone, but policy.yaml declares none under zones:"
