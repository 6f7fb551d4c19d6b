"""The head of a governed registry: which version counts, signed, so that an edit by hand is noticed.

``head.json`` is ``{"v": 1, "object", "definitions", "policy", "signature"}``. The signature (Base64) is made by the
statement key over the DSSE pre-authentication encoding of the RFC 8785 bytes of the other members. An older head put
back with its own signature verifies here; the registry store holds its definitions against the recorded decisions.
An older head of the same definitions is not noticed: it differs in Feast's bookkeeping (times, intervals) alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from api.feast.denial import FeastRefused
from audit.keys import Keys
from audit.verify.canonical_base64 import decode_base64, encode_base64
from audit.verify.dsse import pae
from audit.verify.errors import VerificationError
from governance.canonical import canonical_json
from lineage.objects import replace_bytes

PAYLOAD_TYPE = "application/vnd.provender.registry-head+json"


@dataclass(frozen=True)
class Head:
    """What the head names."""

    object: str
    """``versions/<SHA-256>.pb``"""
    definitions: str
    """definition version, hex"""
    policy: str
    """hex SHA-256 of the policy file at the commit"""

    def message(self) -> bytes:
        """The bytes that are signed."""
        return pae(PAYLOAD_TYPE, canonical_json({"v": 1, **asdict(self)}))


def read_head(path: Path, keys: Keys) -> Head | None:
    """The head in ``path``; None before the first commit. Raises FeastRefused where it is not as it was written."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _edited(path, f"it cannot be read as JSON ({error})") from error
    try:
        head = Head(*(str(value[name]) for name in ("object", "definitions", "policy")))
        keys.statement_public.verify(decode_base64(value["signature"], "the signature"), head.message())
    except (KeyError, TypeError, AttributeError) as error:
        raise _edited(path, f"a member is missing or of another type ({error})") from error
    except VerificationError as error:
        raise _edited(path, "its signature is not of this repository's statement key") from error
    return head


def write_head(path: Path, head: Head, keys: Keys) -> None:
    """Sign ``head`` and let ``path`` hold it, whole or not at all."""
    signature = encode_base64(keys.statement.sign(head.message()))
    replace_bytes(path, json.dumps({"v": 1, **asdict(head), "signature": signature}, indent=1).encode())


def _edited(path: Path, found: str) -> FeastRefused:
    return FeastRefused(
        f"The head of the registry, {path}, is not as it was written: {found}. It was edited by hand or by other keys;"
        " restore it from a backup. Nothing was written."
    )
