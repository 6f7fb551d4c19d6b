"""The sequencer: every outbox row that has no leaf yet gets the next one.

Rows are found by *having no leaf*, never by an id greater than the last: transactions commit in another order than
their ids or times were given. So that this costs nothing in a long ledger, a trigger lets each new row wait in a list,
which it leaves in the transaction of its leaf. The list proves nothing: a row that was taken out of it shows in the
audit as a record without a leaf.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from audit.errors import RecordForged
from audit.leaf import leaf_bytes
from audit.ledger.proofs import StoredTree
from audit.ledger.tables import leaf, node, waiting
from audit.ledger.tree import Frontier
from audit.recorded import believed
from audit.verify.merkle import leaf_hash
from audit.verify.publickey import PublicKey
from lineage.outbox import outbox, payload

BATCH = 1000
"""leaves in one transaction"""

_WAITING = (
    select(outbox, payload.c.envelope, payload.c.salt)
    .outerjoin(payload, payload.c.outbox_id == outbox.c.id)
    .outerjoin(leaf, leaf.c.outbox_id == outbox.c.id)
    .where(outbox.c.id.in_(select(waiting.c.outbox_id)), leaf.c.outbox_id.is_(None))
    .order_by(outbox.c.time, outbox.c.id)
    .limit(bindparam("batch"))
)
_TAKEN = delete(waiting).where(waiting.c.outbox_id == bindparam("taken"))


def append_batch(connection: Connection, tree: StoredTree, key: PublicKey) -> bool:
    """Append up to BATCH leaves to ``tree``, by (time, id). The caller holds the ledger's lock and commits.

    Gives whether there may be more. Raises RecordForged for a row that the statement ``key`` did not sign, or whose
    payload is gone.
    """
    rows = connection.execute(_WAITING, {"batch": BATCH}).all()
    for row in rows:
        if row.envelope is None:
            raise RecordForged(
                f"Record {row.id} ({row.kind}) has no payload, so that nobody can say what it recorded. It gets no leaf"
                " and nothing was signed. Restore the database from a backup."
            )
        believed(row, key)
    if rows:
        _append(connection, tree.frontier(), [(row.id, leaf_of(row)) for row in rows])
        connection.execute(_TAKEN, [{"taken": row.id} for row in rows])
    return len(rows) == BATCH


def leaf_of(row: Any) -> bytes:
    """The leaf that an outbox row has."""
    return leaf_bytes(id=row.id, kind=row.kind, time=row.time, actor=row.actor, commitment=row.commitment)


def _append(connection: Connection, frontier: Frontier, new: list[tuple[str, bytes]]) -> None:
    leaves: list[dict[str, Any]] = []
    nodes: list[dict[str, Any]] = []
    for outbox_id, content in new:
        digest = leaf_hash(content)
        leaves.append({"idx": frontier.size, "outbox_id": outbox_id, "bytes": content, "hash": digest})
        nodes += ({"level": level, "idx": idx, "hash": root} for (level, idx), root in frontier.append(digest))
    connection.execute(insert(leaf), leaves)
    if nodes:
        connection.execute(insert(node), nodes)
