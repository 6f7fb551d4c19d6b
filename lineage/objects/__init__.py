"""The object store: objects are written once, under a name that nobody else has, and never changed.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as directory:
...     objects = DirectoryObjects(Path(directory))
...     objects.create_bytes("notes/first.txt", b"hello"), objects.create_bytes("notes/first.txt", b"other")
(True, False)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineage.objects.directory import DirectoryObjects
from lineage.objects.interface import INCOMPLETE, Objects, PartsWriter, Retention, Staged, StagedParts, Write
from lineage.objects.replace import replace_bytes

if TYPE_CHECKING:
    from lineage.sources.s3 import S3Access

__all__ = [
    "INCOMPLETE",
    "DirectoryObjects",
    "Objects",
    "PartsWriter",
    "Retention",
    "Staged",
    "StagedParts",
    "Write",
    "open_objects",
    "replace_bytes",
]


def open_objects(location: str, *, access: S3Access | None = None, retention: Retention | None = None) -> Objects:
    """The object store at ``location``: a directory, or ``s3://bucket/prefix``; nothing is reached yet.

    :param access: how to reach S3; boto3's own defaults if not given.
    :param retention: what to ask of S3 for each new object; that of the bucket if not given.
    :raises ConfigurationError: another kind of URI, or a retention for a directory
    """
    from governance.errors import ConfigurationError

    if location.startswith("s3://"):
        from lineage.objects.s3 import S3Objects

        return S3Objects(location, access=access, retention=retention)
    if "://" in location:
        raise ConfigurationError(f"{location!r} is no object store. Expected a directory or s3://bucket/prefix.")
    if retention is not None:
        raise ConfigurationError(
            f"A retention of {retention.days} days is asked for, and {location} is a directory, which cannot refuse to"
            " delete. Use a bucket with object lock, or leave the retention out."
        )
    return DirectoryObjects(Path(location))
