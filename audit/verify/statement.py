"""One recorded act as the verifier and the chain read it: an in-toto Statement v1 about one of our kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.verify.errors import Malformed
from audit.verify.values import objects, parse_json, text

PAYLOAD_TYPE = "application/vnd.in-toto+json"
SNAPSHOTS = ("td1-sha256", "random")
"""digest algorithms that name a snapshot"""
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATES = "https://provender.example/predicates/"
SLSA = "https://slsa.dev/provenance/v1"


@dataclass(frozen=True)
class Statement:
    """What one record says."""

    id: str
    kind: str
    time: str
    """RFC 3339, microseconds, Z; whoever recorded it says so"""
    actor: str
    subjects: tuple[tuple[str, str, str], ...]
    """(name, digest algorithm, hex) of each subject"""
    predicate: Mapping[str, Any]
    index: int = -1
    """number of its leaf, which alone says what came before what; -1 until the leaf is proven"""

    def has_subject(self, digest: str) -> bool:
        """Whether a subject has this digest, written ``<algorithm>:<hex>``."""
        return any(f"{algorithm}:{digits}" == digest for _name, algorithm, digits in self.subjects)

    @property
    def snapshot(self) -> str:
        """The name of the snapshot that the statement is about, or the empty string."""
        return next((f"{found}:{digits}" for _name, found, digits in self.subjects if found in SNAPSHOTS), "")

    def digest(self, algorithm: str) -> str:
        """The first subject's digest of this algorithm, or the empty string."""
        return next((digits for _name, found, digits in self.subjects if found == algorithm), "")


def snapshot_id(digests: object) -> str:
    """``td1-sha256:<hex>``, or ``random:<hex>`` of a snapshot so small that its digest is kept out of records."""
    return next((f"{name}:{digits}" for name in SNAPSHOTS if (digits := text(digests, name))), "")


def read_statement(payload: bytes) -> Statement:
    """The statement in the payload of an envelope. Raises Malformed where it is not one of ours."""
    document = parse_json(payload, "the statement")
    recorded = document.get("predicate", {})
    recorded = recorded.get("recorded") if isinstance(recorded, dict) else None
    fields = {key: text(recorded, key) for key in ("id", "kind", "time", "actor")}
    if text(document, "_type") != STATEMENT_TYPE or not all(fields.values()):
        raise Malformed(f"expected an in-toto statement ({STATEMENT_TYPE}) whose predicate has a complete `recorded`")
    expected = predicate_types(fields["kind"])
    if text(document, "predicateType") not in expected:
        raise Malformed(
            f"kind {fields['kind']!r} has predicate type {document.get('predicateType')!r}, not {expected[0]!r}"
        )
    subjects = tuple(
        (text(subject, "name"), algorithm, digits)
        for subject in objects(document, "subject")
        for algorithm, digits in sorted(_digests(subject).items())
    )
    if not subjects:
        raise Malformed("the statement has no subject with a digest")
    identity = fields["id"], fields["kind"], fields["time"], fields["actor"]
    return Statement(*identity, subjects=subjects, predicate=document["predicate"])


def predicate_types(kind: str) -> tuple[str, ...]:
    """The predicate types that a record of ``kind`` may have."""
    if kind == "training":
        return SLSA, f"{PREDICATES}training-failed/v1"
    return (f"{PREDICATES}{kind}/v1",)


def _digests(subject: dict[str, Any]) -> dict[str, str]:
    digest = subject.get("digest")
    return {key: value for key, value in digest.items() if isinstance(value, str)} if isinstance(digest, dict) else {}
