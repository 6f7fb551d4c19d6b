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

from lineage.errors import SourceUnreadable
from lineage.source import observe_source

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ORIGIN = "provender_origin"
"""Key in ``DataFrame.attrs`` under which the origin travels with the frame, with the td1 of the rows it speaks of."""


def spine(table: pa.Table, *, made_from: Iterable[str | Path], code: Callable[..., Any]) -> pd.DataFrame:
    """The entity rows in ``table`` as a DataFrame that Feast takes and that remembers its origin.

    :param made_from: the files that ``code`` read; they are hashed now. None of them where ``code`` read nothing.
    :param code: the function that made ``table``; its source text is hashed.
    :raises SourceUnreadable: a file, or the source text of ``code``, cannot be read.
    """
    frame = table.to_pandas()
    paths = [Path(path) for path in made_from]
    files = observe_source("spine", "", paths, {}).files if paths else ()
    frame.attrs[ORIGIN] = {
        "digest": spine_digest(frame),
        "made_from": [{"uri": file.path, "sha256": file.sha256} for file in files],
        "code": _code(code),
    }
    return frame


def _code(code: Callable[..., Any]) -> dict[str, str]:
    try:
        text = inspect.getsource(code)
        return {"name": f"{code.__module__}.{code.__qualname__}", "sha256": sha256(text.encode()).hexdigest()}
    except (OSError, TypeError, AttributeError) as error:
        raise SourceUnreadable(
            f"The source text of {code!r} cannot be read: {error}. Expected the function that made the entity rows,"
            " written in a file; pass that function itself."
        ) from error


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
    from lineage.td1 import digest_table

    return digest_table(spine_table(frame)).digest


def spine_table(frame: pd.DataFrame) -> pa.Table:
    """``frame`` as Arrow, every timestamp in UTC microseconds (naive means UTC).

    :raises LossyCast: a timestamp is no whole microsecond; names column and row.
    :raises SourceUnreadable: a column holds values of several kinds, or two columns have one name.
    """
    import pyarrow as pa

    from lineage.canonical_table import TIMESTAMP
    from lineage.lossless import lossless

    try:
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, ValueError):
        raise SourceUnreadable(
            f"The entity rows cannot be read: {_unreadable_part(frame)}. Expected columns of one kind of value"
            " each, with names of their own; correct the DataFrame."
        ) from None  # Arrow quotes the value, which may be a person's
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, lossless(field.name, table.column(at), TIMESTAMP))
    return table


def _unreadable_part(frame: pd.DataFrame) -> str:
    """Where the first value stands that does not go with those before it, and what kinds there are; no value."""
    for at, name in enumerate(frame.columns):
        column = frame.iloc[:, at]
        if not _is_one_kind(column):
            row = _first_odd_row(column)
            kinds = ", ".join(sorted({type(value).__name__ for value in column}))
            return f"row {row} of column {name!r} does not go with the rows before it (the column holds {kinds})"
    return "two columns have one name, or a name is no text"


def _is_one_kind(column: Any) -> bool:
    import pyarrow as pa

    try:
        pa.array(column, from_pandas=True)
    except (pa.ArrowException, ValueError):
        return False
    return True


def _first_odd_row(column: Any) -> int:
    low, high = 0, len(column)  # the first `low` rows go together, the first `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _is_one_kind(column.iloc[:middle]) else (low, middle)
    return low
