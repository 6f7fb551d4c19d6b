"""A worker does not outlive whoever asked for it.

Its standard input is a pipe that nobody writes to and that the submitting process holds open: when it closes, that
process is gone. When the parent process changes, torchrun is gone. Either way the worker's whole group ends.
"""

from __future__ import annotations

import os
import selectors
import signal
import threading

POLL_SECONDS = 0.5


def end_with_parent() -> None:
    """Watch from a thread of its own, for as long as this process lives."""
    threading.Thread(target=_watch, args=(os.getppid(),), name="end-with-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent and not _closed(0):
        pass
    if os.getpgrp() == os.getpid():  # as torchrun starts workers
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _closed(descriptor: int) -> bool:
    with selectors.PollSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return bool(selector.select(POLL_SECONDS)) and os.read(descriptor, 1) == b""
