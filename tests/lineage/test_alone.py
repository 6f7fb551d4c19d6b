"""One at a time beside a SQLite database, among threads and processes. PostgreSQL: refs/test_refs_postgresql.py."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lineage.alone import alone
from lineage.database import open_database
from lineage.errors import DatabaseUnreachable
from tests.lineage.conftest import Spawn

HOLDING = """
from lineage.alone import alone
from lineage.database import open_database
with alone(open_database("sqlite:///{path}"), "registry-care"):
    print("in", flush=True)
    input()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/provender.db")
    yield engine
    engine.dispose()


def test_another_process_waits_until_the_first_is_gone(engine: Engine, tmp_path: Path, spawn: Spawn) -> None:
    holder = spawn(HOLDING.format(path=tmp_path / "provender.db"))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "in\n"
    entered = threading.Event()

    def enter() -> None:
        with alone(engine, "registry-care"):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    with alone(engine, "registry-other"):  # another name is another lock
        assert not entered.wait(0.3)
    holder.kill()
    waiting.join(timeout=30)
    assert entered.is_set()


def test_it_is_left_by_an_error_too(engine: Engine) -> None:
    with pytest.raises(KeyError), alone(engine, "registry-care"):
        raise KeyError
    with alone(engine, "registry-care") as held:
        held()


def test_a_database_whose_directory_is_gone_is_one_sentence(engine: Engine, tmp_path: Path) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    tmp_path.rmdir()
    refused = pytest.raises(DatabaseUnreachable, match=r"registry-care\.lock cannot be written: No such file")
    with refused, alone(engine, "registry-care"):
        pass
