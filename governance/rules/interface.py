"""What a rule is asked, what it is asked about, and what it answers."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

from governance.assets import Asset, Definitions, Input
from governance.label_types import Value
from governance.labels import Labels, Misread
from governance.policy import Policy
from governance.trails import State
from governance.verdict import GATES, Gate, Level

EVERYWHERE: Final = frozenset(GATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing that is judged: an object of the repository, or what a request combines."""

    asset: Asset
    state: State
    places: tuple[tuple[str, str], ...] = ()
    """Role and URI of each place it lies in or flows to."""
    standing: bool = True
    """Part of the definitions; a request is not."""
    combines: bool = False
    """A request that puts several objects into one result."""
    asked: bool = False
    """Somebody wants its values now, so that purposes count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A rule's answer: what is wrong with one subject."""

    message: str
    fix: str
    path: tuple[str, ...]
    fatal: bool = False
    """Denies whatever the policy's levels say: the rule itself failed."""
    location: str | None = None
    """``file:line`` of what is wrong, where that is not the subject itself."""


class Question:
    """Everything about one decision that rules may need beside the subject."""

    def __init__(
        self,
        *,
        gate: Gate,
        policy: Policy,
        definitions: Definitions,
        labels: Labels,
        purpose: str | None,
        caller: str | None,
        today: date,
    ) -> None:
        self.gate = gate
        self.policy = policy
        self.definitions = definitions
        self.labels = labels
        self.today = today
        self.purpose = policy.purpose_of(purpose, caller=caller)
        self.caller = caller
        self._fields: dict[str, Mapping[str, State]] = {}
        self._misread: dict[str, list[Misread]] = {}
        for one in labels.misread:
            self._misread.setdefault(one.asset.key, []).append(one)
        self._lies_in: dict[str, tuple[str | None, Value | None]] = {}

    def misread(self, key: str) -> list[Misread]:
        """The tags of an object that mean nothing."""
        return self._misread.get(key, [])

    def fields(self, asset: Asset) -> Mapping[str, State]:
        """What somebody gets who reads one field alone, for each field; those without tags of their own share one."""
        if asset.key not in self._fields:
            plain: State | None = None
            states = {}
            for field in asset.fields:
                state = (
                    plain if plain is not None and not field.tags else self.labels.read(Input(asset.key, (field.name,)))
                )
                plain = plain if field.tags else state
                states[field.name] = state
            self._fields[asset.key] = states
        return self._fields[asset.key]

    @cached_property
    def served(self) -> Mapping[str, AbstractSet[str]]:
        """For each key the fields that some feature service gives out, or computes from; what has none is absent."""
        return served_fields(self.definitions)

    def lies_in(self, place: str) -> tuple[str | None, Value | None]:
        """Zone and jurisdictions of a place, both ``None`` where it is unknown."""
        if place not in self._lies_in:
            self._lies_in[place] = (self.policy.zone(place), self.policy.jurisdictions(place))
        return self._lies_in[place]


def served_fields(definitions: Definitions) -> Mapping[str, AbstractSet[str]]:
    """The fields of each key that some feature service gives out, or computes from, at any distance."""
    found: dict[str, set[str]] = {}
    waiting = [one for asset in definitions.assets if asset.kind == "feature_service" for one in asset.inputs]
    while waiting:
        one = waiting.pop()
        asset = definitions.get(one.key)
        if asset is None:
            continue
        names = found.setdefault(one.key, set())
        before = len(names)
        names.update(one.fields or [field.name for field in asset.fields])
        waiting += asset.inputs if len(names) > before else ()
    return found


class Rule(ABC):
    """One rule. The docstring of the class is its help."""

    id: str
    pack: str | None = None
    """The pack it comes with; ``None`` for rules that are always on."""
    gates: frozenset[Gate] = EVERYWHERE
    level: Level = Level.DENY
    """What a finding does where the policy's ``levels:`` say nothing."""
    fixed: bool = False
    """Neither levels nor exemptions touch it, since without it the other rules would judge guesses."""

    @abstractmethod
    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """What is wrong with ``subject``, if anything."""

    def review(self, question: Question) -> Iterable[Breach]:
        """What is wrong with the policy itself; a finding at the policy and at no object."""
        return ()

    @property
    def help(self) -> str:
        """The rule in words."""
        return inspect.getdoc(type(self)) or ""
