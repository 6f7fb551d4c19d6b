"""Canonical JSON (RFC 8785) and times (RFC 3339), as everything that is hashed or signed uses them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, TypeAlias

import rfc8785

Json: TypeAlias = Any
"""A value that JSON can say: null, bool, int, float, str, list or tuple, dict with str keys."""

_EXACT = 2**53
"""Whole numbers below are themselves as doubles, which is all that RFC 8785 allows."""


def canonical_json(value: Json) -> bytes:
    """The RFC 8785 bytes of ``value``. Raises ``rfc8785.CanonicalizationError`` where there are none."""
    try:
        text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return text.encode()
    except (_Unusual, UnicodeEncodeError):  # the latter for half a surrogate pair, which RFC 8785 refuses
        return rfc8785.dumps(value)


class _Unusual(Exception):
    """The standard library's encoder might write other bytes."""


def _plain(value: Json) -> Json:
    """An equal value that the standard library's encoder, which is ten times as fast, writes as RFC 8785 wants it.

    That encoder sorts by code points, RFC 8785 by UTF-16 units: the same for names in ASCII. It writes numbers as
    Python does: the same for whole ones as integers, and for others while neither needs an exponent.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        if all(type(name) is str and name.isascii() for name in value):
            return {name: _plain(one) for name, one in value.items()}
    elif kind is list or kind is tuple:
        return [_plain(one) for one in value]
    elif kind is int or (kind is float and value.is_integer()):
        if -_EXACT < value < _EXACT:
            return int(value)
    elif kind is float and 1e-4 <= abs(value) < 1e15:
        return value
    raise _Unusual


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
