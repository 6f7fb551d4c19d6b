"""A frozen picture of what a feature repository defines: the only thing the core judges.

A door (Feast, an admission webhook, a fixture) draws the picture; nothing here knows any framework.

    labs = Asset(kind="feature_view", name="labs", project="clinic", owner="lab@clinic.example")
    Definitions("clinic", [labs])["feature_view:labs"].owner
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from governance.canonical import Json, canonical_json
from governance.errors import ConfigurationError
from governance.graph import Graph

VIEW_KINDS: Final = ("feature_view", "stream_feature_view", "on_demand_feature_view")
"""Kinds that hold features."""

KINDS: Final = (
    "data_source",
    "entity",
    *VIEW_KINDS,
    "feature_service",
    "saved_dataset",
    "snapshot",
    "permission",
    "project",
)
"""Every kind an asset of a repository can have."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NOTHING


@dataclass(frozen=True, slots=True)
class Field:
    """One feature or column of an asset."""

    name: str
    type: str
    tags: Mapping[str, str] = field(default_factory=_nothing)
    """Its own tags; they override its asset's tags for this field."""


@dataclass(frozen=True, slots=True)
class Input:
    """What an asset is made from, or what a request asks for."""

    key: str
    fields: tuple[str, ...] | None = None
    """The fields that are read; ``None`` means all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One object of a feature repository."""

    kind: str
    name: str
    project: str
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=_nothing)
    fields: tuple[Field, ...] = ()
    inputs: tuple[Input, ...] = ()
    places: tuple[str, ...] = ()
    """Canonical URIs (:mod:`governance.places`) where the data of this very object lies."""
    facts: Mapping[str, Json] = field(default_factory=_nothing)
    """What CEL rules may ask about, flat; :mod:`governance.facts` lists the names and types."""
    definition: Json = None
    """The object as JSON, without times and bookkeeping: it makes the definition version."""
    location: str | None = None
    """``file:line`` where a person wrote it."""
    system: bool = False
    """Made by the feature store itself (its dummy entity, its project row), not by a person."""

    key: str = field(init=False, repr=False, compare=False)
    """``kind:name``, unique in a project."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.kind}:{self.name}")


class Definitions(Mapping[str, Asset]):
    """All assets of one project, by key."""

    def __init__(self, project: str, assets: Iterable[Asset]) -> None:
        """Take the picture. Raises ConfigurationError where two assets share one key or a kind is unknown."""
        self.project = project
        self._assets: dict[str, Asset] = {}
        for asset in assets:
            self._add(asset)

    def _add(self, asset: Asset) -> None:
        if asset.kind not in KINDS:
            raise ConfigurationError(
                f"found an object of kind {asset.kind!r} named {asset.name!r}; known kinds: {', '.join(KINDS)}"
            )
        if asset.key in self._assets:
            raise ConfigurationError(f"{asset.key} is defined twice in project {self.project}; rename one of the two")
        self._assets[asset.key] = asset

    def __getitem__(self, key: str) -> Asset:
        return self._assets[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._assets)

    def __len__(self) -> int:
        return len(self._assets)

    @property
    def assets(self) -> tuple[Asset, ...]:
        """Every asset, in the order they were given."""
        return tuple(self._assets.values())

    @cached_property
    def graph(self) -> Graph:
        """What is made from what. Raises ConfigurationError printing the cycle where there is one."""
        return Graph({asset.key: [one.key for one in asset.inputs] for asset in self._assets.values()})

    @cached_property
    def digest(self) -> str:
        """The definition version (docs/formats/policy.md): hex SHA-256 over the objects people defined.

        The hashed JSON is the list of ``{"type","project","name","definition"}`` sorted by the first
        three; an RFC 8785 list is its members joined by commas, so they are fed to the hash one by one.
        """
        digest = hashlib.sha256(b"[")
        people_made = [one for one in self._assets.values() if not one.system and one.kind != "project"]
        for place, asset in enumerate(sorted(people_made, key=lambda one: (one.kind, one.project, one.name))):
            digest.update(b"," if place else b"")
            digest.update(canonical_json(_versioned(asset)))
        digest.update(b"]")
        return digest.hexdigest()


def _versioned(asset: Asset) -> Json:
    return {"type": asset.kind, "project": asset.project, "name": asset.name, "definition": asset.definition}
