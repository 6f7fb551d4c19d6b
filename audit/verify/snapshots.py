"""A snapshot's manifest against the signed record of its retrieval, by the td1 format (docs/formats/table-digest.md).

No table data is needed: column roots follow from leaf hashes, the table root from descriptor and column roots.
"""

from __future__ import annotations

from audit.verify.errors import Malformed
from audit.verify.members import sha256
from audit.verify.merkle import leaf_hash, root_hash
from audit.verify.statement import Statement
from audit.verify.values import find, is_hex, parse_json, text

CHUNK = 65536


def check_snapshot(retrieval: Statement, manifest: bytes) -> tuple[str, dict[str, str]]:
    """td1 digest and column roots (name to hex) of the manifest that a retrieval's record states. Raises Malformed."""
    if sha256(manifest) != text(retrieval.predicate, "manifest"):
        raise Malformed("the snapshot manifest is not the one whose SHA-256 the retrieval's record states")
    document = parse_json(manifest, "the snapshot manifest")
    named, digest = retrieval.snapshot, text(document, "digest")
    if text(retrieval.predicate, "snapshot") != named or (named != digest and not named.startswith("random:")):
        raise Malformed(f"manifest or predicate name another snapshot than the statement's subject {named}")
    for key in ("run", "definitions", "rows"):
        if document.get(key) != retrieval.predicate.get(key):
            raise Malformed(
                f"{key!r} is {document.get(key)!r} in the manifest, {retrieval.predicate.get(key)!r} in the record"
            )
    descriptor = text(document, "descriptor")
    roots = _column_roots(document, _columns(descriptor, document.get("rows")), int(document["rows"]))
    root = table_root(descriptor, roots)
    if f"td1-sha256:{root}" != digest:
        raise Malformed(f"descriptor and column roots give td1-sha256:{root}, the manifest says {digest}")
    return digest, roots


def table_root(descriptor: str, column_roots: dict[str, str]) -> str:
    """Step 5 of the td1 format: hex of the root over the descriptor and the columns in UTF-8 order."""
    columns = sorted((name.encode(), bytes.fromhex(root)) for name, root in column_roots.items())
    hashes = [leaf_hash(descriptor.encode()), *(leaf_hash(name + b"\0" + root) for name, root in columns)]
    return root_hash(hashes).hex()


def _columns(descriptor: str, rows: object) -> list[str]:
    parsed = parse_json(descriptor.encode("utf-8", "surrogatepass"), "the td1 descriptor")
    columns = parsed.get("cols")
    if not isinstance(columns, list) or not all(isinstance(column, list) and len(column) == 2 for column in columns):
        raise Malformed("the td1 descriptor lists no columns")
    if type(rows) is not int or (parsed.get("v"), parsed.get("chunk"), parsed.get("rows")) != (1, CHUNK, rows):
        raise Malformed(f"the td1 descriptor is not of version 1 with chunks of {CHUNK} and {rows!r} rows")
    return [str(column[0]) for column in columns]


def _column_roots(document: dict[str, object], columns: list[str], rows: int) -> dict[str, str]:
    roots: dict[str, str] = {}
    if not isinstance(found := document.get("column_roots"), dict) or found.keys() != set(columns):
        raise Malformed("the manifest's column roots are not of the columns that its descriptor names")
    for name in columns:
        leaves, root = find(document, "leaves", name), text(document, "column_roots", name)
        if not isinstance(leaves, list) or not all(map(is_hex, leaves)) or len(leaves) != -(-rows // CHUNK):
            raise Malformed(f"column {name!r} has not one leaf hash for each chunk of {CHUNK} rows")
        if root_hash([bytes.fromhex(leaf) for leaf in leaves]).hex() != root:
            raise Malformed(f"the leaf hashes of column {name!r} do not give its column root {root!r}")
        roots[name] = root
    return roots
