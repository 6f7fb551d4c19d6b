"""The leaf of one record, as docs/formats/ledger.md defines it."""

from __future__ import annotations

import hashlib
import hmac

from audit.errors import LeafTooLarge
from governance.canonical import canonical_json

MAX_LEAF = 65_535
"""bytes; C2SP tlog-tiles gives the length of an entry in 16 bits"""
SALT_SIZE = 32


def leaf_bytes(*, id: str, kind: str, time: str, actor: str, commitment: str) -> bytes:  # noqa: A002 - the leaf's own field name
    """The leaf, RFC 8785. Raises LeafTooLarge.

    :param actor: a pseudonym
    :param commitment: what :func:`commit` gave, hex
    """
    leaf = canonical_json({"v": 1, "kind": kind, "id": id, "time": time, "actor": actor, "c": commitment})
    if len(leaf) > MAX_LEAF:
        raise LeafTooLarge(
            f"The leaf of record {id!r} would have {len(leaf)} bytes; an entry of the log has at most {MAX_LEAF}."
            " Log its digest instead."
        )
    return leaf


def commit(envelope_sha256: bytes, salt: bytes) -> str:
    """Hex HMAC-SHA256(salt, SHA-256(envelope)): binds to the envelope, and says nothing about it without the salt."""
    return hmac.new(salt, envelope_sha256, hashlib.sha256).hexdigest()
