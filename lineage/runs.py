"""Open runs, and which of them lost their process.

A run is opened by its START record and closed by its last one. One whose process is gone can only be
closed by somebody else: the next recorder writes the ABORT (``lineage.aborts``).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

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
    connection.execute(
        insert(open_runs).values(
            run_id=run, kind=kind, opened=opened, host=socket.gethostname(), process=_process(os.getpid())
        )
    )


def close_run(connection: Connection, *, run: str) -> bool:
    """Note that ``run`` has ended; False if it was not open (any more)."""
    return connection.execute(delete(open_runs).where(open_runs.c.run_id == run)).rowcount == 1


def abandoned(connection: Connection) -> tuple[OpenRun, ...]:
    """Runs opened on this host by processes that are gone. Another host's runs cannot be judged from here."""
    rows = connection.execute(select(open_runs).where(open_runs.c.host == socket.gethostname())).all()
    return tuple(
        OpenRun(row.run_id, row.kind, row.opened)
        for row in rows
        if _process(int(row.process.split("@")[0])) != row.process
    )


def _process(pid: int) -> str:
    """``pid@start time``, so that a reused process id is another process; ``pid@gone`` where there is none."""
    import psutil  # noqa: PLC0415 - only recorders need it, not the verifier

    try:
        return f"{pid}@{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return f"{pid}@gone"
