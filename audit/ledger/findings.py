"""What an audit of the ledger can find, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """What is wrong with one thing in the database or with the copy outside it."""

    OUTBOX_CHANGED = "outbox row changed"
    OUTBOX_MISSING = "outbox row missing"
    LEAF_CHANGED = "leaf changed"
    LEAF_MISSING = "leaf missing"
    NODE_CHANGED = "tree node changed"
    NODE_MISSING = "tree node missing"
    NODE_EXTRA = "tree node too many"
    CHECKPOINT_CHANGED = "checkpoint changed"
    CHECKPOINT_CONTRADICTS = "checkpoint contradicts the leaves"
    OUTSIDE_MISSING = "copy outside the database missing"
    OUTSIDE_CHANGED = "copy outside the database changed"
    OUTSIDE_CONTRADICTS = "copy outside the database contradicts the ledger"
    PAYLOAD_CHANGED = "payload changed"
    PAYLOAD_MISSING = "payload missing"
    INDEX_CHANGED = "index of subjects or events changed"
    PENDING = "recorded act without a leaf"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was recorded."""

    wrong: Wrong
    where: str
    """record id, leaf number, place of the node or size of the checkpoint"""
    message: str


@dataclass(frozen=True)
class AuditResult:
    """What a replay of the whole ledger gave."""

    size: int
    root: bytes
    """recomputed from the bytes of the leaves"""
    checkpoints: int
    """signed notes that were verified"""
    payloads: int
    """envelopes whose digest, commitment and signature were checked"""
    pending: int
    """recorded acts that have no leaf yet; the next sequencing gives them theirs"""
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.findings
