"""Refs, and acts that one process at a time may do, in a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from lineage.alone import alone
from lineage.database import open_database
from lineage.errors import DatabaseUnreachable
from lineage.refs.sql import SqlRefs
from tests.postgresql import USER, postgresql

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql() as port:
        yield f"postgresql+psycopg://{USER}:secret@127.0.0.1:{port}/postgres"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    yield engine
    engine.dispose()


def test_a_ref_changes_only_for_who_knows_what_it_holds(engine: Engine) -> None:
    refs = SqlRefs(engine)
    assert refs.read("head.json") is None
    assert refs.swap("head.json", None, b"\x00one")
    assert not refs.swap("head.json", None, b"two")
    assert not refs.swap("head.json", b"other", b"two")
    assert refs.swap("head.json", b"\x00one", b"two")
    assert SqlRefs(engine).read("head.json") == b"two"
    assert refs.swap("head.json", b"two", None)
    assert refs.read("head.json") is None
    assert "secret" not in refs.location


def test_of_many_writers_at_once_one_wins_each_round(engine: Engine) -> None:
    won: list[int] = []
    start = threading.Barrier(4)

    def write(number: int) -> None:
        refs = SqlRefs(engine)
        start.wait()
        for _ in range(10):
            held = refs.read("counter")
            if refs.swap("counter", held, str(int(held or b"0") + 1).encode()):
                won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SqlRefs(engine).read("counter") == str(len(won)).encode()


def test_only_one_is_alone_at_a_time(engine: Engine) -> None:
    inside, most = [0], [0]

    def enter() -> None:
        for _ in range(10):
            with alone(engine, "registry-care"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_who_lost_the_lock_is_told_before_it_matters(engine: Engine) -> None:
    with pytest.raises(DatabaseUnreachable, match="did not take part"):
        _lose_the_lock(engine)
    with alone(engine, "registry-care") as held:  # it is free again
        held()


def _lose_the_lock(engine: Engine) -> None:
    with alone(engine, "registry-care") as held:
        held()
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            )
        held()
