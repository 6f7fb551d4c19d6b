"""A whole synthetic chain from real parts: keys, signed statements, SQLite ledger, Parquet snapshot, signed model.

chain = build_chain(tmp_path)
bundle = chain.write_bundle(tmp_path / "liver-risk.bundle")
verify_bundle(bundle, trust=chain.trust, recompute=DataDirectory(chain.directory))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from sqlalchemy import Engine

from audit import model_signature
from audit.bundle import bundle_members, write_bundle
from audit.evidence import Evidence, gather
from audit.keys import Keys
from audit.ledger import Ledger, create_tables
from audit.recorded import record_check
from audit.report import build_report
from audit.statement import StatementSeal, sign_envelope
from audit.trust import trust_file
from audit.verify.members import ENVELOPE, MANIFEST, MANIFEST_TYPE, manifest_members, manifest_path
from audit.verify.note import parse_checkpoint, parse_note
from governance.canonical import canonical_json, rfc3339
from lineage.artifact import Artifact, ArtifactSignature, ArtifactStore
from lineage.database import metadata, open_database
from lineage.objects import DirectoryObjects
from lineage.recorder import Act, Recorder, Subject
from lineage.records import Records
from lineage.snapshots import Snapshot, SnapshotStore
from lineage.td1 import digest_table

ENDPOINT = "liver-risk"
ORIGIN = "provender.example/test"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEFINITIONS = hashlib.sha256(b"definitions").hexdigest()
TABLE = pa.table({"patient": pa.array(range(60), pa.int64()), "bilirubin": pa.array([0.5 + i / 8 for i in range(60)])})
ONLINE_TABLE = TABLE.slice(0, 9)
RETRIEVE, TRAIN, ONLINE = (f"{number:08x}-0000-4000-8000-000000000000" for number in (1, 2, 3))
DEPLOYMENT = "00000004-0000-4000-8000-000000000000"
SOURCE = {
    "name": "labs",
    "uri": "file:///srv/data/labs.parquet",
    "files": [{"path": "labs.parquet", "size": 48213, "sha256": hashlib.sha256(b"labs").hexdigest()}],
    "state": "computed",
    "time": "2026-03-01T09:00:00.000000Z",
}
Change = Callable[[Act], Act | None]
"""Takes an act before it is recorded; gives another, or None to leave it out."""


@dataclass(frozen=True)
class SyntheticChain:
    """What :func:`build_chain` made."""

    directory: Path
    """holds objects/, checkpoints/, keys/ and trust.json"""
    engine: Engine
    keys: Keys
    ledger: Ledger
    records: Records
    objects: DirectoryObjects
    snapshot: Snapshot
    artifact: Artifact
    trust: Path

    @property
    def evidence(self) -> Evidence:
        return gather(ENDPOINT, records=self.records, ledger=self.ledger)

    def members(self, report: bytes | None = None) -> dict[str, bytes]:
        """The members of a bundle, signed."""
        evidence = self.evidence
        size = parse_checkpoint(parse_note(evidence.checkpoint).text).size
        made = build_report(
            evidence.chain, evidence.statements, as_of=rfc3339(NOW), tree_size=size, origin=ORIGIN, checkpoint=None
        )
        text = f"{self.artifact.digest} {self.snapshot.id}".encode() if report is None else report
        document = canonical_json(made.to_json())
        return bundle_members(
            evidence, objects=self.objects, report_html=text, report_json=document, keys=self.keys, created=NOW
        )

    def write_bundle(self, path: Path) -> Path:
        """A bundle as the product writes it."""
        write_bundle(path, self.members())
        return path

    def reseal(self, path: Path, members: Mapping[str, bytes]) -> Path:
        """A bundle of changed members under a fresh, rightly signed list: what only the operator could make."""
        rest = {name: content for name, content in members.items() if name not in {MANIFEST, ENVELOPE}}
        document = {"v": 1, "endpoint": ENDPOINT, "created": rfc3339(NOW), "members": manifest_members(rest)}
        manifest = canonical_json(document)
        sealed = {MANIFEST: manifest, ENVELOPE: sign_envelope(self.keys, manifest, payload_type=MANIFEST_TYPE)}
        write_bundle(path, {**rest, **sealed})
        return path


def build_chain(directory: Path, *, change: Change = lambda act: act, min_rows: int = 50) -> SyntheticChain:
    """Record a chain from apply to a ready endpoint; ``change`` may alter or drop acts, ``min_rows`` is the store's."""
    engine, keys = open_database(f"sqlite:///{directory}/provender.db"), Keys.open(directory / "keys")
    metadata.create_all(engine)
    create_tables(engine)
    ledger = Ledger(engine, keys, ORIGIN, directory / "checkpoints")
    ledger.begin()
    objects = DirectoryObjects(directory / "objects")
    manifest = {"definitions": DEFINITIONS, "created": rfc3339(NOW)}
    snapshot, manifest_bytes = SnapshotStore(objects, min_rows=min_rows).put(TABLE, run=RETRIEVE, manifest=manifest)
    artifact, signature = _signed_model(directory, keys)
    recorder = Recorder(engine, StatementSeal(keys), after=ledger.sequence, clock=_clock().__next__)
    acts = (
        decision_act(),
        retrieval_act(snapshot, hashlib.sha256(manifest_bytes).hexdigest()),
        materialization_act(),
        training_act(artifact, snapshot),
        artifact_act(artifact, signature),
        deployment_act(artifact, keys),
    )
    recorder.record(*(changed for act in acts if (changed := change(act)) is not None))
    trust = directory / "trust.json"
    trust.write_bytes(trust_file(keys, origin=ORIGIN))
    records = Records(engine, record_check(keys.statement_public))
    return SyntheticChain(directory, engine, keys, ledger, records, objects, snapshot, artifact, trust)


