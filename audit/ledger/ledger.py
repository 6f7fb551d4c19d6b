"""The ledger of one governed repository, as the rest of Provender uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from audit.keys import Keys
from audit.ledger.audit import Replay
from audit.ledger.checkpoint import CheckpointSigner, SignedCheckpoint, latest
from audit.ledger.findings import AuditResult
from audit.ledger.outside import OutsideCopy
from audit.ledger.proofs import ConsistencyProof, InclusionProof, StoredTree, prove_consistency, prove_inclusion
from audit.ledger.sequencer import append_batch
from audit.ledger.tables import begin_exclusive, begin_snapshot

_Result = TypeVar("_Result")


class Ledger:
    """Leaves, checkpoints and proofs over one database, whose tables ``create_tables`` has made.

    :param origin: the log's name, first line of its checkpoints
    :param checkpoints: directory of the copy of the last checkpoint, outside the database and its backups
    """

    def __init__(self, engine: Engine, keys: Keys, origin: str, checkpoints: Path) -> None:
        self._engine = engine
        self._outside = OutsideCopy(checkpoints, origin)
        self._signer = CheckpointSigner(keys, origin, self._outside)
        self._statement_key = keys.statement_public

    @property
    def vkey(self) -> str:
        """The C2SP verifier key of this log."""
        return self._signer.verifier.vkey

    def begin(self) -> None:
        """Sign the empty tree before anything is recorded, so that a ledger which lost all it had is not a new one.

        Does nothing where a checkpoint is stored. Raises LedgerForked.
        """
        if self.checkpoint() is None:
            self._exclusively(self._signer.sign_latest)

    def sequence(self) -> SignedCheckpoint:
        """Give every recorded act its leaf, then sign what is committed. Raises LedgerForked, RecordForged."""
        while self._exclusively(self._append):
            pass  # there are more than one batch of them
        return self._exclusively(self._signer.sign_latest)

    def checkpoint(self) -> SignedCheckpoint | None:
        """The last signed checkpoint; None where the ledger was never begun.

        Raises LedgerForked where the stored one is not what the log key signed.
        """
        with self._engine.connect() as connection:
            stored = latest(connection)
        if stored is not None:
            self._signer.check_stored(stored)
        return stored

    def prove(self, outbox_id: str, *, size: int | None = None) -> InclusionProof:
        """That this record has a leaf, under the last checkpoint, or the tree of ``size``.

        Raises UnknownRecord, UnknownTreeSize.
        """
        with self._reading() as connection:
            if size is None:
                last = latest(connection)
                size = 0 if last is None else last.size
            return prove_inclusion(connection, outbox_id, size=size)

    def consistency(self, old: int, new: int) -> ConsistencyProof:
        """That the tree of size ``new`` begins with that of size ``old``. Raises UnknownTreeSize."""
        with self._reading() as connection:
            return prove_consistency(connection, old, new)

    def audit(self) -> AuditResult:
        """Replay everything and compare it with all that is stored, and with the copy outside."""
        before = self._outside.read()
        with self._reading() as connection:
            replay = Replay(connection, self._signer, self._statement_key, outside=before)
            replay.run()
        return replay.result(outside=self._outside.read())

    def _append(self, connection: Connection) -> bool:
        tree = StoredTree(connection)
        self._signer.check_history(connection, tree)
        return append_batch(connection, tree, self._statement_key)

    def _exclusively(self, act: Callable[[Connection], _Result]) -> _Result:
        with self._engine.connect() as connection:
            begin_exclusive(connection)
            result = act(connection)
            connection.commit()
            return result

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            begin_snapshot(connection)
            yield connection
