"""Where the rows of a retrieval (and their labels) come from.

    frame = lineage.spine(table, made_from=["data/sources/follow_up.parquet"], code=label_visits)
    store.get_historical_features(frame, features=...)

A bare DataFrame works too; its origin is then a named gap of every report.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.source import observe_source

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ORIGIN = "provender_origin"
"""Key in ``DataFrame.attrs`` under which the origin travels with the frame."""


@dataclass(frozen=True)
class SpineOrigin:
    """From which files, by which code, a spine was made."""

    digest: str
    """td1 of the rows as they were made; a frame edited afterwards loses its origin."""
    made_from: tuple[tuple[str, str], ...]
    """(path, SHA-256) of each file"""
    code_name: str
    code_sha256: str
    """of the source text of the function"""

    def as_json(self) -> dict[str, Any]:
        """The ``origin`` entry of a retrieval record."""
        return {
            "made_from": [{"uri": uri, "sha256": digest} for uri, digest in self.made_from],
            "code": {"name": self.code_name, "sha256": self.code_sha256},
        }


def spine(table: pa.Table, *, made_from: Iterable[str | Path], code: Callable[..., Any]) -> pd.DataFrame:
    """The entity rows in ``table`` as a DataFrame that Feast takes and that remembers its origin.

    :param made_from: the files that ``code`` read; they are hashed now. Raises SourceUnreadable.
    :param code: the function that made ``table``; its source text is hashed.
    """
    frame = table.to_pandas()
    files = observe_source("spine", "", (Path(path) for path in made_from), {}).files
    origin = SpineOrigin(
        digest=spine_digest(frame),
        made_from=tuple((file.path, file.sha256) for file in files),
        code_name=f"{code.__module__}.{code.__qualname__}",
        code_sha256=sha256(inspect.getsource(code).encode()).hexdigest(),
    )
    frame.attrs[ORIGIN] = origin
    return frame


def origin_of(frame: pd.DataFrame) -> SpineOrigin | None:
    """The origin of ``frame``, if it has one and its rows are still those that were made."""
    origin = frame.attrs.get(ORIGIN)
    if not isinstance(origin, SpineOrigin) or origin.digest != spine_digest(frame):
        return None
    return origin


def spine_digest(frame: pd.DataFrame) -> str:
    """td1 of the rows of ``frame`` in their order; timestamps without zone count as UTC."""
    from lineage.td1 import digest_table  # noqa: PLC0415 - pyarrow only when a spine is at hand

    return digest_table(spine_table(frame)).digest


def spine_table(frame: pd.DataFrame) -> pa.Table:
    """``frame`` as Arrow, every timestamp in UTC microseconds (naive means UTC)."""
    import pyarrow as pa  # noqa: PLC0415

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.timestamp("us", "UTC")))
    return table
