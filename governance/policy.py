"""A policy, as it is after reading: frozen, checked, and named by the SHA-256 of its file's bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from governance.globs import matches
from governance.label_types import LabelType, Value
from governance.places import PlaceRule, zone_of
from governance.verdict import Gate, Level
from governance.zones import Zones

if TYPE_CHECKING:
    from governance.rules.interface import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """One rule set aside at the objects that match, until a day."""

    rule: str
    object: str
    """A key ``kind:name``; ``*`` stands for any text."""
    owner: str
    reason: str
    approver: str
    expires: date
    """The last day on which it holds."""
    granted: date | None = None
    """The first day on which it holds; ``None`` where the policy sets no longest time."""
    location: str | None = None
    """``file:line`` where it is written."""

    def in_force(self, today: date) -> bool:
        """Whether it sets anything aside on that day."""
        return (self.granted is None or self.granted <= today) and today <= self.expires

    def covers(self, rule: str, key: str) -> bool:
        """Whether it speaks of this rule at this object, in force or not."""
        return rule == self.rule and matches(self.object, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declassification:
    """Labels that stop at the objects that match instead of flowing through them, until a day."""

    object: str
    drops: tuple[str, ...]
    owner: str
    reason: str
    approver: str
    expires: date
    """The last day on which it holds."""
    granted: date | None = None
    """The first day on which it holds; ``None`` where the policy sets no longest time."""
    location: str | None = None
    """``file:line`` where it is written."""

    def in_force(self, today: date) -> bool:
        """Whether it drops anything on that day."""
        return (self.granted is None or self.granted <= today) and today <= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long exceptions may last, and how early their end is announced."""

    exemption_days: int | None = None
    """The longest time from ``granted`` to ``expires`` of an exemption or declassification; ``None``: any."""
    warn_days: int = 14
    """How many days before its end an exception is warned of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The purposes that a caller who matches may act for."""

    match: str
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a ``policy.yaml`` says."""

    name: str
    """The file, as messages print it."""
    sha256: str
    """Hex SHA-256 of the exact bytes of the file."""
    content: bytes = field(repr=False)
    """Those bytes."""
    zones: Zones
    labels: Mapping[str, LabelType]
    """Built-in and declared labels, by name."""
    rules: tuple[Rule, ...]
    """Everything that is checked: what is always on, the packs' rules, then the policy's own."""
    packs: tuple[str, ...] = ()
    places: tuple[PlaceRule, ...] = ()
    levels: Mapping[str, Mapping[Gate, Level]] = field(default_factory=dict)
    exemptions: tuple[Exemption, ...] = ()
    declassifications: tuple[Declassification, ...] = ()
    callers: tuple[Caller, ...] = ()
    limits: Limits = Limits()

    def level(self, rule: Rule, gate: Gate) -> Level:
        """What a finding of ``rule`` does at ``gate``."""
        return self.levels.get(rule.id, {}).get(gate, rule.level)

    def zone(self, place: str) -> str | None:
        """The zone a place lies in; ``None`` where no line matches it."""
        return zone_of(place, self.places)

    def jurisdictions(self, place: str) -> Value | None:
        """Every jurisdiction in which the place may lie; ``None`` where nobody knows."""
        zone = self.zone(place)
        return None if zone is None else self.zones.expand([zone])

    def dropped(self, key: str, *, today: date) -> frozenset[str]:
        """The labels that do not flow through the object on that day."""
        return frozenset(
            name
            for one in self.declassifications
            if one.in_force(today) and matches(one.object, key)
            for name in one.drops
        )

    def granted(self, caller: str | None) -> frozenset[str]:
        """The purposes that ``callers:`` grants to a caller, of all lines that match."""
        return frozenset(
            purpose
            for one in self.callers
            if caller is not None and matches(one.match, caller)
            for purpose in one.purposes
        )

    def purpose_of(self, stated: str | None, *, caller: str | None) -> str | None:
        """The purpose of an act: the stated one, else the only one its caller is granted, else none."""
        if stated is not None:
            return stated
        granted = self.granted(caller)
        return next(iter(granted)) if len(granted) == 1 else None
