"""What a registry keeps by the SHA-256 of its bytes: its versions, and the policies that allowed them."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto

from api.feast.denial import FeastRefused
from lineage.refs import Refs


def version_name(data: bytes) -> str:
    """The name of the version that has these bytes."""
    return f"versions/{hashlib.sha256(data).hexdigest()}.pb"


def policy_name(sha256: str) -> str:
    """The name of the policy file with that digest."""
    return f"policies/{sha256}.yaml"


def read_version(refs: Refs, name: str) -> RegistryProto:
    """A version of the registry at ``refs``. Raises FeastRefused where it is not what was written."""
    return RegistryProto.FromString(_read(refs, name))


def read_policy(refs: Refs, sha256: str) -> bytes:
    """A policy file that once allowed a version. Raises FeastRefused where it is not what was written."""
    return _read(refs, policy_name(sha256))


def _read(refs: Refs, name: str) -> bytes:
    data = refs.read(name)
    if data is None:
        raise FeastRefused(f"The registry {refs.location} has no {name}. Restore it from a backup.")
    if hashlib.sha256(data).hexdigest() != PurePosixPath(name).stem:
        raise FeastRefused(
            f"{name} of the registry {refs.location} was changed behind our back: its bytes no longer have that"
            " SHA-256. Restore it from a backup and find out who edited it."
        )
    return data
