"""Signing checkpoints: only what is committed, and only what follows from every checkpoint that was signed before.

The order matters. Leaves are committed first. Then, holding the ledger's lock, the tree is compared with the copy
outside the database and with the last stored checkpoint, the new note is signed, written outside, and stored. A crash
between the last two steps leaves the outside copy ahead of the stored checkpoints, never behind the leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, func, insert, select

from audit.keys import Keys
from audit.ledger.outside import OutsideCopy
from audit.ledger.proofs import StoredTree, tree_size
from audit.ledger.tables import checkpoint
from audit.verify.errors import VerificationError
from audit.verify.note import Checkpoint, Verifier, parse_checkpoint, parse_note, signature_line, verify_note
from governance.canonical import rfc3339, utc_now
from governance.errors import ConfigurationError
from lineage.outbox import outbox

_LATEST = select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1)


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint that this log has signed."""

    size: int
    root: bytes
    note: bytes
    """the C2SP signed note, exactly as it was signed"""
    time: str
    """when it was stored, RFC 3339; the operator's clock, not signed"""


@dataclass(frozen=True)
class History:
    """What this log signed last."""

    stored: SignedCheckpoint | None
    outside: Checkpoint | None
    """the copy outside the database; it may be ahead of the stored one"""


class CheckpointSigner:
    """Signs for one log, ``origin``. Raises ConfigurationError where that cannot be a log's name."""

    def __init__(self, keys: Keys, origin: str, outside: OutsideCopy) -> None:
        self._keys, self._origin, self._outside = keys, origin, outside
        self.verifier = _verifier(keys, origin)

    def check_history(self, connection: Connection, tree: StoredTree) -> History:
        """What was signed last, after the tree was compared with it. Raises LedgerForked."""
        stored, note = latest(connection), self._outside.read()
        if note is None:
            if stored is not None:
                raise self._outside.forked(
                    f"The ledger has a checkpoint of size {stored.size}, but its copy outside the database is gone."
                    " Put it back: from a backup, from the host that ran the ledger before, or from a bundle."
                )
            self._check_beginning(connection)
            return History(None, None)
        outside = self._opened(note, "The copy of the last checkpoint")
        tree.read(*(size for size in {outside.size, tree.size} if size <= tree.size))
        self._check_tree(tree, outside, "the copy of the last checkpoint")
        if stored is not None:
            self._check_tree(tree, self.check_stored(stored), "a stored checkpoint")
            if stored.size > outside.size:
                raise self._outside.forked(
                    f"The database has a checkpoint of size {stored.size}, its copy outside one of size {outside.size}:"
                    " the copy was put back to an older state."
                )
        return History(stored, outside)

    def sign_latest(self, connection: Connection) -> SignedCheckpoint:
        """Sign what is committed, if it is more than was signed; the caller holds the ledger's lock and commits.

        Raises LedgerForked.
        """
        tree = StoredTree(connection)
        history = self.check_history(connection, tree)
        if history.stored is not None and history.stored.size == tree.size:
            return history.stored
        new = Checkpoint(self._origin, tree.size, tree.root(tree.size))
        signed = SignedCheckpoint(new.size, new.root, self._sign(new), rfc3339(utc_now()))
        if history.outside is None or history.outside.size < new.size:
            self._outside.write(signed.note)
        row = {"size": new.size, "root": new.root, "note": signed.note, "time": signed.time}
        connection.execute(insert(checkpoint), row)
        return signed

    def check_stored(self, stored: SignedCheckpoint) -> Checkpoint:
        """What the note of a stored checkpoint says, which its row says too. Raises LedgerForked."""
        found = self._opened(stored.note, "The last stored checkpoint")
        if (found.size, found.root) != (stored.size, stored.root):
            raise self._outside.forked(f"The row of checkpoint {stored.size} does not say what its signed note says.")
        return found

    def open_note(self, note: bytes) -> Checkpoint:
        """The checkpoint in a note that this log signed; the same bytes are verified once. Raises VerificationError."""
        return _opened_note(note, self.verifier)

    def _sign(self, new: Checkpoint) -> bytes:
        signature = self._keys.log.sign(new.text.encode())
        return f"{new.text}\n{signature_line(self._origin, self.verifier.key_id, signature)}".encode()

    def _opened(self, note: bytes, what: str) -> Checkpoint:
        try:
            found = self.open_note(note)
        except VerificationError as error:
            raise self._outside.forked(
                f"{what} is not one that the present log key signed for {self._origin}: {error}."
            ) from error
        if found.origin != self._origin:
            raise self._outside.forked(f"{what} is of the log {found.origin!r}, not {self._origin!r}.")
        return found

    def _check_beginning(self, connection: Connection) -> None:
        """A ledger is begun before its first act is recorded: acts without any checkpoint lost theirs."""
        if count := recorded_acts(connection):
            raise self._outside.forked(
                f"{count} acts are recorded, but there is no checkpoint, neither in the database nor outside it, though"
                " the first one is signed before anything is recorded: leaves or checkpoints were removed."
            )

    def _check_tree(self, tree: StoredTree, signed: Checkpoint, what: str) -> None:
        if signed.size > tree.size:
            raise self._outside.forked(
                f"The ledger in the database has {tree.size} leaves, but {what}, which this log signed, has"
                f" {signed.size}."
            )
        if (found := tree.root(signed.size)) != signed.root:
            raise self._outside.forked(
                f"The first {signed.size} leaves in the database have root {found.hex()}, but {what}, which this log"
                f" signed, says {signed.root.hex()}: the ledger was rewritten or forked."
            )


def recorded_acts(connection: Connection) -> int:
    """How many acts the outbox and the ledger know of."""
    return max(connection.execute(select(func.count()).select_from(outbox)).scalar_one(), tree_size(connection))


def latest(connection: Connection) -> SignedCheckpoint | None:
    """The stored checkpoint of the largest size."""
    row = connection.execute(_LATEST).one_or_none()
    return None if row is None else SignedCheckpoint(row.size, row.root, row.note, row.time)


@lru_cache(maxsize=16)
def _opened_note(note: bytes, verifier: Verifier) -> Checkpoint:
    parsed = parse_note(note)
    verify_note(parsed, [verifier])
    return parse_checkpoint(parsed.text)


def _verifier(keys: Keys, origin: str) -> Verifier:
    try:
        return keys.log_verifier(origin)
    except VerificationError as error:
        raise ConfigurationError(
            f"`governance: origin:` cannot name a ledger: {error}. Expected something like provender.example/project."
        ) from error
