"""A model server does not outlive whoever started it.

Its standard input is a pipe that nobody writes to and that the starting process holds open: when it closes, that
process is gone, however it ended.
"""

from __future__ import annotations

import os
import signal
import threading
import time

GRACE_SECONDS = 10.0
_CHUNK = 4096


def end_with_parent() -> None:
    """Watch from a thread of its own, for as long as this process lives."""
    threading.Thread(target=_watch, name="end-with-parent", daemon=True).start()


def _watch() -> None:
    while os.read(0, _CHUNK):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
