"""The sequencer: every outbox row that has no leaf yet gets the next one.

Rows are found by *having no leaf*, never by an id greater than the last: transactions commit in another order than
their ids or times were given.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from audit.errors import RecordForged
from audit.leaf import leaf_bytes
from audit.ledger.proofs import frontier_at, tree_size
from audit.ledger.tables import leaf, node
from audit.recorded import believed
from audit.verify.merkle import leaf_hash
from audit.verify.publickey import PublicKey
from lineage.outbox import outbox, payload

BATCH = 1000
"""leaves in one transaction"""


def append_batch(connection: Connection, key: PublicKey) -> int:
    """Append up to BATCH leaves, by (time, id); gives how many. The caller holds the ledger's lock and commits.

    Raises RecordForged for a row that the statement ``key`` did not sign, or whose payload is gone.
    """
    rows = connection.execute(
        select(outbox, payload.c.envelope, payload.c.salt)
        .outerjoin(payload, payload.c.outbox_id == outbox.c.id)
        .outerjoin(leaf, leaf.c.outbox_id == outbox.c.id)
        .where(leaf.c.outbox_id.is_(None))
        .order_by(outbox.c.time, outbox.c.id)
        .limit(BATCH)
    ).all()
    for row in rows:
        if row.envelope is None:
            raise RecordForged(
                f"Record {row.id} ({row.kind}) has no payload, so that nobody can say what it recorded. It gets no leaf"
                " and nothing was signed. Restore the database from a backup."
            )
        believed(row, key)
    if rows:
        _append(connection, [(row.id, leaf_of(row)) for row in rows])
    return len(rows)


def leaf_of(row: Any) -> bytes:
    """The leaf that an outbox row has."""
    return leaf_bytes(id=row.id, kind=row.kind, time=row.time, actor=row.actor, commitment=row.commitment)


def _append(connection: Connection, new: list[tuple[str, bytes]]) -> None:
    frontier = frontier_at(connection, tree_size(connection))
    leaves: list[dict[str, Any]] = []
    nodes: list[dict[str, Any]] = []
    for outbox_id, content in new:
        digest = leaf_hash(content)
        leaves.append({"idx": frontier.size, "outbox_id": outbox_id, "bytes": content, "hash": digest})
        nodes += ({"level": level, "idx": idx, "hash": root} for (level, idx), root in frontier.append(digest))
    connection.execute(insert(leaf), leaves)
    if nodes:
        connection.execute(insert(node), nodes)
