"""Evidence bundles: everything an auditor carries away about one endpoint, in one file that a stranger can check.

The format is docs/formats/bundle.md; ``audit.verify`` checks it.

    evidence = gather("liver-risk", records=records, ledger=ledger)
    members = bundle_members(evidence, objects=objects, report_html=html, report_json=json, keys=keys, created=now)
    write_bundle(Path("liver-risk.bundle"), members)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from audit.bundle_readme import readme
from audit.evidence import Evidence
from audit.keys import Keys
from audit.statement import sign_envelope
from audit.trust import trust_file
from audit.verify import verify_bundle
from audit.verify.archive import write_archive
from audit.verify.members import ENVELOPE, MANIFEST, MANIFEST_TYPE, manifest_members, manifest_path, signature_path
from audit.verify.values import text
from governance.canonical import canonical_json, rfc3339
from governance.errors import AnswerIsNo


class BundleIncomplete(AnswerIsNo):
    """Something that the records promise is no longer stored, so that a bundle would prove less than they say."""


class BundleRefused(AnswerIsNo):
    """A bundle that was made does not verify by the operator's own keys."""


class ObjectReader(Protocol):
    """Reads stored objects by name; ``lineage.objects.DirectoryObjects`` is one."""

    def read(self, name: str) -> bytes:
        """The bytes of an object. Raises FileNotFoundError."""
        ...


def bundle_members(
    evidence: Evidence, *, objects: ObjectReader, report_html: bytes, report_json: bytes, keys: Keys, created: datetime
) -> dict[str, bytes]:
    """Every member of the bundle by name, signed list included.

    :param created: when the bundle was made, by the operator's clock

    Raises BundleIncomplete where a manifest or a model signature that a record states cannot be read.
    """
    members = {
        "README.txt": readme(evidence, created=rfc3339(created), key=keys.statement_public.keyid),
        "checkpoint": evidence.checkpoint,
        "report.html": report_html,
        "report.json": report_json,
        **dict(_records(evidence)),
        **{name: _stored(objects, name) for name in _promised(evidence)},
    }
    document = {
        "v": 1,
        "endpoint": evidence.endpoint,
        "created": rfc3339(created),
        "members": manifest_members(members),
    }
    manifest = canonical_json(document)
    return {**members, MANIFEST: manifest, ENVELOPE: sign_envelope(keys, manifest, payload_type=MANIFEST_TYPE)}


def write_bundle(path: Path, members: Mapping[str, bytes], *, check: Callable[[Path], object] | None = None) -> None:
    """Write the file, whole or not at all; an older one of that name is replaced only by a finished new one.

    ``check`` looks at the finished file before it takes its name, and raises where it must not.
    """
    data = write_archive(members)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # mkstemp says 0600, but a bundle is made to be handed on
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_own_bundle(bundle: Path, *, keys: Keys, origin: str) -> None:
    """Verify a bundle as its receiver will, by the trust file that these keys give. Raises BundleRefused."""
    with tempfile.NamedTemporaryFile(suffix=".json") as trust:
        trust.write(trust_file(keys, origin=origin))
        trust.flush()
        found = verify_bundle(bundle, trust=Path(trust.name), recompute=None)
    if failed := [f"{step.name}: {step.reason}" for step in found.steps if step.failed]:
        raise BundleRefused(
            f"The bundle would not verify, so it was not written. {'; '.join(failed)}. `provender ledger audit` says"
            " what was changed in the database."
        )


def _records(evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    for record in evidence.records:
        parts = {"envelope.json": record.envelope, "salt": record.salt, "leaf.json": record.leaf}
        yield from ((f"records/{record.id}/{name}", content) for name, content in parts.items())
        yield f"records/{record.id}/proof.json", record.proof


def _promised(evidence: Evidence) -> Iterator[str]:
    """The stored objects whose digests the records state and which hold no row and no weight."""
    for act in evidence.statements:
        if act.kind == "retrieval" and text(act.predicate, "state") == "COMPLETE":
            yield manifest_path(act.snapshot, text(act.predicate, "run"))
        if act.kind == "artifact":
            yield signature_path(act.digest("oms1-sha256"))


def _stored(objects: ObjectReader, name: str) -> bytes:
    try:
        return objects.read(name)
    except OSError as error:
        raise BundleIncomplete(
            f"{name} cannot be read from the object store: {error.strerror}. A record states its digest, so it belongs"
            " into the bundle. Restore it from a backup."
        ) from error
