"""Digesters: a table's rows go in, in batches of any size; its td1 digest comes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

import pyarrow as pa

from lineage.errors import NotDigestible
from lineage.td1.chunk import draft, hashed, require_valid
from lineage.td1.schema import logical_columns, require_same_columns
from lineage.td1.table_digest import TableDigest, table_digest
from lineage.td1.tree import CHUNK_ROWS
from lineage.td1.types import LogicalType
from lineage.td1.workers import Leaves, Submit, workers

_TOGETHER: Final = 4
"""Columns of one piece of work: enough to be worth handing out, few enough to share out evenly and to hold at once."""


class Digester:
    """Digests rows as they come; holds on to at most one chunk of them, and what ``submit`` has not done yet.

    Batches may be of any size, and differ in Arrow type, encoding and column order as long as names
    and logical types are those of ``schema``. Their memory must not change before the chunk is full.
    A value without an encoding is reported by ``finish``, since the format puts errors of any later
    batch's schema before it.
    """

    def __init__(self, schema: pa.Schema, *, submit: Submit | None = None) -> None:
        """``submit`` has chunks hashed on other threads; None: on this one. Raises ``NotDigestible``."""
        self._kinds = logical_columns(schema)
        self._submit = submit
        self._columns = list(self._kinds.items())
        self._running: deque[Future[Leaves]] = deque()
        self._leaves: Leaves = []
        self._pending: list[tuple[pa.RecordBatch, list[int]]] = []
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
        require_valid(batch)
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
            self._collect(wait=True)
            if self._failure is not None:
                raise self._failure
            wide = len(self._kinds)
            leaves = {name: self._leaves[number::wide] for number, name in enumerate(self._kinds)}
            self._result = table_digest(self._kinds, leaves, rows=self._rows)
        return self._result

    def _take_order(self, schema: pa.Schema) -> None:
        if self._schema is None or not schema.equals(self._schema):
            require_same_columns(self._kinds, schema)
            self._schema = schema
            self._order = [schema.get_field_index(name) for name in self._kinds]

    def _hold(self, batch: pa.RecordBatch, start: int) -> int:
        count: int = min(CHUNK_ROWS - (self._rows - self._hashed), batch.num_rows - start)
        self._pending.append((batch.slice(start, count), self._order))
        self._rows += count
        if self._rows - self._hashed == CHUNK_ROWS:
            self._hash_chunk()
        return count

    def _hash_chunk(self) -> None:
        for start in range(0, len(self._columns) if self._pending and not self._failure else 0, _TOGETHER):
            work = partial(_leaves, self._hashed, self._columns[start : start + _TOGETHER], start, self._pending)
            if self._submit is None:
                self._take(work)
            else:
                self._running.append(self._submit(work))
        self._pending, self._hashed = [], self._rows
        self._collect(wait=False)

    def _collect(self, *, wait: bool) -> None:
        """Takes what is done, in the order of chunks and columns: of several failures the first one counts."""
        while self._running and (wait or self._running[0].done()):
            self._take(self._running.popleft().result)

    def _take(self, work: Callable[[], Leaves]) -> None:
        if self._failure is None:
            try:
                self._leaves += work()
            except NotDigestible as error:
                self._failure = error


def digest_table(table: pa.Table, *, threads: int = 1) -> TableDigest:
    """The digest of ``table``. Raises ``NotDigestible``."""
    return digest_batches(table.schema, table.to_batches(), threads=threads)


def digest_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, threads: int = 1) -> TableDigest:
    """The digest of all rows of ``batches``, hashed by up to ``threads`` threads. Raises ``NotDigestible``."""
    if threads == 1:
        return _digested(Digester(schema), batches)
    with workers(threads) as submit:
        return _digested(Digester(schema, submit=submit), batches)


def _digested(digester: Digester, batches: Iterable[pa.RecordBatch]) -> TableDigest:
    for batch in batches:
        digester.update(batch)
    return digester.finish()


def _leaves(
    first_row: int,
    columns: Sequence[tuple[str, LogicalType]],
    start: int,
    pieces: list[tuple[pa.RecordBatch, list[int]]],
) -> Leaves:
    """The leaves of some columns, the first of which is number ``start`` in descriptor order."""
    drafts = [
        draft(first_row, name, kind, [batch.column(order[number]) for batch, order in pieces])
        for number, (name, kind) in enumerate(columns, start)
    ]
    return [hashed(parts) for parts in drafts]
