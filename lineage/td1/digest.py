"""Digesters: a table's rows go in, in batches of any size; its td1 digest comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import pyarrow as pa

from governance.canonical import canonical_json
from lineage.errors import NotDigestible
from lineage.td1.batches import coalesced
from lineage.td1.encode import encoded
from lineage.td1.schema import logical_columns, require_same_columns
from lineage.td1.slots import Array, InvalidArrow, Unencodable
from lineage.td1.tree import CHUNK_ROWS, leaf_hash, root_from_columns, tree_hash
from lineage.td1.types import LogicalType

Mapper: TypeAlias = Callable[..., Iterable[Any]]
"""The built-in ``map``, or one like ``ThreadPoolExecutor.map`` that keeps the order of results."""

_ROWS_END: Final = 2**53


@dataclass(frozen=True, slots=True)
class ColumnDigest:
    """One column's part of a table digest, in lower-case hex."""

    name: str
    root: str
    leaves: tuple[str, ...]
    """One for each chunk of ``CHUNK_ROWS`` rows."""


@dataclass(frozen=True, slots=True)
class TableDigest:
    """The digest of a table, with what proves one column or finds one changed chunk."""

    rows: int
    descriptor: str
    """RFC 8785 text naming the format's version, chunk size, rows and each column's logical type."""
    columns: tuple[ColumnDigest, ...]
    """Sorted by the UTF-8 bytes of their names."""

    @property
    def hex(self) -> str:
        """The table root in lower-case hex."""
        return root_from_columns(self.descriptor, {column.name: column.root for column in self.columns})

    @property
    def digest(self) -> str:
        """``td1-sha256:`` and the table root."""
        return f"td1-sha256:{self.hex}"


class Digester:
    """Digests rows as they come; holds on to at most one chunk of them.

    Batches may be of any size, and differ in Arrow type, encoding and column order as long as names
    and logical types are those of ``schema``. Their memory must not change before the chunk is full.
    A value without an encoding is reported by ``finish``, since the format puts errors of any later
    batch's schema before it.
    """

    def __init__(self, schema: pa.Schema, *, each: Mapper = map) -> None:
        """``each`` maps the columns of a chunk to leaves, in order. Raises ``NotDigestible``."""
        self._kinds = logical_columns(schema)
        self._each = each
        self._leaves: list[list[bytes]] = [[] for _ in self._kinds]
        self._pending: list[list[Array]] = [[] for _ in self._kinds]
        self._schema: pa.Schema | None = None
        self._order: list[int] = []
        self._rows = 0
        self._hashed = 0
        self._failure: NotDigestible | None = None
        self._result: TableDigest | None = None

    def update(self, batch: pa.RecordBatch) -> None:
        """Takes the next rows.

        Raises:
            NotDigestible: the batch has other columns than the schema, or breaks Arrow's rules.
        """
        if self._result is not None:
            raise RuntimeError("this digest is finished; start another Digester")
        self._take_order(batch.schema)
        _require_valid(batch)
        start = 0
        while self._kinds and not self._failure and start < batch.num_rows:
            start += self._hold(batch, start)
        self._rows += batch.num_rows - start

    def finish(self) -> TableDigest:
        """The digest of all rows so far; no more rows may follow.

        Raises:
            NotDigestible: names kind, column and row of the first value that has no encoding.
        """
        if self._result is None:
            self._hash_chunk()
            if self._failure is not None:
                raise self._failure
            self._result = TableDigest(self._rows, self._descriptor(), self._columns())
        return self._result

    def _take_order(self, schema: pa.Schema) -> None:
        if self._schema is None or not schema.equals(self._schema):
            require_same_columns(self._kinds, schema)
            self._schema = schema
            self._order = [schema.get_field_index(name) for name in self._kinds]

    def _hold(self, batch: pa.RecordBatch, start: int) -> int:
        count: int = min(CHUNK_ROWS - (self._rows - self._hashed), batch.num_rows - start)
        for pending, number in zip(self._pending, self._order, strict=True):
            pending.append(batch.column(number).slice(start, count))
        self._rows += count
        if self._rows - self._hashed == CHUNK_ROWS:
            self._hash_chunk()
        return count

    def _hash_chunk(self) -> None:
        if self._rows == self._hashed or self._failure or not self._kinds:
            return
        try:
            found = self._each(partial(_leaf, self._hashed), self._kinds, self._kinds.values(), self._pending)
            for leaves, leaf in zip(self._leaves, found, strict=True):
                leaves.append(leaf)
        except NotDigestible as error:
            self._failure = error
        self._pending = [[] for _ in self._kinds]
        self._hashed = self._rows

    def _descriptor(self) -> str:
        if self._rows >= _ROWS_END:
            raise NotDigestible("overflow", message=f"{self._rows} rows; td1 counts fewer than 2^53")
        columns = [[name, kind.json] for name, kind in self._kinds.items()]
        return canonical_json({"v": 1, "chunk": CHUNK_ROWS, "rows": self._rows, "cols": columns}).decode()

    def _columns(self) -> tuple[ColumnDigest, ...]:
        return tuple(
            ColumnDigest(name, tree_hash(leaves).hex(), tuple(leaf.hex() for leaf in leaves))
            for name, leaves in zip(self._kinds, self._leaves, strict=True)
        )


def digest_table(table: pa.Table, *, threads: int = 1) -> TableDigest:
    """The digest of ``table``. Raises ``NotDigestible``."""
    return digest_batches(table.schema, table.to_batches(), threads=threads)


def digest_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, threads: int = 1) -> TableDigest:
    """The digest of all rows of ``batches``, hashing up to ``threads`` columns at a time. Raises ``NotDigestible``."""
    if threads == 1:
        return _digested(Digester(schema), batches)
    with ThreadPoolExecutor(threads) as pool:
        return _digested(Digester(schema, each=pool.map), batches)


def _digested(digester: Digester, batches: Iterable[pa.RecordBatch]) -> TableDigest:
    for batch in batches:
        digester.update(batch)
    return digester.finish()


def _leaf(first_row: int, name: str, kind: LogicalType, arrays: Sequence[Array]) -> bytes:
    try:
        return leaf_hash(encoded(kind, coalesced(arrays)))
    except Unencodable as error:
        raise NotDigestible(error.kind, column=name, row=first_row + error.position, message=str(error)) from error
    except InvalidArrow as error:
        raise NotDigestible("invalid_arrow", column=name, message=str(error)) from error
    except pa.ArrowInvalid:  # quotes values
        raise NotDigestible("invalid_arrow", column=name, message="Arrow cannot read its own array") from None


def _require_valid(batch: pa.RecordBatch) -> None:
    try:
        batch.validate()
    except pa.ArrowInvalid as error:
        raise NotDigestible("invalid_arrow", message=str(error)) from error
