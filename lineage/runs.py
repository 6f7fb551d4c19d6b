"""Open runs, and which of them lost their process.

A run is opened by its START record and closed by its last one. One whose process is gone can only be
closed by somebody else: the next recorder writes the ABORT (``lineage.aborts``).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Column, Connection, String, Table, delete, insert, select

from lineage.database import metadata

open_runs = Table(
    "open_run",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("opened", String(27), nullable=False),
    Column("host", String(255), nullable=False),
    Column("process", String(80), nullable=False),
)


@dataclass(frozen=True)
class OpenRun:
    """A run that was started and not yet closed."""

    id: str
    kind: str
    opened: str


def open_run(connection: Connection, *, run: str, kind: str, opened: str) -> None:
    """Note that ``run`` goes on in this process."""
    process = f"{os.getpid()}@{_boot()}@{_started(os.getpid())}"
    row = {"run_id": run, "kind": kind, "opened": opened, "host": _host(), "process": process}
    connection.execute(insert(open_runs), row)


def close_run(connection: Connection, *, run: str) -> bool:
    """Note that ``run`` has ended; False if it was not open (any more). Of several callers one gets True."""
    return connection.execute(delete(open_runs).where(open_runs.c.run_id == run)).rowcount == 1


def abandoned(connection: Connection) -> tuple[OpenRun, ...]:
    """Runs opened on this host by processes that are gone, oldest first.

    Runs of another host, or of a container with process ids of its own, cannot be judged from here.
    """
    query = select(open_runs).where(open_runs.c.host == _host()).order_by(open_runs.c.opened, open_runs.c.run_id)
    rows = connection.execute(query).all()
    return tuple(OpenRun(row.run_id, row.kind, row.opened) for row in rows if not _goes_on(row.process))


def _goes_on(process: str) -> bool:
    pid, boot, started = process.split("@")
    return boot == _boot() and _started(int(pid)) in (started, None)


@cache
def _host() -> str:
    """Where process ids mean the same: this machine, and in it this namespace of processes."""
    link = Path("/proc/self/ns/pid")
    namespace = link.readlink() if link.is_symlink() else ""
    return f"{socket.gethostname()} {_line('/etc/machine-id')} {namespace}"


@cache
def _boot() -> str:
    return _line("/proc/sys/kernel/random/boot_id")


def _started(pid: int) -> str | None:
    """When the process began, in clock ticks since boot (a reused id is another process); None where nobody tells.

    Field 22 of ``/proc/<pid>/stat`` (proc_pid_stat(5)). Unlike a time of day it never moves when the clock is set.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "gone" if _is_gone(pid) else None
    return "gone" if fields[0] in "ZX" else fields[19]  # a zombie runs no more


def _is_gone(pid: int) -> bool:
    """Whether there is no such process, rather than one that /proc hides from us (mount option hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except FileNotFoundError:
        return ""
