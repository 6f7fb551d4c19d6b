"""The distribution's PostgreSQL, on a free loopback port for as long as it is needed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "provender"


@contextmanager
def postgresql() -> Iterator[int]:
    """The port of a server of its own: anybody is ``USER`` in the database ``postgres``, times are in UTC."""
    directory = Path(tempfile.mkdtemp(prefix="provender-pg-"))  # not below tmp_path, which only root may enter
    if os.geteuid() == 0:
        shutil.chown(directory, "nobody")
    data = directory / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    _run(_programs() / "initdb", "--auth=trust", f"--username={USER}", "--no-sync", "-D", data)
    options = f"-h 127.0.0.1 -p {port} -k {directory} -c timezone=UTC"
    _run(_programs() / "pg_ctl", "-D", data, "-l", directory / "log", "-o", options, "-w", "start")
    try:
        yield port
    finally:
        _run(_programs() / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(directory)


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The same, as the URL that :func:`new_database` takes."""
    with postgresql() as port:
        yield f"postgresql://{USER}:secret@127.0.0.1:{port}"


def new_database(server: str) -> str:
    """SQLAlchemy's URL of an empty database on ``server``."""
    import psycopg

    name = f"d{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.replace('://', '+psycopg://')}/{name}"


def _programs() -> Path:
    """The folder of the distribution's PostgreSQL, newest first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1].parent


def _run(*command: str | Path) -> None:
    """Run as a plain user: PostgreSQL refuses to run as root."""
    user = "nobody" if os.geteuid() == 0 else None
    subprocess.run(
        [str(each) for each in command], user=user, cwd="/", check=True, timeout=60, stdout=subprocess.DEVNULL
    )
