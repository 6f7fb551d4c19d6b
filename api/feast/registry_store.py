"""``GovernedRegistryStore``: a registry in a directory, whose every change was decided first.

    head.json                which version counts and the policy that allowed it, signed
    next.json                the head of a commit under way; after a crash it is completed if its decision is recorded
    versions/<sha256>.pb     the registry's protobufs, by the SHA-256 of their bytes, never changed
    lock                     one commit at a time

A commit that changes no definition (Feast's times, materialization intervals, the empty registry it
commits when it opens a store) asks for no verdict and is no new definition version.

The head must name what the last recorded decision of the project let in: a head that was deleted, or an older one put
back, is refused. One project therefore has one registry in one governance database.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

from feast.infra.registry.registry_store import RegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig
from feast.utils import _utc_now

from api.feast.bookkeeping import differ
from api.feast.denial import FeastRefused, told_to_feast
from api.feast.gate import ApplyGate
from api.feast.governed import parts_of_registry
from api.feast.registry_head import Head, read_head, write_head
from api.feast.registry_history import RegistryHistory, old_version, refuse_old_version
from api.feast.registry_version import read_version, version_name
from governance.assets import Definitions
from governance.errors import ConfigurationError
from governance.plan import Action, changes
from lineage.objects import DirectoryObjects

_HEAD, _NEXT = "head.json", "next.json"

_OPEN: WeakSet[GovernedRegistryStore] = WeakSet()
"""Stores of this process, among which a provider finds those of its own configuration."""


class GovernedRegistryStore(RegistryStore):
    """The registry store of a governed repository."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path | None) -> None:
        self._config = registry_config
        with told_to_feast():
            repo = None if repo_path is None else Path(repo_path)
            self._directory = _directory(registry_config.path, repo or Path())
            self._gate = ApplyGate(parts_of_registry(registry_config, repo))
            self._old = old_version(registry_config)
        self._objects = DirectoryObjects(self._directory)
        self._handed_out: RegistryProto | None = None
        self._seen: Head | None = None
        self._torn_down: _Teardown | None = None
        _OPEN.add(self)

    @property
    def gate(self) -> ApplyGate:
        """Where this registry's changes are decided."""
        return self._gate

    def belongs_to(self, registry_config: RegistryConfig) -> bool:
        """Whether Feast opened this store for that very configuration object."""
        return self._config is registry_config

    def get_registry_proto(self) -> RegistryProto:
        """The registry as the head names it. Raises FileNotFoundError before the first commit."""
        head = self._head()
        if self._torn_down is not None and head == self._seen:
            self._handed_out = self._torn_down.left
            return self._handed_out
        self._torn_down = None
        if head is None:
            raise FileNotFoundError(f'Registry not found at path "{self._directory}". Have you run "feast apply"?')
        proto = self._load(head)
        self._handed_out, self._seen = proto, head
        return proto

    def update_registry_proto(self, registry_proto: RegistryProto) -> None:
        """Decide on and commit what Feast made of the registry; on a denial, undo it in Feast's own memory."""
        with self._undoing(registry_proto), self._locked():
            refuse_old_version(self._config)
            self._refuse_when_outdated()
            if self._torn_down is not None:
                self._remove(registry_proto, self._torn_down)
                return
            before = None if self._seen is None else self._seen.definitions
            definitions, verdict = self._gate.propose(registry_proto, head=before)
            if verdict is not None and not verdict.allowed:
                self._gate.record(verdict)  # raises
            if definitions != before or self._seen is None or differ(registry_proto, self._load(self._seen)):
                self._write(
                    registry_proto,
                    definitions,
                    lambda name: None if verdict is None else self._gate.record(verdict, version=name),
                )

    def decide(self, gate: ApplyGate) -> None:
        """Decide on the registry that Feast has in hand, before it touches infrastructure. Raises FeastDenied.

        :param gate: the provider's, which knows the stores that are really configured; the commit asks it again.
        """
        self._gate = gate
        if self._handed_out is not None:
            with self._undoing(self._handed_out):
                self._refuse_when_outdated()
                if self._torn_down is not None:
                    raise _cut_off(self._directory)
                gate.decide(self._handed_out)

    def begin_teardown(self) -> None:
        """Hold back what Feast removes from here on, one object after the other, until nothing is left.

        A registry that is being taken apart is not judged at every step, where a source may be gone before what reads
        it. Until the last step nothing is written: a teardown that is cut off leaves the registry whole.
        """
        head = self._head()
        if head is not None:
            proto = self._load(head)
            self._seen, self._torn_down = head, _Teardown(self._gate.definitions(proto), proto)

    def abandon_teardown(self) -> None:
        """The registry stays as it is."""
        self._torn_down = None

    def teardown(self) -> None:
        """Let the head name nothing; every version stays as history."""
        with told_to_feast(), self._locked():
            refuse_old_version(self._config)
            head = self._settled()
            if head is not None and self._gate.allowed() is not None:
                self._gate.record_teardown(head.definitions)
            (self._directory / _HEAD).unlink(missing_ok=True)
            self._seen = None

    def _remove(self, proto: RegistryProto, teardown: _Teardown) -> None:
        now = self._gate.definitions(proto)
        if any(change.action is not Action.REMOVE for change in changes(teardown.before, now)):
            raise _cut_off(self._directory)
        if any(project.spec.name == now.project for project in proto.projects):  # Feast removes it last
            self._handed_out, self._torn_down = proto, _Teardown(teardown.before, proto)
            return
        self._write(proto, now.digest, lambda _: self._gate.record_teardown(teardown.before.digest))
        self._torn_down = None

    def _write(self, proto: RegistryProto, definitions: str, record: Callable[[str], None]) -> None:
        """Commit: the version, the head beside the old one, the record, and last of all the head in its place."""
        proto.version_id = str(uuid.uuid4())
        proto.last_updated.FromDatetime(_utc_now())
        data = proto.SerializeToString(deterministic=True)
        name = version_name(data)
        self._objects.create_bytes(name, data)
        head = Head(name, definitions, self._gate.policy_digest())
        write_head(self._directory / _NEXT, head, self._gate.parts.keys)
        record(name)
        self._complete()
        self._handed_out, self._seen = proto, head

    def _complete(self) -> None:
        (self._directory / _NEXT).replace(self._directory / _HEAD)
        _sync(self._directory)

    def _refuse_when_outdated(self) -> None:
        if self._head() != self._seen:
            raise FeastRefused(
                f"The registry {self._directory} was changed by somebody else meanwhile. Nothing was written;"
                " run the command again."
            )

    def _head(self) -> Head | None:
        """The head. Raises FeastRefused where it is not the one that the last decision let in."""
        with told_to_feast():
            if self._old is not None:
                return self._as_it_was(self._old)
            head = self._read(_HEAD)
            if self._agrees(head, self._gate.allowed()):
                return head
            with self._locked():  # a commit that is under way ends first
                return self._settled()

    def _as_it_was(self, definitions: str) -> Head:
        history = RegistryHistory(self._gate.parts, self._directory)
        version = history.named(definitions)
        history.proto(version)  # raises where it is not what was let in
        return Head(str(version.object), version.definitions, version.policy)

    def _settled(self) -> Head | None:
        """The head, for who holds the lock; a commit that a crash cut off after its decision is completed."""
        head, allowed = self._read(_HEAD), self._gate.allowed()
        if self._agrees(head, allowed):
            return head
        coming = self._read(_NEXT)
        if coming is not None and self._agrees(coming, allowed):
            self._complete()
            return coming
        raise FeastRefused(
            f"The head of the registry {self._directory} {_names(head)}, but the last recorded decision let in"
            f" {allowed or 'nothing, or was undone by a teardown'}. The head was deleted, or an older one was put back,"
            " or this is another database than the registry was written with. Restore the registry or the"
            " configuration; nothing was read or written."
        )

    def _agrees(self, head: Head | None, allowed: str | None) -> bool:
        if head is None or allowed is not None:
            return (None if head is None else head.definitions) == allowed
        return self._gate.holds_nothing(self._load(head))

    def _read(self, name: str) -> Head | None:
        return read_head(self._directory / name, self._gate.parts.keys)

    def _load(self, head: Head) -> RegistryProto:
        return read_version(self._directory, head.object)

    @contextmanager
    def _undoing(self, proto: RegistryProto) -> Iterator[None]:
        """Restore Feast's object in place when the act fails, else the denied change rides with the next commit."""
        try:
            with told_to_feast():
                yield
        except BaseException:
            self._torn_down = None
            empty = RegistryProto(registry_schema_version=proto.registry_schema_version)
            proto.Clear()  # first of all: what was refused must not stay, even where the head cannot be read
            self._seen = self._head()
            proto.CopyFrom(self._load(self._seen) if self._seen else empty)
            self._handed_out = proto
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            lock = (self._directory / "lock").open("w")
        except OSError as error:
            raise ConfigurationError(
                f"The registry directory {self._directory} cannot be written: {error.strerror}. Correct its"
                " permissions, or name another in `registry: path:`."
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class _Teardown:
    """A teardown under way."""

    before: Definitions
    left: RegistryProto
    """What Feast has not removed yet, as it has it in hand."""


def _cut_off(directory: Path) -> FeastRefused:
    return FeastRefused(
        f"A teardown of the registry {directory} was cut off in this process. Nothing was removed from the registry"
        " or written to it; run the teardown again, or repeat what you were doing."
    )


def open_stores(registry_config: RegistryConfig) -> tuple[GovernedRegistryStore, ...]:
    """The stores that this process opened for that configuration object: one for each FeatureStore made of it."""
    return tuple(store for store in list(_OPEN) if store.belongs_to(registry_config))


def _sync(directory: Path) -> None:
    """Let the names in ``directory`` survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _names(head: Head | None) -> str:
    return "is not there" if head is None else f"names the definitions {head.definitions}"


def _directory(path: str, repo: Path) -> Path:
    if not path or "://" in path:
        raise ConfigurationError(
            f"`registry: path:` is {path!r}. Expected a directory such as data/registry: registries on S3 or in SQL"
            " are not there yet."
        )
    if (repo / path).exists() and not (repo / path).is_dir():
        raise ConfigurationError(
            f"`registry: path:` names {repo / path}, which is a file. Expected a directory (plain Feast keeps a file"
            " there: name another path, and apply again)."
        )
    return repo / path
