"""Strict JSON in, and careful reading of what came in: nothing here trusts the shape of a document."""

from __future__ import annotations

import json
from typing import Any

from audit.verify.errors import Malformed


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in ``data``: no duplicate keys, NaN or lone surrogates. Raises Malformed naming ``what``."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates, which no UTF-8 can say
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what} is not strict JSON: {error}") from error
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not a JSON object")
    return value


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of strings, integers, lists and objects. Raises Malformed for floats and lone surrogates."""
    try:
        return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except (UnicodeEncodeError, RecursionError) as error:
        raise Malformed(f"a value has no canonical JSON: {error}") from error


def find(value: Any, *path: str) -> Any:
    """What stands under ``path`` in nested objects, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: Any, *path: str) -> str:
    """The string under ``path``, or the empty one."""
    found = find(value, *path)
    return found if isinstance(found, str) else ""


def objects(value: Any, *path: str) -> list[dict[str, Any]]:
    """The objects of the list under ``path``; whatever else is in it is left out."""
    found = find(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def digest_hex(written: str, algorithm: str) -> str:
    """The hex part of ``<algorithm>:<64 hex>``, or the empty string."""
    name, _, digits = written.partition(":")
    return digits if name == algorithm and is_hex(digits) else ""


def is_hex(digits: object) -> bool:
    """Whether ``digits`` are 64 lower-case hexadecimal ones."""
    return isinstance(digits, str) and len(digits) == 64 and not digits.strip("0123456789abcdef")


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    if isinstance(value, float):
        raise Malformed("a floating-point number where the format has none")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
