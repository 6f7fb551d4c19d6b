"""Names of snapshots, and where in an object store their files lie."""

from __future__ import annotations

import re
import secrets

from lineage.errors import UnknownSnapshot

TD1 = "td1-sha256:"
RANDOM = "random:"
DATA = "data.parquet"

_NAME = re.compile(r"(?P<kind>td1-sha256:|random:)(?P<hex>[0-9a-f]{64})", re.ASCII)
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PLACE = re.compile(rf"snapshots/(?P<random>random-)?(?P<hex>[0-9a-f]{{64}})/(?P<run>{_RUN.pattern})\.json", re.ASCII)
"""Where a manifest lies; every other file below ``snapshots/`` is a stray one or rows."""


def snapshot_name(digest: str, *, rows: int, min_rows: int) -> str:
    """The name under which a table is stored: its digest, or a random one where the content could be guessed."""
    return digest if rows >= min_rows else RANDOM + secrets.token_hex(32)


def name_parts(name: str) -> tuple[str, str]:
    """The algorithm and the hex that a record's subject has for this name. Raises UnknownSnapshot."""
    if match := _NAME.fullmatch(name):
        return match["kind"].removesuffix(":"), match["hex"]
    raise UnknownSnapshot(
        f"{name!r} does not name a snapshot. Expected {TD1}<64 hex digits> (or {RANDOM}<64 hex digits> of a small one)."
    )


def folder(name: str) -> str:
    """The folder of a snapshot's objects. Raises UnknownSnapshot."""
    algorithm, digits = name_parts(name)
    return f"snapshots/{'random-' if algorithm + ':' == RANDOM else ''}{digits}"


def data_place(name: str) -> str:
    """The object that holds all rows of a snapshot that one process wrote. Raises UnknownSnapshot."""
    return f"{folder(name)}/{DATA}"


def part_file(chunk: int) -> str:
    """The file of one chunk, of a snapshot that several processes wrote."""
    return f"part-{chunk:05d}.parquet"


def part_place(name: str, chunk: int) -> str:
    """The object that holds one chunk. Raises UnknownSnapshot."""
    return f"{folder(name)}/{part_file(chunk)}"


def manifest_place(name: str, run: str) -> str:
    """The object that is the manifest of one run. Raises UnknownSnapshot."""
    if not _RUN.fullmatch(run):
        raise UnknownSnapshot(f"{run!r} does not name a run. Expected a UUID in lower case.")
    return f"{folder(name)}/{run}.json"


def manifest_of(place: str) -> tuple[str, str] | None:
    """Snapshot and run whose manifest lies at this place; None for any other object."""
    if match := _PLACE.fullmatch(place):
        return (RANDOM if match["random"] else TD1) + match["hex"], match["run"]
    return None
