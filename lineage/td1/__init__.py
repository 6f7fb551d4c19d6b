"""td1: the digest of a table's content, the same whatever wrote, split, compressed or encoded it.

>>> import pyarrow as pa
>>> table = pa.table({"a": pa.array([1], pa.int64())})
>>> digest_table(table).digest
'td1-sha256:5167a4066e292db657bd7b7edcf3d1a8a6c96a96d17a1665d933a7b2345142a1'

The format has its own page, ``docs/formats/td1.md``. ``lineage.td1.tree`` computes a table's root
from its columns' roots with the standard library alone, ``lineage.td1.proofs`` proves a column or a chunk.
"""

from lineage.td1.chunk import chunk_leaves
from lineage.td1.digest import Digester, digest_batches, digest_table
from lineage.td1.table_digest import ColumnDigest, TableDigest, combine
from lineage.td1.tree import CHUNK_ROWS, root_from_columns

__all__ = [
    "CHUNK_ROWS",
    "ColumnDigest",
    "Digester",
    "TableDigest",
    "chunk_leaves",
    "combine",
    "digest_batches",
    "digest_table",
    "root_from_columns",
]
