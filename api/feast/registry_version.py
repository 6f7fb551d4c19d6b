"""One version of a registry: protobufs under the SHA-256 of their bytes, in ``versions/<hex>.pb``."""

from __future__ import annotations

import hashlib
from pathlib import Path

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from google.protobuf.message import DecodeError

from api.feast.denial import FeastRefused


def version_name(data: bytes) -> str:
    """The name of the version that has these bytes."""
    return f"versions/{hashlib.sha256(data).hexdigest()}.pb"


def read_version(directory: Path, name: str) -> RegistryProto:
    """A version of the registry in ``directory``. Raises FeastRefused where it is not what was written."""
    proto = RegistryProto()
    try:
        data = (directory / name).read_bytes()
        proto.ParseFromString(data)
    except (OSError, DecodeError) as error:
        raise FeastRefused(
            f"The registry {directory} has no readable version {name} ({error}). Restore it from a backup."
        ) from error
    if name != version_name(data):
        raise FeastRefused(
            f"The registry version {name} was changed behind our back: its bytes no longer have that"
            " SHA-256. Restore it from a backup and find out who edited it."
        )
    return proto
