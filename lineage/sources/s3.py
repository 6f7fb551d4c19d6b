"""Sources on S3: objects held to their ETag, and to their version where the bucket keeps versions.

Each read names the content that it wants (``If-Match``, and ``versionId``, RFC 9110 section 13.1.1), so that the store
itself refuses once an object is another one, and the answer's ETag is compared too, for stores that do not look at
the condition: no reading can mix two states. That is why the objects are read through
boto3 and not through Arrow's own S3, which cannot ask so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.sources.digests import FileKey
from lineage.sources.files import WILDCARDS, glob_root, is_data, path_order, sample
from lineage.sources.state import FileState, Knowledge

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "NotFound"})
_OTHER_NOW = frozenset({"412", "PreconditionFailed"})
_THREADS = 16
_READERS, _PIECE = 4, 16 * 2**20
"""objects read whole at a time, and bytes of each asked for at once"""
_RETRIES = {"mode": "standard", "total_max_attempts": 3}


@dataclass(frozen=True)
class S3Access:
    """How to reach a store; what is None is for boto3's own chain of credentials and defaults to find."""

    endpoint: str | None = None
    """``http://host:port`` of a store that is not AWS's; without a scheme, https"""
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str | None = None

    def client(self) -> Any:
        """A boto3 client, safe to share among threads."""
        import boto3
        from botocore.config import Config

        own = self.endpoint is not None
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint if not own or "://" in str(self.endpoint) else f"https://{self.endpoint}",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            aws_session_token=self.session_token,
            region_name=self.region,
            config=Config(
                max_pool_connections=_THREADS, retries=_RETRIES, s3={"addressing_style": "path" if own else "auto"}
            ),
        )

    def as_object_store_options(self) -> dict[str, str]:
        """The same for Delta's Rust library, which does not read the files that boto3's chain reads."""
        import boto3

        session = boto3.Session()
        found = None if self.access_key else session.get_credentials()
        known = self if found is None else found.get_frozen_credentials()
        plain = (self.endpoint or "").startswith("http://")
        options = {
            "AWS_ENDPOINT_URL": self.endpoint
            if not self.endpoint or "://" in self.endpoint
            else f"https://{self.endpoint}",
            "AWS_ALLOW_HTTP": "true" if plain else None,
            "AWS_ACCESS_KEY_ID": known.access_key,
            "AWS_SECRET_ACCESS_KEY": known.secret_key,
            "AWS_SESSION_TOKEN": self.session_token if found is None else found.token,
            "AWS_REGION": self.region or session.region_name or "us-east-1",
        }
        return {name: value for name, value in options.items() if value}


class S3:
    """One store; paths are ``bucket/key``."""

    def __init__(self, access: S3Access) -> None:
        self.access = access

    def find(self, path: str) -> tuple[str, ...]:
        """The object of that path, the Parquet objects below it, or those that a glob matches."""
        if any(mark in path for mark in WILDCARDS):
            pattern = path.split("/")
            return _in_order(one for one in self._below(glob_root(path)) if _matches(one.split("/"), pattern))
        if not path.endswith("/") and self._head(path) is not None:
            return (path,)
        root = f"{path.rstrip('/')}/"
        return _in_order(one for one in self._below(root) if is_data(one.removeprefix(root)))

    def pin(self, paths: Sequence[str]) -> S3Objects:
        """The objects as they are now. Raises SourceUnreadable."""
        ordered = sorted(paths, key=path_order)
        found = self._heads([(path, None) for path in ordered])
        absent = [path for path, state in zip(ordered, found, strict=True) if state is None]
        if absent:
            raise SourceUnreadable(
                f"The object {absent[0]} does not exist. Expected what the data source names; create it, or correct"
                " the path of the source."
            )
        return S3Objects(self._client, [state for state in found if state is not None])

    def pin_recorded(self, files: Sequence[FileState]) -> S3Objects:
        """The objects: by their version where one was recorded, else if they still have their ETag."""
        ordered = sorted(files, key=lambda file: path_order(file.path))
        found = self._heads([(file.path, file.version_id) for file in ordered])
        gone = [old.path for old, now in zip(ordered, found, strict=True) if now is None]
        if gone:
            raise SourceGone(
                f"Recorded objects are no longer in the store: {sample(gone)}. Bring them back from a backup; a bucket"
                " with versioning keeps what is overwritten."
            )
        changed = [
            old.path
            for old, now in zip(ordered, found, strict=True)
            if now is not None and (old.etag is None or (old.etag, old.size) != (now.etag, now.size))
        ]
        if changed:
            raise SourceChanged(
                f"{len(changed)} of {len(ordered)} recorded objects hold something else now (ETag or size):"
                f" {sample(changed)}. Bring the recorded ones back; a bucket with versioning keeps them."
            )
        return S3Objects(self._client, ordered)

    @cached_property
    def _client(self) -> Any:
        return self.access.client()

    def _heads(self, wanted: Sequence[tuple[str, str | None]]) -> list[FileState | None]:
        with ThreadPoolExecutor(max_workers=_THREADS) as threads:
            return list(threads.map(lambda one: self._head(*one), wanted))

    def _head(self, path: str, version: str | None = None) -> FileState | None:
        """What the store says of an object; None where it has no such thing."""
        with _answering(path):
            try:
                return _state(path, self._client.head_object(**_named(path, version)), version)
            except _client_error() as error:
                if _code(error) in _MISSING:
                    return None
                raise

    def _below(self, root: str) -> Iterator[str]:
        bucket, _, prefix = root.rstrip("/").partition("/")
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{prefix}/" if prefix else ""
        )
        with _answering(root):
            try:
                for page in pages:
                    yield from (f"{bucket}/{one['Key']}" for one in page.get("Contents", ()))
            except _client_error() as error:
                if _code(error) not in _MISSING:
                    raise


