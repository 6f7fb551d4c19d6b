"""``GovernedRegistryStore``: a registry in a directory, whose every change was decided first.

    head.json                which version counts and the policy that allowed it, signed
    versions/<sha256>.pb     the registry's protobufs, by the SHA-256 of their bytes, never changed
    lock                     one commit at a time

A commit that changes no definition (Feast's times, materialization intervals, the empty registry it
commits when it opens a store) asks for no verdict and is no new definition version.
"""

from __future__ import annotations

import fcntl
import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from feast.infra.registry.registry_store import RegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig
from feast.utils import _utc_now
from google.protobuf.message import DecodeError

from api.feast.bookkeeping import differ
from api.feast.denial import FeastRefused, told_to_feast
from api.feast.gate import ApplyGate
from api.feast.governed import parts_of_registry
from api.feast.registry_head import Head, read_head, write_head
from governance.errors import ConfigurationError
from lineage.objects import ObjectStore

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
        self._objects = ObjectStore(self._directory)
        self._handed_out: RegistryProto | None = None
        self._seen: Head | None = None
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
        if head is None:
            raise FileNotFoundError(f'Registry not found at path "{self._directory}". Have you run "feast apply"?')
        proto = self._load(head)
        self._handed_out, self._seen = proto, head
        return proto

    def update_registry_proto(self, registry_proto: RegistryProto) -> None:
        """Decide on and commit what Feast made of the registry; on a denial, undo it in Feast's own memory."""
        with self._undoing(registry_proto), self._locked():
            self._refuse_when_outdated()
            before = None if self._seen is None else self._seen.definitions
            definitions = self._gate.commit(registry_proto, head=before)
            if definitions != before or self._seen is None or differ(registry_proto, self._load(self._seen)):
                self._write(registry_proto, definitions)

    def decide(self, gate: ApplyGate) -> None:
        """Decide on the registry that Feast has in hand, before it touches infrastructure. Raises FeastDenied.

        :param gate: the provider's, which knows the stores that are really configured; the commit asks it again.
        """
        self._gate = gate
        if self._handed_out is not None:
            with self._undoing(self._handed_out):
                self._refuse_when_outdated()
                gate.decide(self._handed_out)

    def teardown(self) -> None:
        """Let the head name nothing; every version stays as history."""
        with told_to_feast(), self._locked():
            (self._directory / "head.json").unlink(missing_ok=True)
            self._seen = None

    def _write(self, proto: RegistryProto, definitions: str) -> None:
        proto.version_id = str(uuid.uuid4())
        proto.last_updated.FromDatetime(_utc_now())
        data = proto.SerializeToString(deterministic=True)
        name = f"versions/{hashlib.sha256(data).hexdigest()}.pb"
        self._objects.create_bytes(name, data)
        head = Head(name, definitions, self._gate.policy_digest())
        write_head(self._directory / "head.json", head, self._gate.parts.keys)
        self._handed_out, self._seen = proto, head

    def _refuse_when_outdated(self) -> None:
        if self._head() != self._seen:
            raise FeastRefused(
                f"The registry {self._directory} was changed by somebody else meanwhile. Nothing was written;"
                " run the command again."
            )

    def _head(self) -> Head | None:
        return read_head(self._directory / "head.json", self._gate.parts.keys)

    def _load(self, head: Head) -> RegistryProto:
        proto = RegistryProto()
        try:
            data = self._objects.read(head.object)
            proto.ParseFromString(data)
        except (OSError, DecodeError) as error:
            raise FeastRefused(
                f"The head of registry {self._directory} names no readable version ({error}). Restore it from a backup."
            ) from error
        if head.object != f"versions/{hashlib.sha256(data).hexdigest()}.pb":
            raise FeastRefused(
                f"The registry version {head.object} was changed behind our back: its bytes no longer have that"
                " SHA-256. Restore it from a backup and find out who edited it."
            )
        return proto

    @contextmanager
    def _undoing(self, proto: RegistryProto) -> Iterator[None]:
        """Restore Feast's object in place when the act fails, else the denied change rides with the next commit."""
        try:
            with told_to_feast():
                yield
        except BaseException:
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


def open_stores(registry_config: RegistryConfig) -> tuple[GovernedRegistryStore, ...]:
    """The stores that this process opened for that configuration object: one for each FeatureStore made of it."""
    return tuple(store for store in list(_OPEN) if store.belongs_to(registry_config))


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
