"""The ledger: an RFC 6962 tree with one leaf for each recorded act, and C2SP checkpoints.

create_tables(engine)
ledger = Ledger(engine, keys, "provender.example/national_health", Path("data/checkpoints"))
checkpoint = ledger.sequence()
proof = ledger.prove(record_id)
"""

from audit.ledger.checkpoint import SignedCheckpoint
from audit.ledger.findings import AuditResult, Finding, Wrong
from audit.ledger.ledger import Ledger
from audit.ledger.proofs import ConsistencyProof, InclusionProof
from audit.ledger.sequencer import leaf_of
from audit.ledger.tables import check_database, check_tables, create_tables

__all__ = [
    "AuditResult",
    "ConsistencyProof",
    "Finding",
    "InclusionProof",
    "Ledger",
    "SignedCheckpoint",
    "Wrong",
    "check_database",
    "check_tables",
    "create_tables",
    "leaf_of",
]
