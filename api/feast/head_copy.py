"""The head of a governed registry for those who only look: nothing is made, completed or locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RepoConfig

from api.assembly import Provender, opened
from api.feast.denial import FeastRefused
from api.feast.gate import TEARDOWN, ApplyGate, commits, holds_nothing
from api.feast.governed import governance_file
from api.feast.picture import draw
from api.feast.registry_head import HEAD, NEXT, SignedHead
from api.feast.registry_refs import registry_refs
from api.feast.registry_version import read_version
from api.feast.sql.gate import SqlGate
from api.feast.sql.rows import committed_registry, governed_sql
from api.settings import Settings
from audit.errors import UnknownRecord
from governance.assets import Definitions
from governance.canonical import Json
from governance.errors import ConfigurationError
from lineage.refs import Refs


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
    if governed_sql(config.registry):
        return _sql_head(settings, config)
    refs = governed_refs(settings, config)
    if all(refs.read(name) is None for name in (HEAD, NEXT)):
        return Head(None)
    return _allowed(refs, opened(settings.repo, governance_file(config.registry), create=False))


def governed_refs(settings: Settings, config: RepoConfig) -> Refs:
    """Where the governed registry of ``config`` lies. Raises ConfigurationError where there is none."""
    if config.registry.registry_store_type is None:
        raise ConfigurationError(
            f"The registry of {settings.repo} is not governed. Expected"
            " `registry: registry_store_type: api.feast.GovernedRegistryStore`, or Feast's SQL registry with"
            " `sqlalchemy_config_kwargs: {plugins: [provender]}`."
        )
    return registry_refs(settings, config.registry)


def _allowed(refs: Refs, parts: Provender) -> Head:
    """The head that the last decision let in; one whose commit a crash cut off after its decision counts already."""
    gate = ApplyGate(parts)
    allowed = gate.allowed()
    for name in (HEAD, NEXT):
        head = SignedHead(refs, name, parts.keys).read()
        if head is None:
            continue
        proto = read_version(refs, head.object)
        definitions = gate.definitions(proto)
        if head.definitions == allowed or (allowed is None and holds_nothing(definitions)):
            return Head(definitions, proto, _told(parts, allowed))
    raise FeastRefused(
        f"The head of the registry {refs.location} is not what the last recorded decision let in"
        f" ({allowed or 'nothing, or a teardown'}). feast apply would refuse it too: restore the registry."
    )


def _sql_head(settings: Settings, config: RepoConfig) -> Head:
    with committed_registry(config.registry, settings, alone=False) as proto:
        definitions = draw(proto, project=settings.project, repo=settings.repo)
    if holds_nothing(definitions):
        return Head(None, proto)
    try:
        parts = opened(settings.repo, governance_file(config.registry), create=False)
    except UnknownRecord:  # filled before it was governed
        return Head(definitions, proto)
    SqlGate(ApplyGate(parts)).require(definitions)
    return Head(definitions, proto, _told(parts, definitions.digest))


def _told(parts: Provender, definitions: str | None) -> tuple[Mapping[str, Json], ...]:
    for record in reversed(commits(parts)):
        if record.predicate["gate"] != TEARDOWN and record.predicate["definitions"] == definitions:
            return tuple(record.predicate["findings"])
    return ()