def decision_act() -> Act:
    predicate = {"gate": "apply", "outcome": "allow", "project": "test", "definitions": DEFINITIONS, "findings": []}
    return Act("decision", "alice", (Subject("definitions:test", "definitions-sha256", DEFINITIONS),), predicate)


def retrieval_act(snapshot: Snapshot, manifest: str) -> Act:
    predicate = {
        "run": RETRIEVE,
        "state": "COMPLETE",
        "project": "test",
        "definitions": DEFINITIONS,
        "request": {"features": ["labs:bilirubin"]},
        "snapshot": snapshot.id,
        "rows": snapshot.rows,
        "sources": [SOURCE],
        "spine": {"digest": snapshot.digest, "rows": snapshot.rows, "origin": None},
        "manifest": manifest,
    }
    algorithm, _, digest = snapshot.id.partition(":")
    return Act("retrieval", "alice", (Subject(f"snapshot:{RETRIEVE}", algorithm, digest),), predicate)


def materialization_act() -> Act:
    digest = digest_table(ONLINE_TABLE)
    view = {"name": "labs", "digest": digest.digest, "rows": digest.rows, "sources": [SOURCE]}
    predicate = {"run": ONLINE, "state": "COMPLETE", "project": "test", "definitions": DEFINITIONS, "views": [view]}
    return Act("materialization", "alice", (Subject("feature_view:labs", "td1-sha256", digest.hex),), predicate)


def training_act(artifact: Artifact, snapshot: Snapshot) -> Act:
    algorithm, _, digest = snapshot.id.partition(":")
    predicate = {
        "buildDefinition": {
            "buildType": "https://provender.example/trainjob/v1",
            "internalParameters": {"hardware": {"cpu": "test", "learning_rate": 0.01}},
            "resolvedDependencies": [
                {"name": "snapshot", "digest": {algorithm: digest}},
                {"name": "code", "digest": {"sha256": hashlib.sha256(b"code").hexdigest()}},
            ],
        },
        "runDetails": {"metadata": {"invocationId": TRAIN}},
    }
    return Act("training", "alice", (_model(artifact),), predicate, type="https://slsa.dev/provenance/v1")


def artifact_act(artifact: Artifact, signature: ArtifactSignature) -> Act:
    files = [file.as_json() for file in artifact.files]
    return Act(
        "artifact", "alice", (_model(artifact),), {"run": TRAIN, "files": files, "signature": signature.as_json()}
    )


def deployment_act(artifact: Artifact, keys: Keys) -> Act:
    predicate = {
        "endpoint": ENDPOINT,
        "deployment": DEPLOYMENT,
        "state": "ready",
        "loaded": {"digest": artifact.digest, "at": "2026-03-01T12:00:09.000000Z", "by": "kserve"},
        "signature_key": keys.model_public.keyid,
        "definitions": DEFINITIONS,
        "online": [{"view": "labs", "materialization": ONLINE, "digest": digest_table(ONLINE_TABLE).digest}],
    }
    subject = Subject(f"endpoint:{ENDPOINT}", "oms1-sha256", artifact.digest.removeprefix("oms1-sha256:"))
    return Act("deployment", "server", (subject,), predicate)


def snapshot_data(chain: SyntheticChain) -> Path:
    """Where the rows are."""
    folder = Path(manifest_path(chain.snapshot.id, RETRIEVE)).parent
    return chain.objects.path(f"{folder}/data.parquet")


def _model(artifact: Artifact) -> Subject:
    return Subject("model:liver", "oms1-sha256", artifact.digest.removeprefix("oms1-sha256:"))


def _signed_model(directory: Path, keys: Keys) -> tuple[Artifact, ArtifactSignature]:
    model = directory / "model"
    (model / "tokens").mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"weights" * 99)
    (model / "tokens" / "config.json").write_bytes(b"{}")
    signature = model_signature.sign(model, private_key=keys.model_path)
    return ArtifactStore(directory / "objects").put(model), signature


def _clock() -> Iterator[datetime]:
    moment = NOW
    while True:
        yield moment
        moment += timedelta(seconds=1)
