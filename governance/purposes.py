"""For what purpose the present code acts.

    with acting(purpose="care"):
        store.get_historical_features(...)

The purpose holds in this thread or task and in the tasks it starts, and ends with the block. A new thread begins
without one (it starts with an empty context), so state the purpose again there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_PURPOSE: Final[ContextVar[str | None]] = ContextVar("provender_purpose", default=None)


@contextmanager
def acting(*, purpose: str) -> Iterator[None]:
    """Act for ``purpose`` until the block ends. Raises ValueError for an empty purpose."""
    if not purpose.strip():
        raise ValueError("found an empty purpose; expected a name such as 'care'")
    token = _PURPOSE.set(purpose)
    try:
        yield
    finally:
        _PURPOSE.reset(token)


def current_purpose(*, otherwise: str | None = None) -> str | None:
    """Purpose of the innermost :func:`acting` block, else ``otherwise`` (what an edge read from its environment)."""
    stated = _PURPOSE.get()
    return stated if stated is not None else (otherwise or None)
