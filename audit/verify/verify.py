"""Verifies a bundle. Reads as the numbered list of docs/verification.md; a step needs what earlier ones found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from audit.verify.archive import MAX_ARCHIVE, read_archive
from audit.verify.chain import VERIFIED, Chain, Link, follow
from audit.verify.dsse import envelope_bytes, parse_envelope, verify_envelope
from audit.verify.errors import Malformed
from audit.verify.members import (
    ENVELOPE,
    MANIFEST,
    MANIFEST_TYPE,
    check_members,
    manifest_path,
    record_ids,
    signature_path,
)
from audit.verify.model import artifact_files, check_model, oms1
from audit.verify.note import Checkpoint, Note, parse_checkpoint, parse_note, verify_note
from audit.verify.records import (
    Record,
    check_commitment,
    check_inclusion,
    check_leaf,
    check_order,
    check_signature,
    check_statement,
    read_record,
)
from audit.verify.report import check_report
from audit.verify.snapshots import check_snapshot
from audit.verify.statement import Statement
from audit.verify.steps import CheckedLink, NotChecked, Recompute, StepLog, Verification, each
from audit.verify.trust import Trust, VerifyUsage, read_trust
from audit.verify.values import parse_json, text

_T = TypeVar("_T")
_DIGEST = re.compile(r"(td1|oms1)-sha256\"?:\"?([0-9a-f]{64})")


def verify_bundle(bundle: Path, *, trust: Path, recompute: Recompute | None) -> Verification:
    """Check everything that can be checked of ``bundle`` by the auditor's own ``trust`` file.

    ``recompute`` gives access to the data behind snapshots and models; None leaves those steps NOT CHECKED.
    Raises VerifyUsage where the bundle or the trust file cannot be read or the trust file is malformed;
    whatever is wrong inside the bundle is a FAILED step.
    """
    case = _Case(read_trust(trust), recompute)
    log = StepLog()
    log.run("archive", partial(case.archive, _read(bundle)))
    log.run("members", case.listed_members)
    log.run("manifest signature", case.manifest_signature)
    signed = log.run("checkpoint", case.log_signature)
    witnessed = log.run("witnesses", case.witnesses)
    log.run("envelopes", case.envelopes)
    log.run("statements", case.read_statements)
    log.run("commitments", case.commitments)
    log.run("leaves", case.leaves)
    log.run("inclusion", case.inclusion)
    log.run("order", case.order)
    log.run("chain", case.follow_chain)
    log.run("snapshots", case.snapshots)
    log.run("models", case.models)
    log.run("report", case.report)
    log.run("snapshot data", case.snapshot_data)
    log.run("model data", case.model_data)
    log.run("timestamp", case.timestamp)
    steps, links = tuple(log.steps), tuple(map(case.evidence, case.chain.links if case.chain else ()))
    ok = not any(step.failed for step in steps)
    level = "NOT VERIFIED" if not ok else case.level(signed=signed, witnessed=witnessed)
    return Verification(steps, links, level, case.as_of, ok)


def _read(bundle: Path) -> bytes:
    try:
        with bundle.open("rb") as file:
            data = file.read(MAX_ARCHIVE + 1)
    except OSError as error:
        raise VerifyUsage(
            f"The bundle {bundle} cannot be read: {error.strerror}. Expected a file of `provender bundle`."
        ) from error
    return data


class _Case:
    """What the steps have found so far."""

    def __init__(self, trust: Trust, recompute: Recompute | None) -> None:
        self.trust, self.recompute = trust, recompute
        self.members: dict[str, bytes] = {}
        self.endpoint = self.created = ""
        self.note: Note | None = None
        self.checkpoint: Checkpoint | None = None
        self.cosigned: list[str] = []
        self.records: list[Record] = []
        self.payloads: dict[str, bytes] = {}
        self.statements: dict[str, Statement] = {}
        self.indices: dict[str, int] = {}
        self.chain: Chain | None = None
        self.column_roots: dict[str, dict[str, str]] = {}
        self.table_digests: dict[str, str] = {}
        self.recomputed: set[str] = set()

    def archive(self, data: bytes) -> str:
        if len(data) > MAX_ARCHIVE:
            raise Malformed(f"the file has more than {MAX_ARCHIVE} bytes")
        self.members = read_archive(data)
        return f"{len(self.members)} members; rebuilt from them, the file has the same {len(data)} bytes"

    def listed_members(self) -> str:
        self._need(self.members, "archive")
        self.endpoint, self.created = check_members(self.members)
        self.records = [read_record(self.members, record) for record in record_ids(self.members)]
        return f"exactly those of {MANIFEST}, with their sizes and SHA-256"

    def manifest_signature(self) -> str:
        self._need(self.endpoint, "members")
        envelope = parse_envelope(self.members[ENVELOPE])
        key = verify_envelope(envelope, self.trust.statement_keys, payload_type=MANIFEST_TYPE)
        if envelope.payload != self.members[MANIFEST]:
            raise Malformed(f"{ENVELOPE} signs other bytes than those of {MANIFEST}")
        if self.members[ENVELOPE] != envelope_bytes(envelope, by=key):  # no signature covers the envelope itself
            raise Malformed(f"{ENVELOPE} is not in RFC 8785 form with one signature and the key id {key.keyid}")
        return f"signed by statement key {key.keyid}"

    def log_signature(self) -> str:
        self._need(self.endpoint, "members")
        self.note = parse_note(self.members["checkpoint"])
        self.checkpoint = parse_checkpoint(self.note.text)
        logs = [log for log in self.trust.policy.logs if log.name == self.checkpoint.origin]
        if not self.trust.policy.logs:
            raise NotChecked("the trust file names no log")
        verify_note(self.note, logs)
        return f"{self.checkpoint.origin}, tree size {self.checkpoint.size}, root {self.checkpoint.root.hex()}"

    def witnesses(self) -> str:
        note, policy = self._need(self.note, "checkpoint"), self.trust.policy
        lines = {(line.name, line.key_id) for line in note.signatures}
        signed = [each for each in policy.witnesses.values() if (each.name, each.key_id) in lines]
        verified = [found.verifier for found in verify_note(note, signed)] if signed else []
        self.cosigned = sorted(name for name, each in policy.witnesses.items() if each in verified)
        said = ", ".join((f"{len(self.cosigned)} of {len(policy.witnesses)} witnesses cosigned", *self.cosigned))
        if not policy.is_met(self.cosigned):
            raise Malformed(f"{said}; the trust file demands the quorum {policy.quorum!r}")
        if not self.cosigned:
            raise NotChecked(f"{said}; the trust file demands none")
        return said

    def envelopes(self) -> str:
        def check(record: Record) -> None:
            self.payloads[record.id] = check_signature(record, self.trust.statement_keys)

        return self._each("envelopes signed by a statement key", check)

    def read_statements(self) -> str:
        def check(record: Record) -> None:
            if record.id in self.payloads:
                self.statements[record.id] = check_statement(record, self.payloads[record.id])

        return self._each("statements", check)

    def commitments(self) -> str:
        return self._each("commitments", check_commitment)

    def leaves(self) -> str:
        def check(record: Record) -> None:
            if record.id in self.statements:
                check_leaf(record, self.statements[record.id])

        return self._each("leaves", check)

    def inclusion(self) -> str:
        checkpoint = self._need(self.checkpoint, "checkpoint")

        def check(record: Record) -> None:
            index = check_inclusion(record, checkpoint)
            if index in self.indices.values():
                raise Malformed(f"another record has leaf {index} too")
            self.indices[record.id] = index

        return f"{self._each('leaves', check)} under the checkpoint of size {checkpoint.size}"

    def order(self) -> str:
        """The times that records claim run as their leaves do."""
        return check_order(self._need(self._placed(), "inclusion"))

    def follow_chain(self) -> str:
        self.chain = follow(self._need(self._placed(), "inclusion"), self.endpoint)
        if self.chain.deployment is None:
            raise Malformed(f"no record says that endpoint {self.endpoint!r} was ready")
        return f"{len(self.chain.links)} links, of which {len(self.chain.gaps)} are gaps"

    def snapshots(self) -> str:
        """Every manifest is that of a recorded retrieval, and no retrieval lacks one."""
        paths = {
            manifest_path(act.snapshot, text(act.predicate, "run")): act
            for act in self._of_kind("retrieval")
            if text(act.predicate, "state") == "COMPLETE"
        }

        def check(path: str) -> None:
            if path not in paths:
                raise Malformed("no recorded retrieval has this manifest")
            act = paths[path]
            self.table_digests[act.snapshot], self.column_roots[act.snapshot] = check_snapshot(act, self.members[path])

        return self._attachments("snapshots/", "snapshot manifests", check, set(paths))

    def models(self) -> str:
        paths = {signature_path(act.digest("oms1-sha256")): act for act in self._of_kind("artifact")}

        def check(path: str) -> None:
            if path not in paths:
                raise Malformed("no recorded artifact has this signature")
            check_model(paths[path], self.members[path], self.trust.model_keys)

        return self._attachments("artifacts/", "model signatures", check, set(paths))

    def report(self) -> str:
        """What the report shows of content is in the records; its sentences are the operator's."""
        chain, checkpoint = self._need(self.chain, "chain"), self._need(self.checkpoint, "checkpoint")
        known = set(_DIGEST.findall(b"\n".join(self.payloads.values()).decode("utf-8", "replace")))
        for name in ("report.json", "report.html"):
            for found in _DIGEST.findall(self.members[name].decode("utf-8", "replace")):
                if found not in known:
                    raise Malformed(f"{name} shows {found[0]}-sha256:{found[1]}, which no record states")
        links = check_report(parse_json(self.members["report.json"], "report.json"), chain, size=checkpoint.size)
        return (
            f"report.json has this endpoint, this tree size and the chain's links ({links}); every td1 and oms1 digest"
            " in report.json and report.html stands in a record; NOT CHECKED: their wording, which is the operator's"
        )

    def snapshot_data(self) -> str:
        def check(name: str) -> None:
            if (table := self._data().table(name)) is None:
                return
            roots, found = self.column_roots.get(name, {}), table.column_roots
            if table.digest != self._table_digest(name):
                columns = sorted(column for column in roots.keys() | found if roots.get(column) != found.get(column))
                where = f"; columns that differ: {', '.join(columns)}" if roots and columns else ""
                raise Malformed(f"the stored table gives {table.digest}{where}")
            self.recomputed.add(name)

        return self._recompute({act.snapshot for act in self._of_kind("retrieval") if act.snapshot}, "snapshots", check)

    def model_data(self) -> str:
        recorded = {f"oms1-sha256:{act.digest('oms1-sha256')}": act for act in self._of_kind("artifact")}

        def check(name: str) -> None:
            if (files := self._data().model_files(name)) is None:
                return
            if (found := f"oms1-sha256:{oms1(files)}") != name:
                changed = sorted({path for path, _size, _digest in set(files) ^ set(artifact_files(recorded[name]))})
                raise Malformed(f"the stored files give {found}; files that differ: {', '.join(changed)}")
            self.recomputed.add(name)

        return self._recompute(set(recorded), "models", check)

    def timestamp(self) -> str:
        raise NotChecked("the bundle carries no timestamp of a third party")

    def level(self, *, signed: bool, witnessed: bool) -> str:
        if not signed:
            return "CONSISTENT-ONLY"
        return f"WITNESSED({len(self.cosigned)}/{len(self.trust.policy.witnesses)})" if witnessed else "LOG-SIGNED"

    @property
    def as_of(self) -> str:
        size = self.checkpoint.size if self.checkpoint else "unknown"
        return f"{self.created or 'unknown time'} by the operator's clock, tree size {size}"

    def evidence(self, link: Link) -> CheckedLink:
        if link.gap:
            return CheckedLink(link, "GAP")
        claim = f"operator's claim of {link.time}, signed"
        if link.digest in self.recomputed and link.level == VERIFIED:
            return CheckedLink(link, f"content recomputed here; what was done with it: {claim}")
        return CheckedLink(link, claim)

    def _placed(self) -> list[Statement]:
        """The statements whose leaves are proven, each with its place in the ledger."""
        return [
            replace(act, index=self.indices[record])
            for record, act in self.statements.items()
            if record in self.indices
        ]

    def _each(self, what: str, check: Callable[[Record], object]) -> str:
        self._need(self.endpoint, "members")
        return each(what, ((f"record {record.id}", partial(check, record)) for record in self.records))

    def _attachments(self, prefix: str, what: str, check: Callable[[str], object], wanted: set[str]) -> str:
        self._need(self.statements, "statements")
        paths = sorted(path for path in self.members if path.startswith(prefix))
        said = each(what, ((path, partial(check, path)) for path in paths))
        if absent := sorted(wanted - set(paths)):
            raise NotChecked(f"{said}; not in the bundle: {', '.join(absent)}")
        return said

    def _recompute(self, names: set[str], what: str, check: Callable[[str], object]) -> str:
        self._data()
        each(f"records of {what}", ((name, partial(check, name)) for name in sorted(names)))
        if absent := sorted(names - self.recomputed):
            raise NotChecked(f"{len(names) - len(absent)} of {len(names)} recomputed; no data of {', '.join(absent)}")
        return f"{len(names)} {what} recomputed from the data, equal"

    def _table_digest(self, name: str) -> str:
        """The td1 digest of a snapshot: its name, or what the recorded manifest says where the name is random."""
        return self.table_digests.get(name, name)

    def _data(self) -> Recompute:
        if self.recompute is None:
            raise NotChecked("no data was given (--data DIR)")
        return self.recompute

    def _of_kind(self, kind: str) -> list[Statement]:
        return [statement for statement in self.statements.values() if statement.kind == kind]

    @staticmethod
    def _need(found: _T | None, step: str) -> _T:
        if not found:
            raise NotChecked(f"step {step!r} failed")
        return found