class S3Objects:
    """Objects of one store, each held to its ETag and version."""

    def __init__(self, client: Any, states: Sequence[FileState]) -> None:
        self._client = client
        self._states = {state.path: state for state in states}

    @property
    def paths(self) -> tuple[str, ...]:
        """``bucket/key`` of each, in order."""
        return tuple(self._states)

    @cached_property
    def filesystem(self) -> Any:
        """Reads exactly these objects in exactly these states."""
        from lineage.sources.s3_filesystem import pinned_filesystem

        return pinned_filesystem(self._states, self._read)

    def states(self, cache: MutableMapping[FileKey, str]) -> tuple[tuple[FileState, ...], Knowledge]:
        """What the store stated when they were pinned."""
        return tuple(self._states.values()), "stated"

    def check_unchanged(self) -> None:
        """Nothing to ask: each read named its content, and its answer said which it was."""

    def computed(self) -> tuple[FileState, ...]:
        """Each with the SHA-256 of its bytes, read now, several objects at a time. Raises SourceUnreadable."""
        with ThreadPoolExecutor(max_workers=_READERS) as threads:
            digests = list(threads.map(self._sha256, self._states.values()))
        return tuple(replace(state, sha256=one) for state, one in zip(self._states.values(), digests, strict=True))

    def _sha256(self, state: FileState) -> str:
        digest = hashlib.sha256()
        for start in range(0, state.size, _PIECE):
            digest.update(self._read(state.path, start, min(_PIECE, state.size - start)))
        return digest.hexdigest()

    def key(self) -> Hashable:
        """Path, ETag and version of each."""
        return tuple(self._states.values())

    def _read(self, path: str, start: int, length: int) -> bytes:
        """``length`` bytes of the pinned content. Raises SourceUnreadable once it is no longer there."""
        state, span = self._states[path], f"bytes={start}-{start + length - 1}"
        with _answering(path):
            try:
                named = _named(path, state.version_id)
                answer = self._client.get_object(**named, Range=span, IfMatch=state.etag)
                data: bytes = answer["Body"].read()
            except _client_error() as error:
                if _code(error) in _OTHER_NOW | _MISSING:
                    raise _changed(path) from None
                raise
        if answer.get("ETag") != state.etag or len(data) != length:  # a store, or a proxy, that knows no If-Match
            raise _changed(path)
        return data


def _changed(path: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"The source object {path} changed while it was read, so its rows belong to no one state. Run again when its"
        " writer is done."
    )


@contextmanager
def _answering(path: str) -> Iterator[None]:
    """What the store or the way to it refuses becomes SourceUnreadable."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, _client_error()) as error:
        what = _code(error) if isinstance(error, _client_error()) else type(error).__name__
        raise SourceUnreadable(
            f"The object store does not give {path} ({what}). Check the endpoint (s3_endpoint_override), the"
            " credentials (connection_ref, or those of the environment), and what they may read."
        ) from None


def _client_error() -> type[Exception]:
    from botocore.exceptions import ClientError

    found: type[Exception] = ClientError
    return found


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _named(path: str, version: str | None) -> dict[str, str]:
    bucket, _, key = path.partition("/")
    return {"Bucket": bucket, "Key": key} | ({} if version is None else {"VersionId": version})


def _state(path: str, head: dict[str, Any], version: str | None) -> FileState:
    known = version or head.get("VersionId")
    kept = None if known in (None, "null") else str(known)
    return FileState(path, int(head["ContentLength"]), etag=str(head["ETag"]), version_id=kept)


def _in_order(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(paths, key=path_order))


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """``*`` and ``?`` stay within a folder, ``**`` is any number of folders, as in a shell."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
