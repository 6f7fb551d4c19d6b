"""What a table's log says of the files of one version, and whether it says the same as when it was recorded.

The files' digests do not hold it: the values of partition columns, the schema, and which deletes belong to which file
stand in the log alone, and whoever may write it could change them without touching a file.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time

from governance.canonical import Json, json_sha256
from lineage.errors import SourceChanged
from lineage.sources.files import sample
from lineage.sources.state import SourceState


def plan_digest(schema: Json, files: Json) -> str:
    """SHA-256 of the canonical JSON (RFC 8785) of schema and files, as docs/formats/snapshot.md describes both."""
    return json_sha256({"schema": schema, "files": files})


def in_plan(value: object) -> str | bool | None:
    """A partition value as text, which no version of a library writes in another way."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date | datetime | time) else str(value)


def check_plan(recorded: SourceState, paths: Collection[str], digest: str) -> None:
    """Raise SourceChanged where the log names other files than were recorded, or says other things of them.

    :param paths: of every file that the log names for the recorded version
    :param digest: of :func:`plan_digest`; a record made before there was one is compared by its paths alone
    """
    then = {file.path for file in recorded.files}
    if other := sorted(then ^ set(paths)):
        raise SourceChanged(
            f"The log of the table {recorded.name} ({recorded.uri}) names other files for the recorded version than"
            f" were recorded: {sample(other)}. Bring log and files back from a backup, to their old place."
        )
    if recorded.table and recorded.table.plan_sha256 not in (None, digest):
        raise SourceChanged(
            f"The log of the table {recorded.name} ({recorded.uri}) names the recorded files, but gives them another"
            " schema, other partition values or other deletes. Bring the log back from a backup."
        )
