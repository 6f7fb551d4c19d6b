"""Where rows are written to: a Parquet file, a directory of them, or a Delta table, on this disk or on S3.

    destination = ParquetDirectory(Path("data/visits"))
    destination.append(new_rows)  # readers see all of them or none; of Hive partitions, one after the other

One kind a class; what a destination is made of has the types it had, so new rows are cast to them.
"""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from lineage.errors import LossyCast, SourceUnreadable
from lineage.lossless import decoded, lossless


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
        """Let ``rows`` be all that is there instead of the rows before; a reader never finds both.

        Raises SourceUnreadable where the place cannot be replaced so.
        """


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """``rows`` with the columns of ``schema``, in their order and types.

    A double may be rounded to a float, also in lists, because that is what the destination holds, but not to an
    infinite one; a NaN becomes null where the type has none. Nothing else may change. Raises SourceUnreadable naming
    missing and unexpected columns, LossyCast naming the column and the first row that does not fit.
    """
    missing = sorted(set(schema.names) - set(rows.column_names))
    unexpected = sorted(set(rows.column_names) - set(schema.names))
    if missing or unexpected:
        raise SourceUnreadable(
            f"The rows do not have the columns of the place they are written to: missing {missing}, unexpected"
            f" {unexpected}. Write the same columns."
        )
    columns = [lossless(one.name, _rounded(one.name, rows.column(one.name), one.type), one.type) for one in schema]
    return pa.table(columns, schema=schema)


def _rounded(name: str, column: Any, wanted: pa.DataType) -> Any:
    """Doubles, and lists of them, as the floats that ``wanted`` has in their place; anything else as it is."""
    plain = decoded(column)
    kind = _floats_of(plain.type, wanted)
    if kind == plain.type:
        return plain
    rounded = plain.cast(kind)
    if _infinities(rounded) != _infinities(plain):
        raise LossyCast(
            f"Column {name!r}: a double is too large for the {wanted} that is there. Correct the rows, or write them"
            " to another place."
        )
    return rounded


def _floats_of(found: pa.DataType, wanted: pa.DataType) -> pa.DataType:
    """``found`` with float in place of double where ``wanted`` is float, at any depth of lists."""
    if found == pa.float64() and wanted == pa.float32():
        return wanted
    if not (_is_list(found) and _is_list(wanted)):
        return found
    value = found.value_field.with_type(_floats_of(found.value_type, wanted.value_type))
    if pa.types.is_fixed_size_list(found):
        return pa.list_(value, found.list_size)
    return pa.large_list(value) if pa.types.is_large_list(found) else pa.list_(value)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _infinities(column: Any) -> int:
    """How many values are infinite."""
    while _is_list(column.type):
        column = pc.list_flatten(column)
    return int(pc.sum(pc.is_inf(column)).as_py() or 0)
