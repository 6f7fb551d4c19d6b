"""Refs: named bytes that change by compare-and-swap alone, as git's refs do.

A name that was never given bytes, or whose bytes were taken away, holds None. Content that never changes is a name
that is swapped once, from None.

>>> import tempfile
>>> from pathlib import Path
>>> with tempfile.TemporaryDirectory() as directory:
...     refs = open_refs(directory, base=Path())
...     refs.swap("head", None, b"one"), refs.swap("head", None, b"two"), refs.swap("head", b"one", b"two")
(True, False, True)
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from governance.errors import ConfigurationError
from lineage.refs.interface import Refs

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from lineage.sources.s3 import S3Access

__all__ = ["Refs", "open_refs"]

_SQL = ("sqlite", "postgresql")
_KEPT = 16
"""databases that one process keeps connected"""


def open_refs(location: str, *, base: Path, access: S3Access | None = None) -> Refs:
    """The refs at ``location``: a directory, ``s3://bucket/prefix`` or a SQLAlchemy URL. A directory is not made yet.

    :param base: what a relative directory, or SQLite file, lies below
    :param access: how to reach S3; boto3's own defaults if not given
    :raises ConfigurationError: it is none of these
    :raises DatabaseUnreachable: the database cannot be opened
    """
    scheme = location.partition("://")[0] if "://" in location else ""
    if scheme == "s3":
        from lineage.refs.s3 import S3Refs

        return S3Refs(location, access=access)
    if scheme.partition("+")[0] in _SQL:
        from lineage.database import database_url
        from lineage.refs.sql import SqlRefs

        return SqlRefs(_database(database_url(location, base=base)))
    if not location or scheme:
        raise ConfigurationError(
            f"`registry: path:` is {location!r}. Expected a directory such as data/registry,"
            " s3://bucket/prefix, or a SQLAlchemy URL such as postgresql+psycopg://host/database."
        )
    from lineage.refs.directory import DirectoryRefs

    return DirectoryRefs(base / location)


@lru_cache(maxsize=_KEPT)
def _database(url: str) -> Engine:
    from lineage.database import open_database

    return open_database(url)
