"""Labels as they flow: read from tags, inherited along the graph, projected to the fields that are read.

    labels_of(definitions, policy, "feature_service:liver_risk_v1", today=today).residency

Order of the argument for one asset: join what its inputs carry (only the fields it reads), drop what a
declassification in force drops, then join its own tags. A tag can therefore narrow, never widen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce

from governance.assets import Asset, Definitions, Input
from governance.canonical import Json
from governance.label_types import PII, PURPOSE, RESIDENCY, Unreadable, Value
from governance.policy import Policy
from governance.trails import Held, State, Trail, merged

PROJECTIONS = frozenset({"feature_service", "saved_dataset", "request"})
"""Kinds whose fields are their inputs' fields under the same names; all others compute new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misread:
    """A tag that is no value of its label."""

    asset: Asset
    where: str
    """Path of the tag, for the finding."""
    why: Unreadable


@dataclass(frozen=True, slots=True)
class Carried:
    """The labels of one asset: of the whole, of the object itself, and of fields that differ from it."""

    whole: State
    base: State
    fields: Mapping[str, State]
    names: frozenset[str]
    """All its fields, whether they differ or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveLabels:
    """What holds for an asset, or for some of its fields, after inheritance."""

    residency: Value | None
    """Jurisdictions where it may be; ``None`` where nobody said."""
    pii: bool
    """Whether it is personal data; False also where nobody said."""
    purpose: Value | None
    """Purposes it may serve; ``None`` where nobody limited them."""
    custom: Mapping[str, Value]
    """Labels that the policy declares, by name, where somebody set them."""
    paths: Mapping[str, tuple[tuple[str, ...], ...]]
    """For each label the trails it came by; a trail joined by ``" <- "`` reads as one line."""

    def as_json(self) -> Json:
        """The labels as records carry them.

        An empty list in ``residency`` means *nowhere*; where nobody said anything, the label's name stands
        in ``undeclared`` and its list is empty too.
        """
        undeclared = [name for name, value in ((RESIDENCY, self.residency), (PURPOSE, self.purpose)) if value is None]
        return {
            "residency": sorted(self.residency or ()),
            "pii": self.pii,
            "purpose": sorted(self.purpose or ()),
            "undeclared": undeclared,
            "custom": {name: sorted(value) for name, value in self.custom.items()},
        }


class Labels:
    """The labels of every asset (or of ``keys`` and their ancestors) under one policy on one day."""

    def __init__(
        self, definitions: Definitions, policy: Policy, *, today: date, keys: Iterable[str] | None = None
    ) -> None:
        self._definitions = definitions
        self._types = policy.labels
        self._policy = policy
        self._today = today
        self._carried: dict[str, Carried] = {}
        self.misread: list[Misread] = []
        wanted = None if keys is None else definitions.graph.ancestors(keys)
        for key in definitions.graph.order:
            if wanted is None or key in wanted:
                self._carried[key] = self._flow(definitions[key])

    def whole(self, key: str) -> State:
        """What the asset as a whole carries: itself and all its fields."""
        return self._carried[key].whole

    def read(self, one: Input) -> State:
        """What somebody who reads ``one`` gets; all of it where a field is unknown there."""
        if one.key not in self._carried:
            return {}
        asset, carried = self._definitions[one.key], self._carried[one.key]
        if one.fields is None:
            return carried.whole
        if asset.kind in PROJECTIONS:
            return self._projected(asset, one.fields)
        if not one.fields or not carried.names.issuperset(one.fields):
            return carried.whole
        return self._joined(carried.fields.get(name, carried.base) for name in one.fields)

    def request(self, asset: Asset) -> State:
        """The labels of something that is no part of the definitions but is made from them.

        No declassification speaks of it: what flows into it, stays.
        """
        state = self._joined(self.read(one) for one in asset.inputs)
        return {name: held.at(asset.key) for name, held in state.items()}

    def _flow(self, asset: Asset) -> Carried:
        inherited = self._handed_down(asset, asset.inputs)
        own = self._own(asset, asset.tags, field="")
        base = merged(self._types, own, inherited)
        fields = {
            field.name: merged(self._types, {**own, **self._own(asset, field.tags, field=field.name)}, inherited)
            for field in asset.fields
            if field.tags and not self._types.keys().isdisjoint(field.tags)
        }
        names = frozenset([field.name for field in asset.fields])
        return Carried(self._joined([base, *fields.values()]), base, fields, names)

    def _handed_down(self, asset: Asset, inputs: Iterable[Input]) -> State:
        """What flows from ``inputs`` into the asset, without what a declassification in force drops there."""
        state = self._joined(self.read(one) for one in inputs)
        dropped = self._policy.dropped(asset.key, today=self._today) if state else frozenset()
        return {name: held.at(asset.key) for name, held in state.items() if name not in dropped}

    def _projected(self, asset: Asset, names: tuple[str, ...]) -> State:
        """A projection's own tags and those of its inputs that have one of ``names``; all, where one is nowhere."""
        narrowed = [self._narrowed(one, names) for one in asset.inputs]
        found = {name for one in narrowed for name in one.fields or ()}
        if not found.issuperset(names):
            return self._carried[asset.key].whole
        own = self._own(asset, asset.tags, field="", again=True)
        return merged(self._types, own, self._handed_down(asset, [one for one in narrowed if one.fields]))

    def _narrowed(self, one: Input, names: tuple[str, ...]) -> Input:
        known = one.fields
        if known is None:
            known = tuple(field.name for field in self._definitions[one.key].fields) if one.key in self._carried else ()
        return Input(one.key, tuple(name for name in names if name in known))

    def _own(self, asset: Asset, tags: Mapping[str, str], *, field: str, again: bool = False) -> dict[str, Held]:
        """The labels that ``tags`` declare; ``again`` where what cannot be read is already noted."""
        own: dict[str, Held] = {}
        for name, label in self._types.items() if tags else ():
            if name not in tags:
                continue
            said = f".{field}: {name}={tags[name]}" if field else f"{name}={tags[name]}"
            read = label.read(tags[name])
            if isinstance(read, Unreadable) and not again:
                self.misread.append(Misread(asset=asset, where=Trail(asset.key, None, said).path[0], why=read))
            value = label.worst() if isinstance(read, Unreadable) else read
            if value is not None:
                own[name] = Held(value, (Trail(asset.key, None, said),))
        return own

    def _joined(self, states: Iterable[State]) -> State:
        empty: State = {}
        return reduce(lambda one, other: merged(self._types, one, other), states, empty)


