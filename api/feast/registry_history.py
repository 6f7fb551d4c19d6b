"""Old versions of a governed registry, found by what they define.

A registry directory keeps every version that was ever committed. A snapshot names the definitions it was asked of by
their digest, so the version that had them can be found and read again, though no head names it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from google.protobuf.message import DecodeError

from api.feast.picture import draw


def version_defining(definitions: str, *, directory: Path, project: str, repo: Path) -> RegistryProto | None:
    """The newest version in ``directory`` whose definitions have this digest (hex); None where none is left.

    A file whose bytes no longer have the SHA-256 that is its name is passed over: it is no version.
    """
    found = (proto for proto in _versions(directory) if draw(proto, project=project, repo=repo).digest == definitions)
    return max(found, key=lambda proto: proto.last_updated.ToNanoseconds(), default=None)


def _versions(directory: Path) -> Iterator[RegistryProto]:
    for path in sorted(directory.glob("versions/*.pb")):
        data = path.read_bytes()
        proto = RegistryProto()
        try:
            proto.ParseFromString(data)
        except DecodeError:
            continue
        if hashlib.sha256(data).hexdigest() == path.stem:
            yield proto
