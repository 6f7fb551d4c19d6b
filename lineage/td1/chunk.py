"""One chunk of a table: its leaves, wherever its rows are.

An engine that spreads rows over machines groups them by ``row // CHUNK_ROWS``, calls :func:`chunk_leaves` on each
group where it lies, and gives the leaves in order to :func:`lineage.td1.combine`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa

from lineage.errors import NotDigestible
from lineage.td1.batches import coalesced
from lineage.td1.encode import Parts, drafted
from lineage.td1.floats import Floats
from lineage.td1.schema import logical_columns, require_same_columns
from lineage.td1.slots import Array, InvalidArrow, Unencodable
from lineage.td1.tree import CHUNK_ROWS
from lineage.td1.types import LogicalType


def chunk_leaves(schema: pa.Schema, chunk: pa.Table | pa.RecordBatch, *, first_row: int) -> dict[str, str]:
    """The leaf of each column, in hex, for the rows of one chunk in their order.

    Args:
        schema: the whole table's; the chunk's Arrow types and order of columns may differ, its logical types not.
        chunk: 1 to ``CHUNK_ROWS`` rows; fewer only in the last chunk.
        first_row: the global number of the chunk's first row, a multiple of ``CHUNK_ROWS``.

    Raises:
        NotDigestible: the chunk has other columns than the schema, or a value without an encoding (names the global
            row).
        ValueError: the rows are not one chunk.
    """
    if not 0 < chunk.num_rows <= CHUNK_ROWS or first_row < 0 or first_row % CHUNK_ROWS:
        raise ValueError(f"found {chunk.num_rows} rows from row {first_row} on; expected one chunk of {CHUNK_ROWS}")
    kinds = logical_columns(schema)
    require_same_columns(kinds, chunk.schema)
    batches = [chunk] if isinstance(chunk, pa.RecordBatch) else chunk.to_batches()
    for batch in batches:
        require_valid(batch)
    found = {}
    for name, kind in kinds.items():
        number = chunk.schema.get_field_index(name)
        parts = draft(first_row, name, kind, [batch.column(number) for batch in batches])
        found[name] = hashed(parts).hex()
    return found


def draft(first_row: int, name: str, kind: LogicalType, arrays: Sequence[Array]) -> Parts:
    """What the leaf of one column is the hash of. Raises ``NotDigestible``."""
    try:
        return drafted(kind, coalesced(arrays))
    except Unencodable as error:
        raise NotDigestible(error.kind, column=name, row=first_row + error.position, message=str(error)) from error
    except InvalidArrow as error:
        raise NotDigestible("invalid_arrow", column=name, message=str(error)) from error
    except pa.ArrowInvalid:  # quotes values
        raise NotDigestible("invalid_arrow", column=name, message="Arrow cannot read its own array") from None


def hashed(parts: Parts) -> bytes:
    """The leaf over ``parts``."""
    state = hashlib.sha256(b"\x00")
    for part in parts:
        if isinstance(part, Floats):
            state = part.hashed_into(state)
        else:
            state.update(part)
    return state.digest()


def require_valid(batch: pa.RecordBatch) -> None:
    """Raises ``NotDigestible`` where lengths, buffers or children of an array cannot be."""
    try:
        batch.validate()
    except pa.ArrowInvalid as error:
        raise NotDigestible("invalid_arrow", message=str(error)) from error
