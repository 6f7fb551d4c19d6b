"""Artifacts: model directories, named by the digest of their files and stored once.

``oms1-sha256:<hex>`` is the SHA-256 of the RFC 8785 JSON ``[[path, size, sha256], ...]`` of all files, sorted by
the UTF-8 bytes of their POSIX path, without the signature ``model.sig`` (``docs/formats/evidence.md``). File names
are part of it: the subject digest of OpenSSF model-signing does not see them, which is why both are kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from governance.canonical import Json, json_sha256
from lineage.errors import ArtifactCorrupt, UnknownArtifact

SIGNATURE = "model.sig"
"""The OpenSSF signature, at the top of the directory; it cannot be part of what it signs."""

PREFIX = "oms1-sha256:"
_DIGEST = re.compile(r"oms1-sha256:([0-9a-f]{64})")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ArtifactFile:
    """One file of an artifact."""

    path: str
    """POSIX, relative to the directory"""
    size: int
    sha256: str

    def as_json(self) -> Json:
        """The file as an entry of the digested list."""
        return [self.path, self.size, self.sha256]


@dataclass(frozen=True)
class ArtifactDigest:
    """What a model directory is."""

    files: tuple[ArtifactFile, ...]
    """sorted by the UTF-8 bytes of their path"""

    @property
    def hex(self) -> str:
        """Lower-case hex of the digest."""
        return json_sha256(self.as_json())

    @property
    def digest(self) -> str:
        """The name of the artifact, ``oms1-sha256:<hex>``."""
        return PREFIX + self.hex

    def as_json(self) -> Json:
        """The list that is digested."""
        return [file.as_json() for file in self.files]


@dataclass(frozen=True)
class ArtifactSignature:
    """The signature that lies in an artifact."""

    sha256: str
    """hex SHA-256 of the bytes of ``model.sig``"""
    openssf_subject: str
    """hex digest that the OpenSSF statement gives for the whole model"""
    key: str
    """hex SHA-256 of the public key's SubjectPublicKeyInfo in DER"""

    def as_json(self) -> Json:
        """The signature as JSON, for a statement."""
        return {"sha256": self.sha256, "openssf_subject": self.openssf_subject, "key": self.key}


@dataclass(frozen=True)
class Artifact:
    """A stored model directory whose files were just seen to give its digest."""

    digest: str
    files: tuple[ArtifactFile, ...]
    path: Path


def artifact_digest(directory: Path) -> ArtifactDigest:
    """The digest of a model directory.

    Raises UnknownArtifact where there is no such directory, ArtifactCorrupt for what has no place in one: no file
    at all, a symbolic link, a device, a name that is not UTF-8.
    """
    if not directory.is_dir() or directory.is_symlink():
        raise UnknownArtifact(f"{directory} is not a directory. Expected the directory that holds the model's files.")
    files = [_digested(directory, path) for path in _paths(directory) if path != SIGNATURE]
    if not files:
        raise ArtifactCorrupt(f"{directory} holds no file. Expected the model's weights; was anything saved?")
    return ArtifactDigest(tuple(files))


class ArtifactStore:
    """Artifacts below ``artifacts/<hex>/`` of an object store's directory."""

    def __init__(self, root: Path) -> None:
        self._root = root / "artifacts"

    def put(self, directory: Path) -> Artifact:
        """Store a copy of ``directory``, signature included; it appears whole or not at all.

        The same files again give what is stored already, with the signature that came first.
        Raises ArtifactCorrupt, also when the files change while they are copied.
        """
        digest = artifact_digest(directory)
        place = self._root / digest.hex
        if not place.exists():
            self._create(directory, digest, place)
        return self.open(digest.digest)

    def open(self, digest: str) -> Artifact:
        """The artifact of that digest, after all its files were read and compared.

        Raises UnknownArtifact, ArtifactCorrupt.
        """
        place = self._place(digest)
        if not place.is_dir():
            raise UnknownArtifact(
                f"There is no artifact {digest} here. Expected it at {place}; was the model trained here?"
            )
        found = artifact_digest(place)
        if found.digest != digest:
            raise ArtifactCorrupt(
                f"The files of artifact {digest} give {found.digest}: they were changed after they were recorded."
                " Restore them from a backup, or train again."
            )
        return Artifact(digest, found.files, place)

    def _place(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise UnknownArtifact(f"{digest!r} does not name an artifact. Expected {PREFIX}<64 hex digits>.")
        return self._root / match.group(1)

    def _create(self, directory: Path, digest: ArtifactDigest, place: Path) -> None:
        staging = self._root / f".incomplete-{secrets.token_hex(8)}"
        try:
            _copy(directory, staging)
            if (copied := artifact_digest(staging)) != digest:
                raise ArtifactCorrupt(
                    f"The files of {directory} changed while they were stored: {digest.digest}, then {copied.digest}."
                    " Store them when nothing writes there any more."
                )
            _move(staging, place)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _move(staging: Path, place: Path) -> None:
    try:
        staging.rename(place)  # fails where a directory with files is: another process was first, with the same files
    except OSError:
        if not place.is_dir():
            raise
    _sync(place.parent)


def _copy(directory: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in _paths(directory):
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("xb") as stream:
            for block in _blocks(directory / path):
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        _sync(folder)


def _paths(directory: Path) -> list[str]:
    return sorted(_walk(directory, ""), key=lambda path: path.encode())


def _walk(directory: Path, prefix: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            path = prefix + _name(entry)
            kind = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(kind):
                yield from _walk(Path(entry.path), path + "/")
            elif stat.S_ISREG(kind):
                yield path
            else:
                raise ArtifactCorrupt(
                    f"{entry.path} is neither a file nor a directory. A model directory may hold no symbolic link"
                    " or device: its content would lie elsewhere. Replace it by the file itself."
                )


def _name(entry: os.DirEntry[str]) -> str:
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise ArtifactCorrupt(f"{entry.path!r} has a name that is not UTF-8. Rename the file.") from error
    return entry.name


def _digested(directory: Path, path: str) -> ArtifactFile:
    size, digest = 0, hashlib.sha256()
    for block in _blocks(directory / path):
        size += len(block)
        digest.update(block)
    return ArtifactFile(path, size, digest.hexdigest())


def _blocks(path: Path) -> Iterator[bytes]:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        while block := stream.read(_BLOCK):
            yield block


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
