"""What becomes a snapshot: a table whose digest and Parquet are being made, and the manifest that says what it is."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from governance.canonical import canonical_json
from lineage.objects import Retention, Staged
from lineage.snapshot_names import RANDOM

if TYPE_CHECKING:
    from lineage.td1 import TableDigest


@dataclass(frozen=True)
class Snapshot:
    """What a caller learns of the snapshot that its retrieval became."""

    digest: str
    """``td1-sha256:<hex>``"""
    id: str
    """The name it is stored and recorded under: the digest, or ``random:<hex>`` for a small table."""
    run_id: str
    """The OpenLineage run that made it."""
    uri: str
    """of the Parquet file, or of the folder with its parts"""
    rows: int


@dataclass(frozen=True)
class Writing:
    """A table in two threads: one digests it, one writes its Parquet."""

    staging: Future[Staged]
    digesting: Future[TableDigest]
    finish: Callable[[Staged, TableDigest, str, Mapping[str, Any]], tuple[Snapshot, bytes]]

    def put(self, *, run: str, manifest: Mapping[str, Any]) -> tuple[Snapshot, bytes]:
        """Wait for both, then store them; gives the snapshot and the exact manifest bytes.

        Raises ObjectsUnreachable, NotDigestible, and SnapshotCorrupt where something else lies where they belong.
        """
        digest = self.digesting.result()  # first: it names the row of what neither of them takes
        return self.finish(self.staging.result(), digest, run, manifest)


def manifest_document(
    said: Mapping[str, Any], *, name: str, run: str, digest: TableDigest, retention: Retention | None
) -> bytes:
    """The exact bytes of a run's manifest; what ``said`` cannot say otherwise is the content."""
    content = {
        "v": 1,
        "run": run,
        "digest": digest.digest,
        "rows": digest.rows,
        "descriptor": digest.descriptor,
        "column_roots": {column.name: column.root for column in digest.columns},
        "leaves": {column.name: list(column.leaves) for column in digest.columns},
        "retention": None if retention is None else retention.as_json(),
        "software": dict(software()),
    }
    return canonical_json({**said, **content, **_blinding(name)})


@cache
def software() -> Mapping[str, str]:
    """What wrote the snapshot: versions of Python, of this package, and of what computes and stores."""
    found = {"python": platform.python_version()}
    for package in ("provender", "feast", "pyarrow", "duckdb"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return MappingProxyType(found)


def _blinding(name: str) -> dict[str, str]:
    """Of a small snapshot the manifest's SHA-256 is published: with this, guessed rows cannot be confirmed by it."""
    return {"blinding": secrets.token_hex(32)} if name.startswith(RANDOM) else {}
