"""The rows as DuckDB reads them: columns of a few kinds, under names of our own, NaN being missing.

Great Expectations works on pandas, where a missing number is NaN, so that NaN and null cannot be told apart; here
NaN becomes null. Columns of other types than the few below can only be asked whether values are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

Rows: TypeAlias = "pa.Table | Callable[[], pa.RecordBatchReader]"
"""A table, or what opens the same rows again from their beginning, batch by batch: they are read more than once."""


class Kind(Enum):
    """What can be asked of a column."""

    WHOLE = auto()
    """signed integers"""
    DOUBLE = auto()
    """floating-point numbers, as doubles"""
    TEXT = auto()
    TRUTH = auto()
    MOMENT = auto()
    """timestamps with a time zone, as integers of their unit since 1970"""
    ITEM = auto()
    """decimals and days: equal or not, no more"""
    OPAQUE = auto()
    """everything else: missing or not, no more"""

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return self in (Kind.WHOLE, Kind.DOUBLE)

    @property
    def comparable(self) -> bool:
        """Whether two values can be told to be equal."""
        return self is not Kind.OPAQUE


@dataclass(frozen=True)
class Column:
    """One column of the rows."""

    sql: str
    """Its name in ``prepared``."""
    kind: Kind
    type: pa.DataType
    position: int

    @property
    def prepared(self) -> str:
        """The expression of ``prepared`` over the raw rows."""
        if self.kind is Kind.DOUBLE:
            return f"CASE WHEN isnan({self.sql}) THEN NULL ELSE CAST({self.sql} AS DOUBLE) END AS {self.sql}"
        return self.sql


def columns_of(schema: pa.Schema) -> dict[str, Column]:
    """The columns by name. Those whose name or type Great Expectations would see otherwise are left out."""
    kinds = [(position, field, _kind(field.type)) for position, field in enumerate(schema)]
    return {
        field.name: Column(f"c{position}", kind, field.type, position)
        for position, field, kind in kinds
        if kind is not None and schema.names.count(field.name) == 1
    }


def _kind(type: pa.DataType) -> Kind | None:  # noqa: A002 - the word for it
    import pyarrow.types as t

    tests: tuple[tuple[Callable[[Any], bool], Kind | None], ...] = (
        (t.is_signed_integer, Kind.WHOLE),
        (lambda one: t.is_float32(one) or t.is_float64(one), Kind.DOUBLE),
        (lambda one: t.is_string(one) or t.is_large_string(one), Kind.TEXT),
        (t.is_boolean, Kind.TRUTH),
        (lambda one: t.is_timestamp(one) and one.tz is not None, Kind.MOMENT),
        (lambda one: t.is_decimal128(one) or t.is_date32(one), Kind.ITEM),
        (lambda one: t.is_float16(one) or t.is_dictionary(one) or t.is_unsigned_integer(one), None),
        (lambda one: t.is_map(one) or t.is_union(one) or t.is_run_end_encoded(one), None),
        (lambda one: isinstance(one, _extension_type()), None),
    )
    return next((kind for test, kind in tests if test(type)), Kind.OPAQUE)


def _extension_type() -> Any:
    import pyarrow as pa

    return pa.BaseExtensionType


def raw(rows: Rows, columns: Iterable[Column]) -> Any:
    """What DuckDB scans: only these columns, under their names there, in types that it compares as we mean."""
    import pyarrow as pa

    chosen = sorted(columns, key=lambda column: column.position)
    if isinstance(rows, pa.Table):
        return pa.table(_arrays(rows, chosen))
    batches = rows()
    schema = pa.table(_arrays(batches.schema.empty_table(), chosen)).schema
    return pa.RecordBatchReader.from_batches(schema, _batches(batches, chosen))


def _batches(batches: Iterable[pa.RecordBatch], chosen: list[Column]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    return (pa.record_batch(_arrays(batch, chosen)) for batch in batches)


def _arrays(rows: pa.Table | pa.RecordBatch, chosen: list[Column]) -> dict[str, Any]:
    """The columns by the names they have in SQL; of no column at all, one that has as many rows."""
    import pyarrow as pa

    if not chosen:
        return {"nothing": pa.nulls(rows.num_rows, pa.bool_())}
    return {one.sql: _ready(rows.column(one.position), one.kind) for one in chosen}


def _ready(values: Any, kind: Kind) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind is Kind.MOMENT:
        return values.cast(pa.int64())
    if kind is Kind.OPAQUE:
        return pc.if_else(pc.is_valid(values), pa.scalar(True), pa.scalar(None, pa.bool_()))  # noqa: FBT003 - a value
    return values


def prepared(columns: Iterable[Column]) -> str:
    """The common table expression that every measure reads."""
    expressions = [one.prepared for one in sorted(columns, key=lambda column: column.position)]
    return f"WITH prepared AS (SELECT {', '.join(expressions) or '*'} FROM raw)"  # noqa: S608 - names of our own
