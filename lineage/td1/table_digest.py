"""What td1 says of a table: its digest, and the roots and leaves of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from governance.canonical import canonical_json
from lineage.errors import NotDigestible, RetrievalBroken
from lineage.td1.schema import logical_columns
from lineage.td1.tree import CHUNK_ROWS, hash_of, root_from_columns, tree_hash
from lineage.td1.types import LogicalType

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


def combine(schema: pa.Schema, chunks: Sequence[Mapping[str, str]], *, rows: int) -> TableDigest:
    """The digest of a table from what :func:`lineage.td1.chunk_leaves` gave for each of its chunks, in their order.

    Raises:
        RetrievalBroken: these are not the leaves of ``rows`` rows of ``schema``.
        NotDigestible: ``schema`` has no digest.
    """
    kinds = logical_columns(schema)
    expected = -(-rows // CHUNK_ROWS)
    if kinds and len(chunks) != expected:
        raise RetrievalBroken(
            f"found leaves of {len(chunks)} chunks, expected {expected} for {rows} rows: the engine lost or doubled"
            " rows; run the retrieval again"
        )
    for number, chunk in enumerate(chunks):
        if chunk.keys() != kinds.keys():
            raise RetrievalBroken(
                f"found leaves of the columns {sorted(chunk)} in chunk {number}, expected {sorted(kinds)}; run the"
                " retrieval again"
            )
    leaves = {name: [hash_of(chunk[name], f"leaf of column {name!r}") for chunk in chunks] for name in kinds}
    return table_digest(kinds, leaves, rows=rows)


def table_digest(kinds: Mapping[str, LogicalType], leaves: Mapping[str, Sequence[bytes]], *, rows: int) -> TableDigest:
    """The digest of a table with these columns, in descriptor order, and their leaves. Raises ``NotDigestible``."""
    columns = tuple(
        ColumnDigest(name, tree_hash(leaves[name]).hex(), tuple(leaf.hex() for leaf in leaves[name])) for name in kinds
    )
    return TableDigest(rows, _descriptor(kinds, rows), columns)


def _descriptor(kinds: Mapping[str, LogicalType], rows: int) -> str:
    if rows >= _ROWS_END:
        raise NotDigestible("overflow", message=f"{rows} rows; td1 counts fewer than 2^53")
    columns = [[name, kind.json] for name, kind in kinds.items()]
    return canonical_json({"v": 1, "chunk": CHUNK_ROWS, "rows": rows, "cols": columns}).decode()
