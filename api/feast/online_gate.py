"""The gate of online reads: one recorded decision for each way of reading, and every read counted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from feast.feature_service import FeatureService
from feast.infra.registry.base_registry import BaseRegistry
from feast.infra.registry.sql import SqlRegistry
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto

from api.assembly import Provender
from api.feast.gate import ApplyGate
from api.feast.picture import draw
from api.feast.read_counts import ReadCounts, read_counts
from api.feast.registry_store import GovernedRegistryStore, decided
from api.feast.request import view_inputs
from api.places import repository_places
from api.repository import git_state
from api.settings import PURPOSE
from governance.assets import Definitions, Input
from governance.decide import decide
from governance.policy import Policy
from governance.purposes import current_purpose
from governance.verdict import Verdict
from lineage.recorder import Act, Subject

MAX_READINGS = 10_000
"""Ways of reading that are remembered; beyond them all are forgotten and decided, and recorded, anew."""

Asked = list[str] | FeatureService
Reading = tuple[str, str | None, str | tuple[str, ...]]
"""Caller, stated purpose, name of the feature service or references."""


@dataclass(frozen=True)
class _Decided:
    """What was decided on one way of reading, under one policy and one registry on one day."""

    asked: Asked
    """what is read: a feature service as the registry has it"""
    verdict: Verdict
    record: str


class OnlineGate:
    """Decides on online reads of one repository, in whichever threads they come.

    A policy file that changed counts at the next read, as does a registry that this process changed. One that
    another process changed counts after ``policy_ttl`` seconds at most.

    :param purpose: the purpose that the caller acts for, under a policy.
    """

    def __init__(self, parts: Provender, *, purpose: Callable[[Policy, str], str | None]) -> None:
        self._parts, self._purpose = parts, purpose
        self._counts: ReadCounts = read_counts(parts)
        self._file = str(parts.settings.policy)
        self._lock = Lock()
        self._state: tuple[Any, ...] = ()
        self._proto: RegistryProto | None = None
        """What the state speaks of: Feast's SQL registry has no version id, and no other may get its ``id()``."""
        self._look_again = 0.0
        self._drawn: tuple[RegistryProto, str, Definitions] | None = None
        self._decided: dict[Reading, _Decided] = {}

    def enter(self, features: Sequence[str] | FeatureService, registry: BaseRegistry, *, caller: str) -> Asked:
        """What may be read of ``features``; it is counted. A first decision is recorded before. Raises Denied."""
        name = features.name if isinstance(features, FeatureService) else tuple(features)
        reading = (caller, current_purpose(otherwise=os.environ.get(PURPOSE)), name)
        with self._lock:
            self._forget_what_changed(registry)
            found = self._decided.get(reading)
            if found is None:
                found = self._decide(reading, features, registry)
        if not found.verdict.allowed:
            found.verdict.enforce()
        self._counts.add(found.record)
        return list(found.asked) if isinstance(found.asked, list) else found.asked

    def _forget_what_changed(self, registry: BaseRegistry) -> None:
        if time.monotonic() > self._look_again:
            self._refresh(registry)
            self._look_again = time.monotonic() + self._parts.settings.governance.policy_ttl
        proto = _in_hand(registry)
        state = (_state(self._file), proto.version_id or id(proto), int(time.time() // 86_400))
        if state != self._state:
            self._decided.clear()
            self._state, self._proto = state, proto

    def _refresh(self, registry: Any) -> None:
        """Let a registry that another process changed be read again, unless it was opened to stay as it is."""
        store = getattr(registry, "_registry_store", None)
        stays = getattr(registry, "cached_registry_proto_ttl", None)
        if isinstance(registry, SqlRegistry):
            outdated = ApplyGate(self._parts).allowed() != self._definitions(registry).digest
        else:
            outdated = isinstance(store, GovernedRegistryStore) and store.outdated()
        if stays and outdated:
            registry.refresh()

    def _decide(self, reading: Reading, features: Sequence[str] | FeatureService, registry: BaseRegistry) -> _Decided:
        caller, settings, policy = reading[0], self._parts.settings, self._parts.policy()
        asked = as_registered(features, registry, settings.project)
        definitions = self._definitions(registry)
        inputs, purpose = _inputs(asked, definitions), self._purpose(policy, caller)
        verdict = decide(
            definitions,
            policy,
            gate="online",
            places=repository_places(settings),
            objects=inputs,
            purpose=purpose,
            caller=caller,
            today=datetime.now(UTC).date(),
        )
        (record,) = self._parts.recorder.record(self._act(verdict, inputs, caller, purpose))
        if len(self._decided) >= MAX_READINGS:
            self._decided.clear()
        found = self._decided[reading] = _Decided(asked, verdict, record)
        return found

    def _act(self, verdict: Verdict, asked: tuple[Input, ...], caller: str, purpose: str | None) -> Act:
        settings = self._parts.settings
        features = sorted(f"{one.key.split(':', 1)[1]}:{name}" for one in asked for name in one.fields or ())
        return Act(
            kind="decision",
            actor=caller,
            subjects=(Subject(f"online_reads:{settings.project}", "definitions-sha256", verdict.definitions),),
            predicate={
                **verdict.as_json(),
                "project": settings.project,
                "repository": git_state(settings.repo),
                "request": {"features": features, "purpose": purpose},
            },
        )

    def _definitions(self, registry: BaseRegistry) -> Definitions:
        """The picture of the registry, drawn again when it is another object or was committed since."""
        proto, settings = _in_hand(registry), self._parts.settings
        if self._drawn is None or self._drawn[0] is not proto or self._drawn[1] != proto.version_id:
            drawn = draw(proto, project=settings.project, repo=settings.repo)
            self._drawn = (proto, proto.version_id, decided(registry, drawn, ApplyGate(self._parts)))
        return self._drawn[2]


def _in_hand(registry: Any) -> RegistryProto:
    """What Feast answers from; Feast's SQL registry would ask its database at each call otherwise."""
    proto: RegistryProto = registry.cached_registry_proto if isinstance(registry, SqlRegistry) else registry.proto()
    return proto


def as_registered(
    features: Sequence[str] | FeatureService, registry: BaseRegistry, project: str
) -> list[str] | FeatureService:
    """What will really be read: a feature service as the registry has it, not as the caller's object says."""
    if not isinstance(features, FeatureService):
        return list(features)
    return registry.get_feature_service(features.name, project, allow_cache=True)


def _inputs(features: Sequence[str] | FeatureService, definitions: Definitions) -> tuple[Input, ...]:
    pairs = {(name, feature) for name, feature in _pairs(features)}
    return tuple(Input(key, names) for key, names in view_inputs(pairs, definitions).items())


def _pairs(features: Sequence[str] | FeatureService) -> list[tuple[str, str]]:
    if isinstance(features, FeatureService):
        return [(_versioned(one), each.name) for one in features.feature_view_projections for each in one.features]
    return [(name, feature) for name, _, feature in (ref.partition(":") for ref in features)]


def _versioned(projection: object) -> str:
    """A view's name; with its version where one is asked for, which no verdict knows, so that it is denied."""
    tag = getattr(projection, "version_tag", None)
    name = str(projection.name)  # type: ignore[attr-defined] # Feast's FeatureViewProjection
    return name if tag is None else f"{name}@v{tag}"


def _state(path: str) -> tuple[int, int, int]:
    """What changes when the file does; zeros where it is not there, which reading it will say."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked at each read, and a path takes three times as long
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
