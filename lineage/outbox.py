"""The outbox: one row for each recorded act, written in the act's own transaction.

``audit`` gives every row a leaf of the ledger and never changes one (``../docs/formats`` has the bytes). The
payload (signed envelope and salt) stands in a table of its own, because it may be erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Column, Connection, ForeignKey, LargeBinary, String, Table, insert

from lineage.database import metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("time", String(27), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("envelope_sha256", String(64), nullable=False),
    Column("commitment", String(64), nullable=False),
)

payload = Table(
    "payload",
    metadata,
    Column("outbox_id", String(36), ForeignKey("outbox.id"), primary_key=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
)


@dataclass(frozen=True)
class Sealed:
    """A statement after it was signed and committed to."""

    envelope: bytes
    """The exact DSSE envelope bytes; never re-serialised."""
    envelope_sha256: str
    salt: bytes
    """32 random bytes of this record alone."""
    commitment: str
    """hex HMAC-SHA256(salt, SHA-256(envelope))."""
    actor: str
    """The pseudonym of whoever acted."""


class Seal(Protocol):
    """Signs statements. ``audit.statement.StatementSeal`` is the real one; lineage only asks."""

    def pseudonym(self, actor: str) -> str:
        """The only name of ``actor`` that leaves this process."""
        ...

    def __call__(self, statement: dict[str, Any], *, actor: str) -> Sealed:
        """Sign the in-toto ``statement``; ``actor`` is the plain name, which only its pseudonym leaves."""
        ...


def enqueue(connection: Connection, *, id: str, kind: str, time: str, sealed: Sealed) -> None:  # noqa: A002 - the leaf's own field name
    """Write one act into the outbox, in the caller's transaction."""
    row = {
        "id": id,
        "kind": kind,
        "time": time,
        "actor": sealed.actor,
        "envelope_sha256": sealed.envelope_sha256,
        "commitment": sealed.commitment,
    }
    connection.execute(insert(outbox), row)
    connection.execute(insert(payload), {"outbox_id": id, "envelope": sealed.envelope, "salt": sealed.salt})
