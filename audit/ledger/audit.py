"""The audit of a ledger: everything is computed again from the leaves' bytes and compared with what is stored.

One pass over the leaves in their order, in one snapshot of the database, keeping only the right edge of the tree. A
changed leaf also changes the nodes above it and the roots of later checkpoints; they are listed too, after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from audit.ledger.checkpoint import CheckpointSigner, recorded_acts
from audit.ledger.findings import AuditResult, Finding, Wrong
from audit.ledger.index_rows import changed_rows
from audit.ledger.sequencer import leaf_of
from audit.ledger.tables import checkpoint, leaf, node
from audit.ledger.tree import Frontier, Place
from audit.recorded import signed_statement
from audit.verify.errors import VerificationError
from audit.verify.merkle import EMPTY_ROOT, leaf_hash
from audit.verify.publickey import PublicKey
from audit.verify.statement import Statement
from lineage.outbox import outbox, payload

_CHUNK = 1000
_LEVELS = 63
"""more than a 63 bit number of leaves has"""


class Replay:
    """One audit, over one open connection.

    :param key: the statement key
    :param outside: the copy outside the database, as it was read before the connection's snapshot began
    """

    def __init__(
        self, connection: Connection, signer: CheckpointSigner, key: PublicKey, *, outside: bytes | None
    ) -> None:
        self._connection, self._signer, self._key, self._outside = connection, signer, key, outside
        self._findings: list[Finding] = []
        self._signed: list[Statement] = []
        self._frontier = Frontier()
        self._roots = {0: EMPTY_ROOT}
        self._payloads = self._pending = self._notes = self._acts = 0
        self._last_signed = -1
        self._gap = False

    def run(self) -> None:
        """Read everything once."""
        sizes = self._signed_sizes()
        for rows in self._leaves():
            first = self._frontier.size
            made: dict[Place, bytes] = {}
            self._signed.clear()
            for row in rows:
                made.update(self._replay_leaf(row))
                if self._frontier.size in sizes:
                    self._roots[self._frontier.size] = self._frontier.root
            if not self._gap:  # after a gap every leaf stands at another place: nothing above can be compared
                self._compare_nodes(made, first)
            for record, message in changed_rows(self._connection, self._signed):
                self._found(Wrong.INDEX_CHANGED, record, message)
        self._roots[self._frontier.size] = self._frontier.root
        self._look_for_extra_nodes()
        self._check_notes()
        self._look_for_pending()
        self._acts = recorded_acts(self._connection)

    def result(self, *, outside: bytes | None) -> AuditResult:
        """What was found; ``outside`` is the copy as it was read after the snapshot."""
        self._check_outside(outside)
        return AuditResult(
            size=self._frontier.size,
            root=self._frontier.root,
            checkpoints=self._notes,
            payloads=self._payloads,
            pending=self._pending,
            findings=tuple(self._findings),
        )

    def _signed_sizes(self) -> set[int]:
        """The tree sizes whose roots will be wanted."""
        sizes = set(self._connection.execute(select(checkpoint.c.size)).scalars())
        if self._outside is not None:
            with suppress(VerificationError):  # said in _check_outside
                sizes.add(self._signer.open_note(self._outside).size)
        return sizes

    def _leaves(self) -> Iterator[list[Any]]:
        """Leaves in order, each with its outbox row and payload where they are there."""
        query = (
            select(leaf, outbox, payload.c.envelope, payload.c.salt)
            .outerjoin(outbox, outbox.c.id == leaf.c.outbox_id)
            .outerjoin(payload, payload.c.outbox_id == leaf.c.outbox_id)
            .order_by(leaf.c.idx)
        )
        with self._connection.execution_options(yield_per=_CHUNK).execute(query) as result:
            for rows in result.partitions(_CHUNK):
                yield list(rows)

    def _replay_leaf(self, row: Any) -> list[tuple[Place, bytes]]:
        number = self._frontier.size
        if row.idx != number and not self._gap:
            self._gap = True
            self._found(Wrong.LEAF_MISSING, f"leaf {number}", f"leaf {number} is missing; the next one is {row.idx}")
        digest = leaf_hash(row.bytes)
        if digest != row.hash:
            self._found(
                Wrong.LEAF_CHANGED,
                f"leaf {row.idx}",
                f"leaf {row.idx} has hash {digest.hex()}, stored is {row.hash.hex()}",
            )
        if row.id is None:
            self._found(
                Wrong.OUTBOX_MISSING, row.outbox_id, f"leaf {row.idx} is of record {row.outbox_id}, which is gone"
            )
        else:
            self._check_record(row, hash_fits=digest == row.hash)
        return self._frontier.append(digest)

    def _check_record(self, row: Any, *, hash_fits: bool) -> None:
        if (expected := leaf_of(row)) != row.bytes and hash_fits:
            message = f"record {row.id} would have leaf {expected!r}, leaf {row.idx} is {row.bytes!r}"
            self._found(Wrong.OUTBOX_CHANGED, row.id, message)
        if row.envelope is None:
            message = (
                f"the payload of record {row.id} ({row.kind}) is gone, and nothing says that it was erased by right"
            )
            self._found(Wrong.PAYLOAD_MISSING, row.id, message)
            return
        self._payloads += 1
        try:
            self._signed.append(signed_statement(row, self._key))
        except VerificationError as error:
            self._found(Wrong.PAYLOAD_CHANGED, row.id, f"record {row.id} is not as it was signed: {error}")

    def _compare_nodes(self, made: dict[Place, bytes], first: int) -> None:
        """Compare inner nodes completed by leaves from ``first`` on with those stored at their places."""
        ranges = [
            and_(node.c.level == level, node.c.idx >= first >> level, node.c.idx < self._frontier.size >> level)
            for level in range(1, self._frontier.size.bit_length())
        ]
        rows = self._connection.execute(select(node).where(or_(*ranges))) if ranges else ()
        stored = {(row.level, row.idx): row.hash for row in rows}
        for place, digest in made.items():
            where = f"level {place[0]}, index {place[1]}"
            if place not in stored:
                self._found(Wrong.NODE_MISSING, where, f"the tree node at {where} is missing")
            elif stored[place] != digest:
                self._found(
                    Wrong.NODE_CHANGED,
                    where,
                    f"the tree node at {where} is {stored[place].hex()}, expected {digest.hex()}",
                )

    def _look_for_extra_nodes(self) -> None:
        size = self._frontier.size
        beyond = [and_(node.c.level == level, node.c.idx >= size >> level) for level in range(1, _LEVELS + 1)]
        query = select(node).where(or_(*beyond, node.c.level < 1, node.c.level > _LEVELS, node.c.idx < 0))
        for row in self._connection.execute(query):
            where = f"level {row.level}, index {row.idx}"
            self._found(Wrong.NODE_EXTRA, where, f"the tree node at {where} has no place in a tree of {size} leaves")

    def _check_notes(self) -> None:
        for row in self._connection.execute(select(checkpoint).order_by(checkpoint.c.size)).all():
            self._last_signed = row.size
            where = f"checkpoint {row.size}"
            try:
                signed = self._signer.open_note(row.note)
            except VerificationError as error:
                self._found(Wrong.CHECKPOINT_CHANGED, where, f"the note of {where} is not as it was signed: {error}")
                continue
            self._notes += 1
            if (signed.size, signed.root) != (row.size, row.root):
                self._found(Wrong.CHECKPOINT_CHANGED, where, f"the row of {where} does not say what its note says")
            if message := self._contradiction(signed.size, signed.root):
                self._found(Wrong.CHECKPOINT_CONTRADICTS, where, f"{where} {message}")

    def _contradiction(self, size: int, root: bytes) -> str:
        if size > self._frontier.size:
            return f"was signed for {size} leaves, but only {self._frontier.size} are there"
        if not self._gap and (found := self._roots.get(size)) is not None and found != root:
            return f"was signed with root {root.hex()}, the leaves give {found.hex()}"
        return ""

    def _look_for_pending(self) -> None:
        query = select(outbox).outerjoin(leaf, leaf.c.outbox_id == outbox.c.id).where(leaf.c.idx.is_(None))
        for row in self._connection.execute(query.order_by(outbox.c.time, outbox.c.id)).all():
            self._pending += 1
            message = (
                f"record {row.id} ({row.kind} of {row.time}) has no leaf: it was recorded this moment, its process was"
                " interrupted, or its leaf was removed. `provender ledger checkpoint` gives it one or says why not"
            )
            self._found(Wrong.PENDING, row.id, message)

    def _check_outside(self, after: bytes | None) -> None:
        """The earlier reading must fit the leaves; the later one must be at least as new as the stored checkpoints."""
        where = "copy outside the database"
        if after is None:
            if self._last_signed >= 0 or self._acts:
                known = f"checkpoints up to size {self._last_signed} were signed"
                known = known if self._last_signed >= 0 else f"{self._acts} acts are recorded"
                self._found(Wrong.OUTSIDE_MISSING, where, f"there is none, though {known}")
            return
        try:
            newest = self._signer.open_note(after)
            before = None if self._outside is None else self._signer.open_note(self._outside)
        except VerificationError as error:
            self._found(Wrong.OUTSIDE_CHANGED, where, f"it is not as it was signed: {error}")
            return
        if newest.size < self._last_signed:
            message = f"it is of size {newest.size}, older than the stored checkpoint of size {self._last_signed}"
            self._found(Wrong.OUTSIDE_CHANGED, where, message)
        if before is not None and (message := self._contradiction(before.size, before.root)):
            self._found(Wrong.OUTSIDE_CONTRADICTS, where, f"it {message}")

    def _found(self, wrong: Wrong, where: str, message: str) -> None:
        self._findings.append(Finding(wrong, where, message))
