"""The history of a governed registry: every version that a recorded decision let in, and what it held.

The ledger says which versions there were, when and by whom; ``versions/`` of the registry holds what they were. A
version is called by its definition version, the digest that snapshots, runs and decisions name.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig, RepoConfig

from api.assembly import Provender, opened
from api.feast.configuration import read_configuration
from api.feast.denial import FeastRefused, NotOffered
from api.feast.gate import TEARDOWN, commits
from api.feast.governed import governance_file, settings_of
from api.feast.head_copy import governed_refs
from api.feast.picture import draw
from api.feast.registry_version import read_policy, read_version
from api.feast.sql.rows import governed_sql
from api.settings import Settings
from governance.assets import Definitions
from governance.canonical import Json, parse_rfc3339, rfc3339
from governance.errors import ConfigurationError, WrongQuestion
from lineage.records import StoredRecord
from lineage.refs import Refs

HEAD = "head"
"""Stands for the version that counts now."""
_SHORTEST = 6
"""digits that must be given of a definition version"""


class UnknownVersion(WrongQuestion):
    """No version of the registry is meant, or more than one."""


@dataclass(frozen=True)
class RegistryVersion:
    """What one recorded decision let in; after a teardown nothing."""

    record: str
    """Id of the recorded decision."""
    time: datetime
    """When it was recorded, UTC."""
    actor: str
    gate: str
    """``apply`` or ``teardown``"""
    definitions: str
    """Definition version, hex; of a teardown the one that counted before."""
    policy: str
    """Hex SHA-256 of the policy that allowed it."""
    object: str | None
    """``versions/<SHA-256>.pb``; None of a teardown, and in Feast's SQL registry."""

    def as_json(self) -> dict[str, Json]:
        """The version as ``provender registry log --json`` gives it."""
        return {**vars(self), "time": rfc3339(self.time)}


@dataclass(frozen=True)
class RegistryHistory:
    """The versions of a registry."""

    parts: Provender
    refs: Refs | None
    """Where they are kept; None of Feast's SQL registry, which keeps what counts now."""

    @property
    def versions(self) -> tuple[RegistryVersion, ...]:
        """Every one, the oldest first. Raises VerificationError where a record is not as it was signed."""
        return tuple(_version(record) for record in commits(self.parts))

    def named(self, name: str) -> RegistryVersion:
        """The newest with a definition version of that beginning, or ``head``. Raises UnknownVersion."""
        versions = self.versions
        if name == HEAD:
            return _counting(versions, "now")
        if len(name) < _SHORTEST or not set(name) <= set("0123456789abcdef"):
            raise UnknownVersion(
                f"{name!r} names no version of the registry. Expected {HEAD}, or at least {_SHORTEST} digits of a"
                " definition version (lower-case hex); `provender registry log` shows them."
            )
        found = [one for one in versions if one.gate != TEARDOWN and one.definitions.startswith(name)]
        if len({one.definitions for one in found}) != 1:
            what = "more than one version of the registry" if found else "no version of the registry"
            raise UnknownVersion(f"{name} is the beginning of {what}. `provender registry log` shows them.")
        return found[-1]

    def at(self, moment: datetime) -> RegistryVersion:
        """The version that counted at ``moment``, which has a time zone. Raises UnknownVersion where none did."""
        return _counting(tuple(one for one in self.versions if one.time <= moment), f"at {rfc3339(moment)}")

    def definitions(self, version: RegistryVersion) -> Definitions:
        """What it held. Raises FeastRefused where that is not what the decision was about."""
        settings = self.parts.settings
        return draw(self.proto(version), project=settings.project, repo=settings.repo)

    def policy(self, version: RegistryVersion) -> bytes:
        """The policy file that allowed it. Raises FeastRefused where it is not what was written."""
        return read_policy(self._kept(), version.policy)

    def defining(self, definitions: str) -> RegistryProto | None:
        """The newest version of these definitions (hex) as Feast has it; None where none is left as it was."""
        for version in reversed(self.versions):
            if version.gate != TEARDOWN and version.definitions == definitions:
                with suppress(FeastRefused, NotOffered):
                    return self.proto(version)
        return None

    def proto(self, version: RegistryVersion) -> RegistryProto:
        """The same as Feast has it."""
        if version.gate == TEARDOWN:
            raise UnknownVersion("A teardown left nothing in the registry. Name the version before it.")
        proto, settings = read_version(self._kept(), str(version.object)), self.parts.settings
        held = draw(proto, project=settings.project, repo=settings.repo).digest
        if held != version.definitions:
            raise FeastRefused(
                f"The registry version {version.object} holds the definitions {held}, but the decision recorded as"
                f" {version.record} was about {version.definitions}. Restore the registry from a backup."
            )
        return proto

    def _kept(self) -> Refs:
        if self.refs is None:
            raise NotOffered(
                "Feast's SQL registry keeps no old versions: `provender registry log` shows which there were, when and"
                " by whom. A registry with `registry_store_type: api.feast.GovernedRegistryStore` keeps each."
            )
        return self.refs


def old_version(config: RegistryConfig) -> str | None:
    """The definition version that ``registry: version:`` names instead of the head. Raises ConfigurationError."""
    version = getattr(config, "version", None)
    if version is None or (isinstance(version, str) and re.fullmatch("[0-9a-f]{64}", version)):
        return version
    raise ConfigurationError(
        f"`registry: version:` is {version!r}. Expected the 64 hex digits of a definition version, in quotes;"
        " `provender registry log --json` shows them."
    )


def refuse_old_version(config: RegistryConfig) -> None:
    """Raise NotOffered where the registry is opened at an old version, which can only be looked at.

    Rows are not read by it either: labels may have become stricter since, and verdicts are made from labels.
    """
    definitions = old_version(config)
    if definitions is not None:
        raise NotOffered(
            f"This repository is opened at the old version {definitions} of its registry, where objects can be listed"
            " and described and nothing else: labels may have become stricter since. Remove `version:` from"
            " `registry:`. `provender snapshot reproduce` repeats a retrieval of that time."
        )


def open_history(repo: Path, *, file: Path | None = None) -> RegistryHistory:
    """The history of the registry of ``repo``, for those who only look. Raises ConfigurationError, UnknownRecord."""
    config = read_configuration(repo.resolve(), file)
    settings = settings_of(config)
    parts = opened(settings.repo, governance_file(config.registry), create=False)
    return history_of(parts, settings, config)


def history_of(parts: Provender, settings: Settings, config: RepoConfig) -> RegistryHistory:
    """The history of the registry that ``config`` names. Raises ConfigurationError."""
    return RegistryHistory(parts, None if governed_sql(config.registry) else governed_refs(settings, config))


def _version(record: StoredRecord) -> RegistryVersion:
    decision = record.predicate
    return RegistryVersion(
        record=record.id,
        time=parse_rfc3339(record.time),
        actor=record.actor,
        gate=decision["gate"],
        definitions=decision["definitions"],
        policy=decision["policy"],
        object=decision.get("registry"),
    )


def _counting(versions: tuple[RegistryVersion, ...], when: str) -> RegistryVersion:
    if not versions or versions[-1].gate == TEARDOWN:
        why = "everything was torn down" if versions else "nothing had been applied yet"
        raise UnknownVersion(f"No version of the registry counts {when}: {why}. `provender registry log` shows all.")
    return versions[-1]