def effective(state: State) -> EffectiveLabels:
    """The labels of a state in the words of records and rules."""
    value = {name: held.value for name, held in state.items()}
    return EffectiveLabels(
        residency=value.get(RESIDENCY),
        pii=value.get(PII) == frozenset({"true"}),
        purpose=value.get(PURPOSE),
        custom={name: held for name, held in sorted(value.items()) if name not in (RESIDENCY, PII, PURPOSE)},
        paths={name: tuple(trail.path for trail in held.trails) for name, held in sorted(state.items())},
    )


def labels_of(
    definitions: Definitions, policy: Policy, key: str, fields: Iterable[str] | None = None, *, today: date
) -> EffectiveLabels:
    """The labels of one asset, or of some of its fields, as they hold on ``today``.

    Raises KeyError where no asset has ``key``.
    """
    if key not in definitions:
        raise KeyError(key)
    return labels_of_request(definitions, policy, [Input(key, None if fields is None else tuple(fields))], today=today)


def labels_of_request(
    definitions: Definitions, policy: Policy, asked: Iterable[Input], *, today: date
) -> EffectiveLabels:
    """The labels of one result that is made from several assets, such as a retrieval from many views."""
    wanted = tuple(asked)
    labels = Labels(definitions, policy, today=today, keys=[one.key for one in wanted])
    states = [labels.read(one) for one in wanted]
    empty: State = {}
    return effective(reduce(lambda one, other: merged(policy.labels, one, other), states, empty))
