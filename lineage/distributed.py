"""A retrieval whose rows lie on many machines: each chunk is cast, hashed and written where it lies.

An engine groups its numbered rows by ``ROW // CHUNK_ROWS`` and calls :func:`chunk_answer` on each group. What comes
back is a line of JSON for each chunk, which :func:`gathered` puts together. Answers hold hashes and counts, or an
error of ours as text, because an engine's own report of an exception may quote values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from governance.errors import ProvenderError
from lineage.canonical_table import ROW, columns_once
from lineage.errors import LossyCast, NotDigestible, ObjectsUnreachable, RetrievalBroken
from lineage.lossless import lossless, takeable
from lineage.td1 import CHUNK_ROWS, TableDigest, chunk_leaves, combine

if TYPE_CHECKING:
    from lineage.opened_snapshot import OpenSnapshot
    from lineage.snapshot_parts import ChunkWriter


@dataclass(frozen=True)
class ChunkPlan:
    """What every worker knows of the whole table."""

    writer: ChunkWriter
    """Takes each finished chunk; knows the columns in order, in canonical types."""
    rows: int
    """Rows of the spine, numbered from 0 in ``ROW``."""
    timestamp: str
    """The column whose ends are noted; in UTC microseconds."""

    @property
    def schema(self) -> pa.Schema:
        """Canonical types of the columns, in the order in which they are written."""
        return self.writer.schema

    @property
    def chunks(self) -> int:
        """How many chunks the table has."""
        return -(-self.rows // CHUNK_ROWS)


@dataclass(frozen=True)
class Gathered:
    """A table whose chunks are written, as the driver knows it."""

    digest: TableDigest
    parts: tuple[str, ...]
    """the file of each chunk whose leaves gave the digest, as :class:`lineage.snapshot_parts.ChunkWriter` named it"""
    nulls: Mapping[str, int]
    """null count of each column"""
    event_time: tuple[int, int] | None
    """first and last event time in microseconds since 1970; None where there is none"""


def chunk_answer(plan: ChunkPlan, number: int | None, rows: pa.Table) -> str:
    """Finish chunk ``number`` of ``plan`` from its ``rows``, in any order; gives what :func:`gathered` reads.

    Every error of ours is part of the answer; it would be the same at the next try.
    """
    try:
        return json.dumps({"number": number, **_finished(plan, number, rows)})
    except NotDigestible as error:
        where = {"kind": error.kind, "column": error.column, "row": error.row}
        return json.dumps({"number": number, "error": "NotDigestible", "message": str(error), "where": where})
    except ProvenderError as error:
        return json.dumps({"number": number, "error": type(error).__name__, "message": str(error)})
    except pa.ArrowException as error:  # quotes values
        message = f"Arrow refused the rows of chunk {number} ({type(error).__name__}). Compare the types of the sources"
        return json.dumps({"number": number, "error": "", "message": f"{message} with the declared ones."})


def canonical_chunk(plan: ChunkPlan, number: int | None, rows: pa.Table) -> pa.Table:
    """The rows of chunk ``number`` in the spine's order and canonical types.

    :raises RetrievalBroken: a row of the chunk is missing, doubled or invented, or a column is missing.
    :raises LossyCast: naming column and row.
    """
    first = number * CHUNK_ROWS if number is not None else 0
    expected = min(CHUNK_ROWS, plan.rows - first)
    columns_once(rows)
    numbers = rows.column(ROW).combine_chunks() if ROW in rows.column_names else pa.array([], pa.int64())
    order = pc.sort_indices(numbers)
    if number is None or not numbers.take(order).equals(pa.array(range(first, first + expected), numbers.type)):
        raise RetrievalBroken(
            f"The engine answered {len(numbers)} rows where chunk {number} of the entity rows has {max(expected, 0)},"
            " or not each of them once. Expected one row for each entity row; nothing was recorded as a snapshot. Use"
            " another offline store, or report the engine."
        )
    if missing := [name for name in plan.schema.names if name not in rows.column_names]:
        raise RetrievalBroken(f"The engine's answer lacks the columns {missing}. Use another offline store.")
    return pa.table(
        {
            field.name: lossless(field.name, takeable(rows.column(field.name)).take(order), field.type, first_row=first)
            for field in plan.schema
        }
    )


def gathered(plan: ChunkPlan, answers: Iterable[str]) -> Gathered:
    """What the chunks say together.

    :raises RetrievalBroken: a chunk is missing or came twice; and the error of the first chunk that has one.
    """
    said = sorted((json.loads(answer) for answer in answers), key=_number)
    if failed := next((one for one in said if "error" in one), None):
        raise _error(failed)
    if [one["number"] for one in said] != list(range(plan.chunks)):
        raise RetrievalBroken(
            f"The engine answered {len(said)} chunks for a spine of {plan.rows} rows, or not each of them once;"
            f" expected {plan.chunks}. Nothing was recorded as a snapshot; run again, or report the engine."
        )
    times = [moment for one in said if one["times"] for moment in one["times"]]
    return Gathered(
        digest=combine(plan.schema, [one["leaves"] for one in said], rows=plan.rows),
        parts=tuple(one["part"] for one in said),
        nulls={name: sum(one["nulls"][name] for one in said) for name in plan.schema.names},
        event_time=(min(times), max(times)) if times else None,
    )


def stored_chunks(snapshot: OpenSnapshot, numbers: pa.Table) -> pa.Table:
    """The chunks of a stored snapshot whose numbers stand in the one column of ``numbers``, each verified."""
    return pa.concat_tables(snapshot.chunk(number) for number in numbers.column(0).to_pylist())


def _finished(plan: ChunkPlan, number: int | None, rows: pa.Table) -> dict[str, Any]:
    table = canonical_chunk(plan, number, rows)
    at = number or 0
    ends = pc.min_max(table.column(plan.timestamp).cast(pa.int64())).as_py()
    leaves = chunk_leaves(plan.schema, table, first_row=at * CHUNK_ROWS)
    return {
        "part": plan.writer.write(at, table),
        "leaves": leaves,
        "nulls": {name: table.column(name).null_count for name in table.column_names},
        "times": None if ends["min"] is None else [ends["min"], ends["max"]],
    }


def _number(said: Mapping[str, Any]) -> int:
    return -1 if said["number"] is None else int(said["number"])


def _error(said: Mapping[str, Any]) -> ProvenderError:
    if said["error"] == "NotDigestible":
        where = said["where"]
        return NotDigestible(where["kind"], column=where["column"], row=where["row"])
    known: dict[str, type[ProvenderError]] = {"LossyCast": LossyCast, "ObjectsUnreachable": ObjectsUnreachable}
    return known.get(said["error"], RetrievalBroken)(said["message"])
