"""What a training run may say of itself in its signed record: numbers and words, never rows.

A list of held-out patients would be personal data that nobody can take back out of a ledger, so that nothing with
room for one is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rfc8785 import CanonicalizationError

from api.kubeflow.errors import TrainJobInvalid
from governance.canonical import canonical_json

TEXT_LENGTH = 200
"""Characters of a text, and of a name."""
LIST_LENGTH = 16
"""Entries of a hyper-parameter that is a list, such as the widths of layers."""
NAMES = 100
"""How many metrics, hyper-parameters or parts of a split there may be."""


def refuse_unrecordable(
    *,
    metrics: Mapping[str, Any] | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    split: Mapping[str, Any] | None = None,
) -> None:
    """Raise TrainJobInvalid for the first value that may not be recorded; the error names it and does not quote it."""
    for what, values in (("metrics", metrics), ("hyperparameters", hyperparameters), ("split", split)):
        if len(values or {}) > NAMES:
            raise TrainJobInvalid(f"There are {len(values or {})} {what}. Expected at most {NAMES}: log a summary.")
        for name, value in (values or {}).items():
            lists = what == "hyperparameters"
            if not _is_name(name) or not (_is_plain(value) or (lists and _is_short_list(value))):
                raise TrainJobInvalid(_sentence(what, name, value, lists=lists))


def _sentence(what: str, name: object, value: object, *, lists: bool) -> str:
    named = name if _is_name(name) else "a name that is no short text"
    also = f", or a list of at most {LIST_LENGTH} of these" if lists else ""
    return (
        f"{what}: {named} ({type(value).__name__}) cannot be recorded. Expected a finite number, true, false, null or a"
        f" text of at most {TEXT_LENGTH} characters{also}. Log a count instead of a list; call `.item()` or `float()`"
        " on a tensor's or array's value."
    )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and len(name) <= TEXT_LENGTH and _is_json(name)


def _is_short_list(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) <= LIST_LENGTH and all(_is_plain(one) for one in value)


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= TEXT_LENGTH and _is_json(value)
    return (value is None or isinstance(value, bool | int | float)) and _is_json(value)


def _is_json(value: Any) -> bool:
    try:
        canonical_json(value)
    except (CanonicalizationError, UnicodeEncodeError):
        return False
    return True
