"""The head of a governed registry: which version counts, signed, so that an edit by hand is noticed.

``head.json`` is ``{"v": 1, "object", "definitions", "policy", "signature"}``. The signature (Base64) is made by the
statement key over the DSSE pre-authentication encoding of the RFC 8785 bytes of the other members. An older head put
back with its own signature verifies here; the registry store holds its definitions against the recorded decisions.
An older head of the same definitions is not noticed: it differs in Feast's bookkeeping (times, intervals) alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from api.feast.denial import FeastRefused
from audit.keys import Keys
from audit.verify.canonical_base64 import decode_base64, encode_base64
from audit.verify.dsse import pae
from audit.verify.errors import VerificationError
from governance.canonical import canonical_json
from lineage.refs import Refs

HEAD, NEXT = "head.json", "next.json"
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


@dataclass(frozen=True)
class SignedHead:
    """One of a registry's refs that holds a head: ``head.json``, or ``next.json`` of a commit under way."""

    refs: Refs
    name: str
    keys: Keys

    def read(self) -> Head | None:
        """The head; None where there is none. Raises FeastRefused where it is not as it was written."""
        data = self.refs.read(self.name)
        return None if data is None else self._verified(data)

    def swap(self, old: Head | None, new: Head | None) -> bool:
        """Let it be ``new`` if it is ``old``; else change nothing and give False."""
        data = self.refs.read(self.name)
        held = None if data is None else self._verified(data)
        return held == old and self.refs.swap(self.name, data, None if new is None else self._signed(new))

    def _signed(self, head: Head) -> bytes:
        signature = encode_base64(self.keys.statement.sign(head.message()))
        return json.dumps({"v": 1, **asdict(head), "signature": signature}, indent=1).encode()

    def _verified(self, data: bytes) -> Head:
        try:
            value = json.loads(data)
        except ValueError as error:
            raise self._edited(f"it cannot be read as JSON ({error})") from error
        try:
            head = Head(*(str(value[name]) for name in ("object", "definitions", "policy")))
            self.keys.statement_public.verify(decode_base64(value["signature"], "the signature"), head.message())
        except (KeyError, TypeError, AttributeError) as error:
            raise self._edited(f"a member is missing or of another type ({error})") from error
        except VerificationError as error:
            raise self._edited("its signature is not of this repository's statement key") from error
        return head

    def _edited(self, found: str) -> FeastRefused:
        return FeastRefused(
            f"The head of the registry, {self.refs.location}/{self.name}, is not as it was written: {found}. It was"
            " edited by hand or by other keys; restore it from a backup. Nothing was written."
        )
