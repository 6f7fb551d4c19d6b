"""One record of a bundle: envelope, statement, commitment, leaf and proof, each against the others.

leaf = RFC 8785 {"v":1,"kind":…,"id":…,"time":…,"actor":…,"c":hex}
c    = HMAC-SHA256(salt, SHA-256(envelope bytes)); leaf hash = SHA-256(0x00 || leaf bytes)
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.verify.canonical_base64 import decode_base64
from audit.verify.dsse import parse_envelope, verify_envelope
from audit.verify.errors import Malformed
from audit.verify.members import RECORD_PARTS
from audit.verify.merkle import leaf_hash, verify_inclusion
from audit.verify.note import Checkpoint
from audit.verify.publickey import PublicKey
from audit.verify.statement import PAYLOAD_TYPE, Statement, read_statement
from audit.verify.values import canonical, parse_json, text

SALT = 32
"""bytes"""
TOLERANCE = timedelta(minutes=5)
"""by which the clocks of those who record into one ledger may differ"""


@dataclass(frozen=True)
class Record:
    """The four members of one record, as bytes."""

    id: str
    envelope: bytes
    salt: bytes
    leaf: bytes
    proof: bytes


def read_record(members: Mapping[str, bytes], id: str) -> Record:  # noqa: A002 - the leaf's own field name
    """The record with this id. Raises Malformed where a part is missing."""
    paths = [f"records/{id}/{part}" for part in RECORD_PARTS]
    if absent := [path for path in paths if path not in members]:
        raise Malformed(f"{absent[0]} is missing")
    return Record(id, *(members[path] for path in paths))


def check_signature(record: Record, keys: Iterable[PublicKey]) -> bytes:
    """The payload of the envelope, which a trusted statement key signed. Raises BadSignature, Malformed."""
    envelope = parse_envelope(record.envelope)
    verify_envelope(envelope, keys, payload_type=PAYLOAD_TYPE)
    return envelope.payload


def check_statement(record: Record, payload: bytes) -> Statement:
    """The statement, which is about this record. Raises Malformed."""
    statement = read_statement(payload)
    if statement.id != record.id:
        raise Malformed(f"the statement is of record {statement.id!r}")
    return statement


def check_commitment(record: Record) -> None:
    """That the leaf commits to this envelope under this salt. Raises Malformed."""
    if len(record.salt) != SALT:
        raise Malformed(f"the salt has {len(record.salt)} bytes, not {SALT}")
    expected = hmac.new(record.salt, hashlib.sha256(record.envelope).digest(), "sha256").hexdigest()
    if parse_json(record.leaf, "the leaf").get("c") != expected:
        raise Malformed("envelope and salt do not give the commitment in the leaf")


def check_leaf(record: Record, statement: Statement) -> None:
    """That the leaf is canonical and says what the signed statement says. Raises Malformed."""
    leaf = parse_json(record.leaf, "the leaf")
    recorded = {"v": 1, "id": statement.id, "kind": statement.kind, "time": statement.time, "actor": statement.actor}
    if record.leaf != canonical({**recorded, "c": text(leaf, "c")}):
        raise Malformed(
            "the leaf is not the canonical JSON of v, kind, id, time, actor and c as the statement has them"
        )


def check_inclusion(record: Record, checkpoint: Checkpoint) -> int:
    """The index of the leaf, which the proof leads into the checkpoint. Raises Malformed, ProofFailed."""
    proof = parse_json(record.proof, "the proof")
    index, size, hashes = proof.get("index"), proof.get("tree_size"), proof.get("hashes")
    if type(index) is not int or canonical(proof) != record.proof or set(proof) != {"index", "tree_size", "hashes"}:
        raise Malformed("the proof is not the canonical JSON of hashes, index and tree_size")
    if size != checkpoint.size or not isinstance(hashes, list):
        raise Malformed(f"the proof is for a tree of size {size!r}, the checkpoint has {checkpoint.size}")
    path = [decode_base64(item, "a hash of the proof") if isinstance(item, str) else b"" for item in hashes]
    verify_inclusion(index=index, size=checkpoint.size, leaf=leaf_hash(record.leaf), proof=path, root=checkpoint.root)
    return index


def check_order(statements: Iterable[Statement]) -> str:
    """That no record claims a time much before that of a record with an earlier leaf. Raises Malformed."""
    wrong, latest = [], None
    ordered = sorted(statements, key=lambda statement: statement.index)
    for act in ordered:
        if latest is None or _moment(act) > _moment(latest):
            latest = act
        elif _moment(latest) - _moment(act) > TOLERANCE:
            wrong.append(
                f"record {act.id} (leaf {act.index}) claims {act.time}, after record {latest.id} (leaf {latest.index})"
                f" of {latest.time}"
            )
    if wrong:
        raise Malformed("; ".join(wrong[:5]))
    return f"the times of {len(ordered)} records run as their leaves do, within {TOLERANCE.seconds // 60} minutes"


def _moment(act: Statement) -> datetime:
    try:
        found = datetime.fromisoformat(act.time)
    except ValueError as error:
        raise Malformed(f"record {act.id} has no RFC 3339 time: {act.time!r}") from error
    if found.tzinfo is None:
        raise Malformed(f"record {act.id} has a time without its zone: {act.time!r}")
    return found
