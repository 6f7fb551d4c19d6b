"""Canonical JSON (RFC 8785) and times (RFC 3339), as everything that is hashed or signed uses them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, TypeAlias

import rfc8785

Json: TypeAlias = Any
"""A value that JSON can say: null, bool, int, float, str, list or tuple, dict with str keys."""


def canonical_json(value: Json) -> bytes:
    """The RFC 8785 bytes of ``value``. Raises ``rfc8785.CanonicalizationError`` where there are none."""
    return rfc8785.dumps(value)


def json_sha256(value: Json) -> str:
    """Lower-case hex SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def utc_now() -> datetime:
    """The present moment, with a time zone."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """``moment`` in UTC with microseconds and ``Z``. A naive moment is an error, not a guess."""
    if moment.tzinfo is None:
        raise ValueError(f"a moment without time zone: {moment!r}; attach one before writing it down")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> datetime:
    """The moment that :func:`rfc3339` wrote (also accepts other RFC 3339 offsets)."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without zone: {text!r}; RFC 3339 wants Z or an offset")
    return moment
