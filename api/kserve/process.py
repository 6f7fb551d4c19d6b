"""The process of one model server, seen from the control plane.

It leads a process group of its own, so Ctrl-C in a terminal does not reach it: whoever started it ends it. Should
that process be killed outright, the server sees its standard input close and ends itself (``api.kserve.orphan``).
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from api.kserve.server import SAYS

GRACE_SECONDS = 10.0
_CHUNK = 4096


class ServerProcess:
    """A started model server; its standard error goes to a log file."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            self._process = subprocess.Popen(  # noqa: S603 - our own command; no shell reads it
                list(command),
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code (negative: the signal that ended it); None while it runs."""
        return self._process.poll()

    def address(self, *, seconds: float) -> str | None:
        """The address that the server announces once it answers; None where it ended or took too long."""
        said, until = b"", time.monotonic() + seconds
        while not said.endswith(b"\n"):
            chunk = self._read(until - time.monotonic())
            if not chunk:
                return None
            said += chunk
        return said.decode().strip()

    def wait(self, *, seconds: float) -> None:
        """Wait until the process ends, but not longer."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=max(seconds, 0))

    def sentence(self) -> str | None:
        """What the server said last about why it refused."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line.removeprefix(SAYS) for line in lines if line.startswith(SAYS)]
        return said[-1] if said else None

    def end(self) -> int:
        """End every process of the group: SIGTERM, and SIGKILL after a grace; the exit code."""
        self._signal(signal.SIGTERM)
        self.wait(seconds=GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return code

    def _read(self, seconds: float) -> bytes:
        stream = self._process.stdout
        if stream is None or seconds <= 0:
            return b""
        # Not select.select: it refuses descriptors above 1,023, which a busy control plane has.
        with selectors.PollSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            return os.read(stream.fileno(), _CHUNK) if selector.select(seconds) else b""

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
