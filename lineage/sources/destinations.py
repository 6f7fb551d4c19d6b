"""Where rows are written to: a Parquet file, a directory of them, or a Delta table, on this disk or on S3.

    destination = ParquetDirectory(Path("data/visits"))
    destination.append(new_rows)  # readers see all of them or none

One kind a class; what a destination is made of has the types it had, so new rows are cast to them.
"""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow as pa

from lineage.errors import LossyCast, SourceUnreadable
from lineage.lossless import decoded


class Destination(Protocol):
    """A place that takes rows."""

    def exists(self) -> bool:
        """Whether anything lies there. Raises SourceUnreadable where the place does not answer."""

    def append(self, rows: pa.Table) -> pa.Table:
        """Add ``rows`` after those that are there, and give them in the types they have there.

        Several appends at once lose none. Raises SourceUnreadable where the columns are other ones, LossyCast where a
        value does not fit its column.
        """

    def replace(self, rows: pa.Table) -> None:
        """Let ``rows`` be all that is there, whatever was before."""


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """``rows`` with the columns of ``schema``, in their order and types.

    A double may be rounded to a float, because that is what the destination holds; nothing else may change. Raises
    SourceUnreadable naming missing and unexpected columns, LossyCast naming the column that does not fit.
    """
    missing = sorted(set(schema.names) - set(rows.column_names))
    unexpected = sorted(set(rows.column_names) - set(schema.names))
    if missing or unexpected:
        raise SourceUnreadable(
            f"The rows do not have the columns of the place they are written to: missing {missing}, unexpected"
            f" {unexpected}. Write the same columns."
        )
    return pa.table([_cast(field, rows.column(field.name)) for field in schema], schema=schema)


def _cast(field: pa.Field, column: Any) -> Any:
    try:
        return decoded(column).cast(field.type)
    except pa.ArrowException:
        raise LossyCast(
            f"A value of column {field.name!r} ({column.type}) does not fit the {field.type} that is there. Correct the"
            " rows, or write them to another place."
        ) from None  # Arrow quotes the value
