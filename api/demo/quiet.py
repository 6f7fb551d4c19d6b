"""Keeping libraries from talking into the demonstration: progress bars, deprecation notes, experimental warnings."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Within, what libraries print on stdout and warn about is swallowed; our own words go to stderr.

    Errors are untouched: they are exceptions.
    """
    level = logging.root.level
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.showwarning = _silence  # libraries set filters of their own when they are imported; this outlives them
        logging.root.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logging.root.setLevel(level)


def _silence(*_warning: Any, **_more: Any) -> None:
    """Show nothing."""
