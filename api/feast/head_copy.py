"""The head of a governed registry for those who only look: nothing is made, completed or locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RepoConfig

from api.assembly import Provender, opened
from api.feast import registry_head
from api.feast.denial import FeastRefused
from api.feast.gate import TEARDOWN, ApplyGate, commits
from api.feast.registry_version import read_version
from api.settings import Settings
from governance.assets import Definitions
from governance.canonical import Json
from governance.errors import ConfigurationError


@dataclass(frozen=True)
class Head:
    """What the registry holds now."""

    definitions: Definitions | None
    """``None`` before the first apply."""
    proto: RegistryProto = field(default_factory=RegistryProto)
    told: tuple[Mapping[str, Json], ...] = ()
    """The findings of the decision that let these definitions in."""


def read_only_head(settings: Settings, config: RepoConfig) -> Head:
    """The head. Raises AnswerIsNo where it is not as it was written or not what the last decision let in."""
    directory = registry_directory(settings, config)
    if not (directory / "head.json").exists() and not (directory / "next.json").exists():
        return Head(None)
    file = getattr(config.registry, "governance", None)
    parts = opened(settings.repo, file, create=False)
    return _allowed(directory, parts)


def registry_directory(settings: Settings, config: RepoConfig) -> Path:
    """Where the governed registry of ``config`` lies. Raises ConfigurationError where there is none."""
    path = config.registry.path
    if config.registry.registry_store_type is None or not path or "://" in path:
        raise ConfigurationError(
            f"The registry of {settings.repo} is not governed, or not in a directory. Expected"
            " `registry: registry_store_type: api.feast.GovernedRegistryStore` and a directory as `path:`."
        )
    return settings.repo / str(path)


def _allowed(directory: Path, parts: Provender) -> Head:
    """The head that the last decision let in; one whose commit a crash cut off after its decision counts already."""
    gate = ApplyGate(parts)
    allowed = gate.allowed()
    for name in ("head.json", "next.json"):
        head = registry_head.read_head(directory / name, parts.keys)
        if head is None:
            continue
        proto = read_version(directory, head.object)
        definitions = gate.definitions(proto)
        if head.definitions == allowed or (allowed is None and gate.holds_nothing(proto)):
            return Head(definitions, proto, _told(parts, allowed))
    raise FeastRefused(
        f"The head of the registry {directory} is not what the last recorded decision let in"
        f" ({allowed or 'nothing, or a teardown'}). feast apply would refuse it too: restore the registry."
    )


def _told(parts: Provender, definitions: str | None) -> tuple[Mapping[str, Json], ...]:
    for record in reversed(commits(parts)):
        if record.predicate["gate"] != TEARDOWN and record.predicate["definitions"] == definitions:
            return tuple(record.predicate["findings"])
    return ()
