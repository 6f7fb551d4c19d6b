"""The processes of one job: torchrun, the worker it starts, and whatever that starts.

torchrun is the leader of its own process group, so Ctrl-C in a terminal does not reach it, and it puts the worker
into yet another session. Whoever ends a job therefore ends the whole tree. Should *this* process be killed outright,
the worker sees its standard input close and ends itself (``api.kubeflow.orphan``).
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

GRACE_SECONDS = 5.0


class JobProcess:
    """A running job."""

    def __init__(self, command: Sequence[str], *, directory: Path, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as stream:
            self._process = subprocess.Popen(  # noqa: S603 - our own command; no shell reads it
                list(command),
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id of torchrun."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code of torchrun (negative: the signal that ended it); None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._close_input()
        return code

    def wait(self, seconds: float) -> None:
        """Wait until torchrun ends, but not longer than ``seconds``."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=seconds)

    def end(self, *, grace: float = GRACE_SECONDS) -> None:
        """End every process of the job: SIGTERM, and SIGKILL for those still there after ``grace`` seconds."""
        tree = self._tree()
        self._close_input()
        self._signal_group(signal.SIGTERM)
        self.wait(grace)
        tree |= self._tree()
        self._signal_group(signal.SIGKILL)
        for process in tree:
            with suppress(psutil.NoSuchProcess):  # psutil knows a reused process id from the process it saw
                process.kill()
        self._process.wait()
        psutil.wait_procs(list(tree), timeout=grace)

    def _tree(self) -> set[psutil.Process]:
        try:
            return set(psutil.Process(self.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return set()

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _close_input(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
