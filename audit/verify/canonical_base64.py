"""Strictly canonical Base64 (RFC 4648 section 4): one text for each byte string, so that no bit of it is free."""

from __future__ import annotations

import base64
import binascii

from audit.verify.errors import Malformed


def encode_base64(data: bytes) -> str:
    """Standard Base64 of ``data``, padded."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str, what: str) -> bytes:
    """The bytes that ``encode_base64`` wrote as ``text``; any other spelling raises Malformed, naming ``what``."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise Malformed(f"{what} is not Base64 (RFC 4648 section 4): {error}") from error
    if encode_base64(data) != text:
        raise Malformed(
            f"{what} is not canonical Base64: the same bytes are written {encode_base64(data)[-8:]!r} at the end"
        )
    return data
