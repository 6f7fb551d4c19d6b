"""``GovernedRegistryStore``: a registry in a directory, whose every change was decided first.

    head.json                which version counts, and the policy that allowed it
    versions/<sha256>.pb     the registry's protobufs, by the SHA-256 of their bytes, never changed
    lock                     one commit at a time

A commit that changes no definition (Feast's times, materialization intervals, the empty registry it
commits when it opens a store) asks for no verdict and is no new definition version.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from feast.infra.registry.registry_store import RegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig
from feast.utils import _utc_now
from google.protobuf.message import DecodeError

from api.assembly import opened
from api.feast.denial import FeastRefused, told_to_feast
from api.feast.gate import ApplyGate
from governance.errors import ConfigurationError
from lineage.objects import ObjectStore, replace_bytes

_OPEN: WeakValueDictionary[int, GovernedRegistryStore] = WeakValueDictionary()
"""Stores of this process by the identity of their RegistryConfig, which is how a provider finds its own."""


class GovernedRegistryStore(RegistryStore):  # type: ignore[misc] # Feast's classes are untyped for mypy
    """The registry store of a governed repository."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path | None) -> None:
        self._config = registry_config  # held, so that its identity stays ours while we live
        with told_to_feast():
            if repo_path is None:
                raise ConfigurationError("A governed registry needs the path of its Feast repository; none was given.")
            self._directory = _directory(registry_config.path, Path(repo_path))
            self._gate = ApplyGate(opened(Path(repo_path).resolve(), _governance_file(registry_config)))
        self._objects = ObjectStore(self._directory)
        self._handed_out: RegistryProto | None = None
        self._seen: dict[str, Any] | None = None
        _OPEN[id(registry_config)] = self

    @property
    def gate(self) -> ApplyGate:
        """Where this registry's changes are decided."""
        return self._gate

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
        self._handed_out = self._handed_out or registry_proto
        with self._undoing(registry_proto), self._locked():
            if self._head() != self._seen:
                raise FeastRefused(
                    f"The registry {self._directory} was changed by somebody else meanwhile. Nothing was written; run the command again."
                )
            version = self._gate.commit(registry_proto, head=(self._seen or {}).get("definitions"))
            self._write(registry_proto, version)

    def decide(self) -> None:
        """Decide on the registry that Feast has in hand, before it touches infrastructure. Raises FeastDenied."""
        if self._handed_out is not None:
            with self._undoing(self._handed_out):
                self._gate.decide(self._handed_out, head=(self._seen or {}).get("definitions"))

    def teardown(self) -> None:
        """Let the head name nothing; every version stays as history."""
        with self._locked():
            (self._directory / "head.json").unlink(missing_ok=True)
            self._seen = None

    def _write(self, proto: RegistryProto, version: str) -> None:
        proto.version_id = str(uuid.uuid4())
        proto.last_updated.FromDatetime(_utc_now())
        data = proto.SerializeToString(deterministic=True)
        name = f"versions/{hashlib.sha256(data).hexdigest()}.pb"
        self._objects.create_bytes(name, data)
        head = {"v": 1, "object": name, "definitions": version, "policy": self._gate.policy_digest()}
        replace_bytes(self._directory / "head.json", json.dumps(head, indent=1).encode())
        self._handed_out, self._seen = proto, head

    def _head(self) -> dict[str, Any] | None:
        try:
            value: dict[str, Any] = json.loads((self._directory / "head.json").read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise FeastRefused(
                f"{self._directory / 'head.json'} is not JSON: {error}. It was edited by hand; restore it from a backup."
            ) from error
        return value

    def _load(self, head: dict[str, Any]) -> RegistryProto:
        proto = RegistryProto()
        try:
            data = self._objects.read(head["object"])
            proto.ParseFromString(data)
        except (KeyError, OSError, DecodeError) as error:
            raise FeastRefused(
                f"The head of registry {self._directory} names no readable version ({error}). Restore it from a backup."
            ) from error
        if head["object"] != f"versions/{hashlib.sha256(data).hexdigest()}.pb":
            raise FeastRefused(
                f"The registry version {head['object']} was changed behind our back: its bytes no longer have that SHA-256."
                " Restore it from a backup and find out who edited it."
            )
        return proto

    @contextmanager
    def _undoing(self, proto: RegistryProto) -> Iterator[None]:
        """Restore Feast's object in place when the act fails, else the denied change rides with the next commit."""
        try:
            with told_to_feast():
                yield
        except BaseException:
            self._seen = self._head()
            empty = RegistryProto(registry_schema_version=proto.registry_schema_version)
            head = self._load(self._seen) if self._seen else empty
            proto.Clear()
            proto.CopyFrom(head)
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def open_store(registry_config: RegistryConfig) -> GovernedRegistryStore | None:
    """The governed store that this process opened for that configuration object, if it did."""
    return _OPEN.get(id(registry_config))


def _governance_file(registry_config: RegistryConfig) -> str | None:
    return getattr(registry_config, "governance", None)


def _directory(path: str, repo: Path) -> Path:
    if "://" in path:
        raise ConfigurationError(
            f"`registry: path:` is {path!r}. Expected a directory: registries on S3 or in SQL are not there yet."
        )
    return repo / path
