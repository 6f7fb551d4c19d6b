"""Signing: statements become DSSE envelopes with a salt and a commitment, ready for the outbox."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from audit.keys import Keys
from audit.leaf import SALT_SIZE, commit
from audit.verify.canonical_base64 import encode_base64
from audit.verify.dsse import pae
from governance.canonical import canonical_json
from lineage.outbox import Sealed

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class StatementSeal:
    """The real ``lineage.outbox.Seal``: signs with the statement key and names actors by pseudonym."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def __call__(self, statement: dict[str, Any], *, actor: str) -> Sealed:
        """Sign the in-toto ``statement``; of the plain name ``actor`` only its pseudonym is given back."""
        envelope = sign_envelope(self._keys, canonical_json(statement), payload_type=PAYLOAD_TYPE)
        digest, salt = hashlib.sha256(envelope), secrets.token_bytes(SALT_SIZE)
        return Sealed(envelope, digest.hexdigest(), salt, commit(digest.digest(), salt), self.pseudonym(actor))

    def pseudonym(self, actor: str) -> str:
        """What stands for ``actor`` in leaf and statement."""
        return self._keys.pseudonym(actor)


def sign_envelope(keys: Keys, payload: bytes, *, payload_type: str) -> bytes:
    """A DSSE envelope (RFC 8785 bytes) around exactly these payload bytes, signed with the statement key."""
    signature = keys.statement.sign(pae(payload_type, payload))
    return canonical_json(
        {
            "payload": encode_base64(payload),
            "payloadType": payload_type,
            "signatures": [{"keyid": keys.statement_public.keyid, "sig": encode_base64(signature)}],
        }
    )
