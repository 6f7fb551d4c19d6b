"""Errors of the lineage package.

WrongQuestion
├── DatabaseUnreachable
├── ObjectsUnreachable       the object store cannot be reached, read or written
├── SourceUnreadable         a source is missing, changed while it was read, or not what it says
├── UnknownSnapshot / UnknownArtifact / UnknownEndpoint
└── NotDigestible            td1 has no encoding for a value (kind, column, row)
AnswerIsNo
├── LossyCast                a value would change on the way into its declared type
├── SourceGone               a recorded state of a source is no longer kept anywhere
├── SourceChanged            a source no longer holds what was recorded
├── RetrievalBroken          an engine lost, doubled or invented rows
├── SnapshotCorrupt          stored bytes no longer give the digest
├── SnapshotNotRecorded      no signed record speaks of what lies in the store
├── ArtifactCorrupt          weights, digest and signature do not agree
├── ValidationFailed         a critical expectation failed
├── RunEnded                 a run was to end that is not open
└── TrainingFailed           a training run gave no model
"""

from __future__ import annotations

from governance.errors import AnswerIsNo, WrongQuestion


class DatabaseUnreachable(WrongQuestion):
    """The catalogue's database cannot be opened."""


class ObjectsUnreachable(WrongQuestion):
    """The object store cannot be reached, or does not take or give what it should."""


class SourceUnreadable(WrongQuestion):
    """A source is missing, unreadable or of another schema than declared."""


class UnknownSnapshot(WrongQuestion):
    """No snapshot of that name is in the store."""


class UnknownArtifact(WrongQuestion):
    """No artifact of that digest is in the store."""


class UnknownEndpoint(WrongQuestion):
    """No endpoint of that name was ever recorded."""


class NotDigestible(WrongQuestion):
    """A table has no td1 digest. ``kind`` is one of the error names of the td1 format."""

    def __init__(self, kind: str, *, column: str | None = None, row: int | None = None, message: str = "") -> None:
        where = "".join(
            (f" in column {column!r}" if column is not None else "", f" at row {row}" if row is not None else "")
        )
        super().__init__(f"td1: {kind}{where}{': ' + message if message else ''}")
        self.kind, self.column, self.row = kind, column, row


class LossyCast(AnswerIsNo):
    """A value would change on the way into its declared type."""


class SourceGone(AnswerIsNo):
    """A recorded state of a source cannot be read again, because its files, objects or version are no longer there."""


class SourceChanged(AnswerIsNo):
    """What is there in place of a recorded state of a source is something else."""


class RetrievalBroken(AnswerIsNo):
    """What an engine gave back is not one row for each row of the spine."""


class SnapshotCorrupt(AnswerIsNo):
    """The bytes of a stored snapshot no longer give its digest."""


class SnapshotNotRecorded(AnswerIsNo):
    """Something lies under a snapshot's name, but no signed record of a retrieval says so."""


class ArtifactCorrupt(AnswerIsNo):
    """An artifact's files do not give its digest, or its signature does not fit."""


class ValidationFailed(AnswerIsNo):
    """A critical expectation failed, so the snapshot may not be used."""


class TrainingFailed(AnswerIsNo):
    """A training run ended without a model."""


class RunEnded(AnswerIsNo):
    """An act was to close a run that is not open: it has ended already, or was never started."""
