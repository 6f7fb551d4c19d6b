"""Where the rows of a retrieval (and their labels) come from.

    frame = lineage.spine(table, made_from=["data/sources/follow_up.parquet"], code=label_visits)
    store.get_historical_features(frame, features=...)

A bare DataFrame works too; its origin is then a named gap of every report.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.source import observe_source

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ORIGIN = "provender_origin"
"""Key in ``DataFrame.attrs`` under which the origin travels with the frame, with the td1 of the rows it speaks of."""


def spine(table: pa.Table, *, made_from: Iterable[str | Path], code: Callable[..., Any]) -> pd.DataFrame:
    """The entity rows in ``table`` as a DataFrame that Feast takes and that remembers its origin.

    :param made_from: the files that ``code`` read; they are hashed now. Raises SourceUnreadable.
    :param code: the function that made ``table``; its source text is hashed.
    """
    frame = table.to_pandas()
    files = observe_source("spine", "", (Path(path) for path in made_from), {}).files
    source = sha256(inspect.getsource(code).encode()).hexdigest()
    frame.attrs[ORIGIN] = {
        "digest": spine_digest(frame),
        "made_from": [{"uri": file.path, "sha256": file.sha256} for file in files],
        "code": {"name": f"{code.__module__}.{code.__qualname__}", "sha256": source},
    }
    return frame


def origin_of(frame: pd.DataFrame, digest: str) -> dict[str, Any] | None:
    """The origin of ``frame`` as records carry it; None without one, or where its rows are not those that were made.

    :param digest: td1 of the rows as they are now
    """
    origin = frame.attrs.get(ORIGIN)
    if not isinstance(origin, dict) or origin.get("digest") != digest:
        return None
    return {"made_from": origin["made_from"], "code": origin["code"]}


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
