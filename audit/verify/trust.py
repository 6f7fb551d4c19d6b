"""The trust file: whom the auditor believes. It never comes from the bundle.

{"v":1,"tlog_policy":"<C2SP tlog-policy text>","statement_keys":[<SPKI PEM>],"model_keys":[…],"tsa_roots":[…]}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.verify.errors import Malformed
from audit.verify.policy import TlogPolicy, parse_policy
from audit.verify.publickey import PublicKey, load_spki_pem
from audit.verify.values import parse_json

MAX_TRUST = 1024 * 1024
"""bytes"""
_KEYS = {"v", "tlog_policy", "statement_keys", "model_keys", "tsa_roots"}


class VerifyUsage(Exception):
    """Bundle or trust file cannot be read, or the trust file is malformed: a wrong question (exit code 2)."""


@dataclass(frozen=True)
class Trust:
    """Logs and witnesses, keys that sign statements, keys that sign models."""

    policy: TlogPolicy
    statement_keys: tuple[PublicKey, ...]
    model_keys: tuple[PublicKey, ...]


def read_trust(path: Path) -> Trust:
    """The trust file at ``path``. Raises VerifyUsage where it is missing or malformed."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TRUST + 1)
    except OSError as error:
        raise VerifyUsage(f"The trust file {path} cannot be read: {error.strerror}. Name one with --trust.") from error
    try:
        return parse_trust(data)
    except Malformed as error:
        raise VerifyUsage(
            f"The trust file {path} is malformed: {error}. `provender trust export` writes one."
        ) from error


def parse_trust(data: bytes) -> Trust:
    """The trust file in ``data``. Raises Malformed."""
    if len(data) > MAX_TRUST:
        raise Malformed(f"more than {MAX_TRUST} bytes")
    document = parse_json(data, "the file")
    if set(document) != _KEYS or document["v"] != 1 or not isinstance(document["tlog_policy"], str):
        raise Malformed(f"expected exactly {', '.join(sorted(_KEYS))}, with v 1")
    _strings(document, "tsa_roots")
    statement_keys, model_keys = (
        tuple(map(load_spki_pem, _strings(document, name))) for name in ("statement_keys", "model_keys")
    )
    if not statement_keys:
        raise Malformed("no statement key: nothing could be believed")
    return Trust(parse_policy(document["tlog_policy"]), statement_keys, model_keys)


def _strings(document: dict[str, Any], name: str) -> list[str]:
    value = document[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Malformed(f"{name} is not a list of PEM texts")
    return value
