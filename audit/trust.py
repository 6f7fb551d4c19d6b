"""Export of the trust file: the public keys that an auditor takes home, and their fingerprints to read aloud.

A real auditor compares the fingerprints with the operator over another channel (in person, by telephone), because
whoever can change the bundle on its way can change a trust file that travels beside it.
"""

from __future__ import annotations

import json

from audit.keys import Keys
from audit.verify.trust import Trust, parse_trust


def trust_file(keys: Keys, *, origin: str) -> bytes:
    """The trust file for the log called ``origin``: its key, the statement key and the model key, no witness yet."""
    document = {
        "v": 1,
        "tlog_policy": f"log {keys.log_verifier(origin).vkey}\nquorum none\n",
        "statement_keys": [keys.statement_public.pem],
        "model_keys": [keys.model_public.pem],
        "tsa_roots": [],
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def fingerprints(trust: Trust) -> tuple[tuple[str, str], ...]:
    """(what the key does, fingerprint) of every key: SHA-256 of its SPKI DER, hex in groups of four."""
    policy = trust.policy
    named = [
        *((f"log {log.name}", log.key) for log in policy.logs),
        *((f"witness {name}", witness.key) for name, witness in policy.witnesses.items()),
        *(("statements", key) for key in trust.statement_keys),
        *(("models", key) for key in trust.model_keys),
    ]
    return tuple((what, _aloud(key.keyid)) for what, key in named)


def trust_fingerprints(data: bytes) -> tuple[tuple[str, str], ...]:
    """:func:`fingerprints` of a trust file's bytes. Raises Malformed."""
    return fingerprints(parse_trust(data))


def _aloud(digits: str) -> str:
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
