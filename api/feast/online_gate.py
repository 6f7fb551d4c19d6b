"""The gate of online reads: one recorded decision for each way of reading, however often it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock

from feast.feature_service import FeatureService
from feast.infra.registry.base_registry import BaseRegistry
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto

from api.assembly import Provender
from api.feast.picture import draw
from api.feast.registry_store import decided
from api.feast.request import view_inputs
from api.places import repository_places
from api.repository import git_state
from governance.assets import Definitions, Input
from governance.decide import decide
from governance.policy import Policy
from governance.verdict import Verdict
from lineage.recorder import Act, Subject

Reading = tuple[str, str | None, tuple[Input, ...], str, str, date]
"""Caller, purpose, what is read, SHA-256 of the policy, version of the definitions, day (exemptions end with one)."""

MAX_READINGS = 10_000
"""Verdicts that are remembered; beyond them all are forgotten and decided, and recorded, anew."""


class OnlineGate:
    """Decides on online reads of one repository, in whichever threads they come.

    :param purpose: the purpose that the caller acts for, under a policy.
    """

    def __init__(self, parts: Provender, *, purpose: Callable[[Policy, str], str | None]) -> None:
        self._parts, self._purpose = parts, purpose
        self._lock = Lock()
        self._policy: tuple[tuple[int, int, int], Policy] | None = None
        self._drawn: tuple[RegistryProto, str, Definitions] | None = None
        self._verdicts: dict[Reading, Verdict] = {}

    def enter(self, features: Sequence[str] | FeatureService, registry: BaseRegistry, *, caller: str) -> None:
        """Go on where ``features`` may be read. The first decision of its kind is recorded; raises Denied."""
        with self._lock:
            policy, definitions = self._current_policy(), self._definitions(registry)
            purpose = self._purpose(policy, caller)
            asked = _asked(features, definitions)
            reading = (caller, purpose, asked, policy.sha256, definitions.digest, datetime.now(UTC).date())
            if reading not in self._verdicts:
                self._decide(reading, policy, definitions)
            verdict = self._verdicts[reading]
        verdict.enforce()

    def _decide(self, reading: Reading, policy: Policy, definitions: Definitions) -> None:
        caller, purpose, asked, *_, today = reading
        places = repository_places(self._parts.settings)
        verdict = decide(
            definitions,
            policy,
            gate="online",
            places=places,
            objects=asked,
            purpose=purpose,
            caller=caller,
            today=today,
        )
        self._parts.recorder.record(self._act(verdict, reading))
        if len(self._verdicts) >= MAX_READINGS:
            self._verdicts.clear()
        self._verdicts[reading] = verdict

    def _act(self, verdict: Verdict, reading: Reading) -> Act:
        caller, purpose, asked, *_ = reading
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

    def _current_policy(self) -> Policy:
        """The policy file's content, read again when the file is another one."""
        state = _state(self._parts.settings.policy)
        if self._policy is None or self._policy[0] != state:
            self._policy = (state, self._parts.policy())
        return self._policy[1]

    def _definitions(self, registry: BaseRegistry) -> Definitions:
        """The picture of the registry, drawn again when it is another object or was committed since."""
        proto, settings = registry.proto(), self._parts.settings
        if self._drawn is None or self._drawn[0] is not proto or self._drawn[1] != proto.version_id:
            drawn = draw(proto, project=settings.project, repo=settings.repo)
            self._drawn = (proto, proto.version_id, decided(registry, drawn))
        return self._drawn[2]


def as_registered(
    features: Sequence[str] | FeatureService, registry: BaseRegistry, project: str
) -> list[str] | FeatureService:
    """What will really be read: a feature service as the registry has it, not as the caller's object says."""
    if not isinstance(features, FeatureService):
        return list(features)
    return registry.get_feature_service(features.name, project, allow_cache=True)


def _asked(features: Sequence[str] | FeatureService, definitions: Definitions) -> tuple[Input, ...]:
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


def _state(path: Path) -> tuple[int, int, int]:
    """What changes when the file does; zeros where it is not there, which reading it will say."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
