"""Weights that were verified before anything was made of them.

What becomes a tensor is the very bytes that were hashed: the files are not opened a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.kserve.errors import ModelNotServable
from governance.canonical import rfc3339, utc_now
from lineage.artifact import Artifact, ArtifactFile, ArtifactSignature, ArtifactStore
from lineage.errors import ArtifactCorrupt

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class VerifiedArtifact:
    """An artifact whose digest was recomputed and whose signature was checked, in this process."""

    artifact: Artifact
    signature: ArtifactSignature
    time: str
    """when, RFC 3339"""


def verify_artifact(objects: Path, digest: str, *, public_key: bytes) -> VerifiedArtifact:
    """Recompute the digest of a stored artifact and check its signature.

    :param objects: root of the object store
    :param public_key: of the key that must have signed it, in PEM

    Raises UnknownArtifact, ArtifactCorrupt.
    """
    from audit.model_signature import verify

    artifact = ArtifactStore(objects).open(digest)
    signature = verify(artifact.path, public_key=public_key)
    return VerifiedArtifact(artifact, signature, rfc3339(utc_now()))


def load_tensors(artifact: Artifact) -> dict[str, Tensor]:
    """The tensors of all safetensors files of an artifact, on the CPU. Raises ArtifactCorrupt, ModelNotServable."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    tensors: dict[str, Tensor] = {}
    for file in _weight_files(artifact):
        try:
            found = load(_same_bytes(artifact, file))
        except SafetensorError as error:
            raise ModelNotServable(
                f"{file.path} of artifact {artifact.digest} is not a safetensors file: {error}. It was stored and"
                " signed like this; train again."
            ) from error
        if doubled := sorted(tensors.keys() & found.keys()):
            raise ModelNotServable(f"Two files of artifact {artifact.digest} hold the tensor {doubled[0]!r}.")
        tensors |= found
    return tensors


def _weight_files(artifact: Artifact) -> Iterator[ArtifactFile]:
    files = [file for file in artifact.files if file.path.endswith(SUFFIX)]
    if not files:
        raise ModelNotServable(
            f"Artifact {artifact.digest} holds no {SUFFIX} file but {', '.join(file.path for file in artifact.files)}."
            " Save the weights as safetensors."
        )
    yield from files


def _same_bytes(artifact: Artifact, file: ArtifactFile) -> bytes:
    try:
        content = (artifact.path / file.path).read_bytes()
    except OSError as error:
        raise ArtifactCorrupt(f"{file.path} of artifact {artifact.digest} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ArtifactCorrupt(
            f"{file.path} of artifact {artifact.digest} changed while it was loaded. Find out who writes there."
        )
    return content
