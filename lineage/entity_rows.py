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
from lineage.sources.digests import observe_source

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ORIGIN = "provender_origin"
"""Key in ``DataFrame.attrs`` under which the origin travels with the frame, with the td1 of the rows it speaks of."""

EVENT_TIMESTAMP = "event_timestamp"
"""Feast's name for the moments for which values are wanted."""


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


def origin_of(rows: Any, digest: str) -> dict[str, Any] | None:
    """The origin of ``rows`` as records carry it; None without one, or where the rows are not those that were made.

    :param digest: td1 of the rows as they are now
    """
    origin = getattr(rows, "attrs", {}).get(ORIGIN)
    if not isinstance(origin, dict) or origin.get("digest") != digest:
        return None
    return {"made_from": origin["made_from"], "code": origin["code"]}


def spine_digest(rows: Any) -> str:
    """td1 of ``rows`` (as :func:`spine_table` takes them) in their order; timestamps without zone count as UTC."""
    from lineage.td1 import digest_table

    return digest_table(spine_table(rows)).digest


def has_rows(given: object) -> bool:
    """Whether ``given`` is entity rows that :func:`spine_table` takes: a DataFrame, or anything that streams Arrow."""
    return hasattr(given, "__arrow_c_stream__") or _is_frame(given)


def spine_table(rows: Any) -> pa.Table:
    """``rows`` as Arrow, every timestamp in UTC microseconds (naive means UTC).

    :param rows: a pandas DataFrame, or what gives an Arrow stream: an Arrow table, a Polars frame, a reader (which can
        be read only once). ``event_timestamp`` may be dates, or text in ISO 8601.
    :raises LossyCast: a timestamp is no whole microsecond; names column and row.
    :raises SourceUnreadable: a column holds values of several kinds, or two columns have one name.
    """
    from lineage.canonical_table import TIMESTAMP
    from lineage.lossless import lossless

    table = _from_frame(rows) if _is_frame(rows) else _from_stream(rows)
    for at, field in enumerate(table.schema):
        column = _moments(table.column(at)) if field.name == EVENT_TIMESTAMP else table.column(at)
        if _is_time(column.type):
            column = lossless(field.name, column, TIMESTAMP)
        if column is not table.column(at):
            table = table.set_column(at, field.name, column)
    return table


def _is_frame(rows: object) -> bool:
    import pandas as pd

    return isinstance(rows, pd.DataFrame)


def _from_frame(frame: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, ValueError):
        raise SourceUnreadable(
            f"The entity rows cannot be read: {_unreadable_part(frame)}. Expected columns of one kind of value"
            " each, with names of their own; correct the DataFrame."
        ) from None  # Arrow quotes the value, which may be a person's


def _from_stream(rows: Any) -> pa.Table:
    import pyarrow as pa

    try:
        table = rows if isinstance(rows, pa.Table) else pa.RecordBatchReader.from_stream(rows).read_all()
    except (pa.ArrowException, ValueError) as error:
        raise SourceUnreadable(
            f"The entity rows, a {type(rows).__module__}.{type(rows).__name__}, gave no Arrow table"
            f" ({type(error).__name__}). Expected a frame of rows; a reader can be read only once."
        ) from None  # Arrow quotes values
    if len(set(table.column_names)) != table.num_columns:
        raise SourceUnreadable(
            f"The entity rows have two columns of one name among {table.column_names}. Give each a name of its own."
        )
    return table.replace_schema_metadata(None)


def _is_time(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_timestamp(kind))


def _moments(column: Any) -> Any:
    """Event timestamps as timestamps where they were written as dates or text."""
    import pandas as pd
    import pyarrow as pa

    from lineage.lossless import decoded

    plain = decoded(column)
    if pa.types.is_date(plain.type):
        return plain.cast(pa.timestamp("ms"))
    if not (
        pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type) or pa.types.is_string_view(plain.type)
    ):
        return column
    try:
        read = pd.to_datetime(plain.cast(pa.large_string()).to_pandas(), format="ISO8601", utc=True)
    except ValueError:
        raise SourceUnreadable(
            f"The column {EVENT_TIMESTAMP} of the entity rows is text, and not all of it is a time. Expected ISO 8601,"
            " such as 2024-03-01T12:00:00Z; correct it, or give timestamps."
        ) from None  # pandas quotes the text
    return pa.chunked_array([pa.array(read)])


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
