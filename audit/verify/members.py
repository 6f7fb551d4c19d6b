"""The members of a bundle: which there may be, and the signed list of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from audit.verify.errors import Malformed
from audit.verify.values import canonical, objects, parse_json, text

MANIFEST_TYPE = "application/vnd.provender.bundle-manifest+json"
MANIFEST, ENVELOPE = "manifest.json", "manifest.dsse"
RECORD_PARTS = ("envelope.json", "salt", "leaf.json", "proof.json")
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FIXED = ("README.txt", "checkpoint", MANIFEST, ENVELOPE, "report.html", "report.json")
_NAMES = re.compile(
    rf"records/{_UUID}/(envelope\.json|salt|leaf\.json|proof\.json)|snapshots/(random-)?[0-9a-f]{{64}}/{_UUID}\.json|artifacts/[0-9a-f]{{64}}/model\.sig"
)


def manifest_members(members: Mapping[str, bytes]) -> list[dict[str, object]]:
    """The member list of manifest.json: path, size and SHA-256 of every other member, sorted by path."""
    listed = sorted(path for path in members if path not in (MANIFEST, ENVELOPE))
    return [{"path": path, "size": len(members[path]), "sha256": sha256(members[path])} for path in listed]


def check_members(members: Mapping[str, bytes]) -> tuple[str, str]:
    """(endpoint, time of creation) of a bundle whose members are exactly those listed. Raises Malformed."""
    if absent := [name for name in _FIXED if name not in members]:
        raise Malformed(f"members are missing: {', '.join(absent)}")
    if strange := [name for name in members if name not in _FIXED and not _NAMES.fullmatch(name)]:
        raise Malformed(f"member {strange[0]!r} has no place in a bundle")
    manifest = parse_json(members[MANIFEST], MANIFEST)
    listed = {text(item, "path"): item for item in objects(manifest, "members")}
    found = {str(item["path"]): item for item in manifest_members(members)}
    for path in sorted(listed.keys() | found.keys()):
        if listed.get(path) != found.get(path):
            raise Malformed(_difference(path, listed.get(path), found.get(path)))
    endpoint, created = text(manifest, "endpoint"), text(manifest, "created")
    expected = {"v": 1, "endpoint": endpoint, "created": created, "members": list(found.values())}
    if not endpoint or not created or members[MANIFEST] != canonical(expected):
        raise Malformed(f"{MANIFEST} is not the canonical JSON of v (1), endpoint, created and members, sorted by path")
    return endpoint, created


def manifest_path(snapshot: str, run: str) -> str:
    """Where the manifest of one run of a snapshot (``td1-sha256:…`` or ``random:…``) is, here and in the store."""
    return f"snapshots/{snapshot.removeprefix('td1-sha256:').replace(':', '-')}/{run}.json"


def signature_path(oms1: str) -> str:
    """Where the signature of the model with this oms1 hex is, here and in the store."""
    return f"artifacts/{oms1}/model.sig"


def record_ids(members: Mapping[str, bytes]) -> list[str]:
    """The ids of the records in a bundle, sorted."""
    return sorted({name.split("/")[1] for name in members if name.startswith("records/")})


def sha256(data: bytes) -> str:
    """Lower-case hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def _difference(path: str, listed: Mapping[str, object] | None, found: Mapping[str, object] | None) -> str:
    if found is None:
        return f"member {path!r} is listed in {MANIFEST} and missing"
    if listed is None:
        return f"member {path!r} is not listed in {MANIFEST}"
    return f"member {path!r} has {found['size']} bytes with SHA-256 {found['sha256']}, which {MANIFEST} does not say"
