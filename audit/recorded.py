"""One recorded act, believed only as far as the statement key signed it: the rows beside the envelope are anybody's.

Whoever reads records to act on them, to report them or to give them a leaf comes through here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from audit.errors import RecordForged
from audit.leaf import SALT_SIZE, commit
from audit.verify.dsse import parse_envelope, verify_envelope
from audit.verify.errors import Malformed, VerificationError
from audit.verify.publickey import PublicKey
from audit.verify.statement import PAYLOAD_TYPE, Statement, read_statement
from lineage.records import StoredRecord


def signed_statement(row: Any, key: PublicKey) -> Statement:
    """The statement in the envelope of ``row``, which has the members of a ``StoredRecord``.

    Raises VerificationError where digest, commitment or signature do not fit, or it is not about this record.
    """
    digest = hashlib.sha256(row.envelope)
    if digest.hexdigest() != row.envelope_sha256:
        raise Malformed(f"the envelope has SHA-256 {digest.hexdigest()}, recorded was {row.envelope_sha256}")
    if len(row.salt) != SALT_SIZE or not hmac.compare_digest(commit(digest.digest(), row.salt), row.commitment):
        raise Malformed(f"envelope and salt do not give the commitment {row.commitment}")
    envelope = parse_envelope(row.envelope)
    verify_envelope(envelope, [key], payload_type=PAYLOAD_TYPE)
    found = read_statement(envelope.payload)
    for name in ("id", "kind", "time", "actor"):
        if getattr(found, name) != getattr(row, name):
            raise Malformed(f"{name} is {getattr(row, name)!r} in the database, signed was {getattr(found, name)!r}")
    return found


def believed(row: Any, key: PublicKey) -> Statement:
    """:func:`signed_statement`, as an answer to a person. Raises RecordForged."""
    try:
        return signed_statement(row, key)
    except VerificationError as error:
        raise RecordForged(
            f"Record {row.id} ({row.kind}) in the database is not what the statement key {key.keyid[:16]} signed:"
            f" {error}. Nothing was made of it and nothing was signed. Restore the database, or the keys, from a"
            " backup; `provender ledger audit` lists what else was changed."
        ) from error


def record_check(key: PublicKey) -> Callable[[StoredRecord], object]:
    """What ``lineage.records.Records`` asks about each record that it reads. The check raises RecordForged.

    A record whose every byte was believed a moment ago is not verified again.
    """

    @lru_cache(maxsize=256)
    def check(record: StoredRecord) -> object:
        return believed(record, key)

    return check
