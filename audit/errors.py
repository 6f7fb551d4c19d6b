"""Errors of the audit package.

    WrongQuestion
    ├── ConfigurationError
    │   └── KeysUnusable         a key is missing, garbled, readable by others, or of a kind we do not have
    ├── UnknownRecord            no such record has a leaf
    ├── UnknownTreeSize          the ledger never had that many leaves
    └── LeafTooLarge             a leaf would not fit into an entry of the log
    AnswerIsNo
    ├── LedgerForked             the database contradicts a checkpoint that was already signed
    └── RecordForged             a record is not what the statement key signed

``audit.verify`` has errors of its own (``audit.verify.errors``), because it stands alone.
"""

from __future__ import annotations

from governance.errors import AnswerIsNo, ConfigurationError, WrongQuestion


class KeysUnusable(ConfigurationError):
    """A key is missing, garbled, readable by others, or of a kind that is not available."""


class UnknownRecord(WrongQuestion):
    """No record of that id has a leaf in the ledger."""


class UnknownTreeSize(WrongQuestion):
    """The ledger never had that many leaves."""


class LeafTooLarge(WrongQuestion):
    """A leaf would not fit into an entry of the log (65,535 bytes)."""


class LedgerForked(AnswerIsNo):
    """The database contradicts a checkpoint that was already signed; nothing more is signed until that is resolved."""


class RecordForged(AnswerIsNo):
    """A record in the database is not what the statement key signed; nothing is made of it."""
