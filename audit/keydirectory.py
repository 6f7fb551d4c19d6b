"""The keys directory: four files that are made together, on first use, and that nobody else may read.

Creation holds a lock on the directory and writes ``master.key`` last. A directory without it is one where
creation was cut short: nothing was signed yet, and the next process goes on. A directory with it but without
another key has lost that key, which no new one can replace.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit.errors import KeysUnusable

LOG, STATEMENT, MODEL, MASTER = "log.pem", "statement.pem", "model.pem", "master.key"
MASTER_SIZE = 32
_MAX_FILE = 65_536


def prepare(directory: Path) -> None:
    """Make the directory and whatever keys it lacks before its first use. Raises KeysUnusable."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(directory):
            _check_mode(directory, directory.stat(), 0o700)
            _create_missing(directory)
    except OSError as error:
        raise KeysUnusable(
            f"The keys directory {directory} cannot be used: {error.strerror}. Expected a directory that this process"
            " may write; check `governance: keys:`."
        ) from error


def read(path: Path) -> bytes:
    """The content of one key file. Raises KeysUnusable where others may read it too."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # checked and read through the same descriptor
    except OSError as error:
        raise KeysUnusable(f"The key {path} cannot be read: {error.strerror}. Restore it from your backup.") from error
    with os.fdopen(descriptor, "rb") as file:
        _check_mode(path, os.fstat(descriptor), 0o600)
        return file.read(_MAX_FILE)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_mode(path: Path, found: os.stat_result, wanted: int) -> None:
    if stat.S_IMODE(found.st_mode) & ~wanted:
        raise KeysUnusable(
            f"{path} has mode {stat.S_IMODE(found.st_mode):04o}, so others may read or change what signs your records."
            f" Expected {wanted:04o}: run `chmod {wanted:o} {path}`, and ask who could read it until now."
        )
    if os.geteuid() not in {0, found.st_uid}:
        raise KeysUnusable(
            f"{path} belongs to user {found.st_uid}, but this process runs as {os.geteuid()}."
            " Expected keys of one's own; run as their owner."
        )


def _create_missing(directory: Path) -> None:
    missing = [name for name in _MAKERS if not os.path.lexists(directory / name)]
    if missing and MASTER not in missing:
        raise KeysUnusable(
            f"{directory} lacks {', '.join(missing)} beside its other keys. Restore it from your backup: a new key"
            " would not be the one that signed what is already recorded."
        )
    for name in missing:
        _create(directory / name, _MAKERS[name]())


def _create(path: Path, content: bytes) -> None:
    """Write all of a key file or nothing; the caller holds the directory's lock."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _ed25519() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _p256() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


_MAKERS: dict[str, Callable[[], bytes]] = {
    LOG: _ed25519,
    STATEMENT: _ed25519,
    MODEL: _p256,
    MASTER: lambda: secrets.token_bytes(MASTER_SIZE),  # last, see above
}
