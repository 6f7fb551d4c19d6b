"""The evidence of one endpoint: the records its chain rests on, each with its leaf and its proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from audit.errors import LedgerForked, UnknownRecord
from audit.ledger import Ledger, SignedCheckpoint, leaf_of
from audit.verify.canonical_base64 import encode_base64
from audit.verify.chain import Chain, follow
from audit.verify.dsse import parse_envelope
from audit.verify.errors import VerificationError
from audit.verify.merkle import leaf_hash, verify_inclusion
from audit.verify.statement import Statement, read_statement, snapshot_id
from audit.verify.values import find, objects, text
from governance.canonical import canonical_json
from lineage.errors import UnknownEndpoint
from lineage.records import Records, StoredRecord


@dataclass(frozen=True)
class RecordEvidence:
    """One record with what proves that it is in the ledger."""

    id: str
    envelope: bytes
    salt: bytes
    leaf: bytes
    proof: bytes
    """canonical JSON of hashes, index and tree_size"""
    index: int


@dataclass(frozen=True)
class Evidence:
    """What a bundle is made of, apart from report and stored objects."""

    endpoint: str
    chain: Chain
    statements: tuple[Statement, ...]
    """those of ``records``, in the ledger's order"""
    records: tuple[RecordEvidence, ...]
    checkpoint: bytes
    """the signed note under which every proof leads"""


def gather(endpoint: str, *, records: Records, ledger: Ledger) -> Evidence:
    """The evidence about ``endpoint`` under the ledger's last checkpoint.

    Raises UnknownEndpoint where it was never ready, UnknownRecord where the ledger has no checkpoint that covers it,
    LedgerForked where a leaf is not that of its record or not below the checkpoint.
    """
    stored = reachable(records, endpoint)
    if (checkpoint := ledger.checkpoint()) is None:
        raise UnknownRecord("The ledger has no checkpoint yet. `provender ledger checkpoint` signs one.")
    proven = {id_: _proven(record, ledger, checkpoint) for id_, record in stored.items()}
    acts = {id_: replace(statement_of(record), index=proven[id_].index) for id_, record in stored.items()}
    chain = follow(acts.values(), endpoint)
    if chain.deployment is None:
        raise UnknownEndpoint(
            f"No record says that endpoint {endpoint!r} was ever ready, so that there is nothing to prove."
        )
    wanted = chain.records | _same_deployment(acts.values(), chain.deployment)
    used = tuple(sorted((acts[id_] for id_ in wanted), key=lambda act: act.index))
    return Evidence(endpoint, chain, used, tuple(proven[act.id] for act in used), checkpoint.note)


def _same_deployment(acts: Iterable[Statement], ready: Statement) -> set[str]:
    """Everything about the deployment itself: that it was ready, and that it ended."""
    name = text(ready.predicate, "deployment")
    return {act.id for act in acts if act.kind == "deployment" and name and text(act.predicate, "deployment") == name}


def _proven(record: StoredRecord, ledger: Ledger, checkpoint: SignedCheckpoint) -> RecordEvidence:
    found = ledger.prove(record.id, size=checkpoint.size)
    hashed, root = leaf_hash(leaf_of(record)), checkpoint.root
    try:
        verify_inclusion(index=found.index, size=checkpoint.size, leaf=hashed, proof=found.hashes, root=root)
    except VerificationError as error:
        raise LedgerForked(
            f"Leaf {found.index} of the ledger is not that of record {record.id}, or not below the checkpoint of size"
            f" {checkpoint.size}: {error}. `provender ledger audit` says what was changed; restore the database from a"
            " backup."
        ) from error
    hashes = [encode_base64(each) for each in found.hashes]
    proof = canonical_json({"hashes": hashes, "index": found.index, "tree_size": found.tree_size})
    return RecordEvidence(record.id, record.envelope, record.salt, leaf_of(record), proof, found.index)


def statement_of(record: StoredRecord) -> Statement:
    """What a stored record says. Raises Malformed where the database holds something else than we wrote."""
    return read_statement(parse_envelope(record.envelope).payload)


def reachable(records: Records, endpoint: str) -> dict[str, StoredRecord]:
    """Every record that the chain of ``endpoint`` can rest on, by id. Raises UnknownEndpoint."""
    found: dict[str, StoredRecord] = {}
    waiting = list(records.by_subject_name(f"endpoint:{endpoint}", "deployment"))
    if not waiting:
        raise UnknownEndpoint(
            f"No deployment of an endpoint {endpoint!r} was recorded. `provender endpoints` lists those that were."
        )
    while waiting:
        record = waiting.pop()
        if record.id not in found:
            found[record.id] = record
            waiting += _next(records, statement_of(record))
    return found


def _next(records: Records, act: Statement) -> Iterator[StoredRecord]:
    """The records that state what ``act`` used."""
    if act.kind == "deployment":
        for view in {text(item, "view") for item in objects(act.predicate, "online")}:
            yield from records.by_subject_name(f"feature_view:{view}", "materialization")
    for kind, digest in _used(act):
        algorithm, _, digits = digest.partition(":")
        yield from records.by_subject(algorithm, digits, kind)


def _used(act: Statement) -> Iterator[tuple[str, str]]:
    """(kind of record, digest) of everything that ``act`` says it used."""
    if act.kind == "deployment":
        loaded = text(act.predicate, "loaded", "digest")
        yield from (("artifact", loaded), ("training", loaded))
        yield from (("materialization", text(item, "digest")) for item in objects(act.predicate, "online"))
    dependencies = objects(find(act.predicate, "buildDefinition"), "resolvedDependencies")
    yield from (("retrieval", snapshot_id(find(item, "digest"))) for item in dependencies)
    if act.kind in {"retrieval", "materialization"}:
        yield "decision", f"definitions-sha256:{text(act.predicate, 'definitions')}"
