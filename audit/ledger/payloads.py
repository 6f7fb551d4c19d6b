"""Whether a payload that was not erased is the one that its outbox row commits to."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from audit.leaf import SALT_SIZE, commit


def check_payload(row: Any) -> str:
    """What is wrong with ``envelope`` and ``salt`` of a record; the empty string where nothing is."""
    digest = hashlib.sha256(row.envelope)
    if digest.hexdigest() != row.envelope_sha256:
        return f"the envelope of record {row.id} has SHA-256 {digest.hexdigest()}, recorded was {row.envelope_sha256}"
    if len(row.salt) != SALT_SIZE or not hmac.compare_digest(commit(digest.digest(), row.salt), row.commitment):
        return f"envelope and salt of record {row.id} do not give its commitment {row.commitment}"
    return ""
