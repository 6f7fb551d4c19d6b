from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from lineage.database import create_tables, metadata, open_database
from lineage.errors import DatabaseUnreachable
from tests.lineage.acts import rows

Spawn = Callable[[str], "Popen[str]"]


def test_sqlite_is_durable_and_forgets_what_is_deleted(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/new/folder/x.db")
    with engine.connect() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1)):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_a_url_that_leads_nowhere_is_told_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, but a text that is long enough to look at")
    urls = ["nonsense", "nosuchdb://u:secret@h/d", f"sqlite:///{tmp_path}/text", f"sqlite:///{tmp_path}/text/below"]
    for url in [*urls, "postgresql+psycopg://u:secret@127.0.0.1:1/d"]:
        with pytest.raises(DatabaseUnreachable) as caught:
            open_database(url)
        assert "secret" not in str(caught.value)


def test_creating_tables_again_changes_nothing(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/x.db")
    create_tables(engine)
    create_tables(engine)
    assert set(rows(engine)) == set(metadata.tables)


def test_several_processes_may_begin_with_one_new_database(tmp_path: Path, spawn: Spawn) -> None:
    code = f"""
from pathlib import Path
from tests.lineage.acts import *
print("ready", flush=True)
input()
catalogue(Path({str(tmp_path)!r}))
print("done", flush=True)
"""
    processes = [spawn(code) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in processes] == ["done\n"] * 4


def test_a_database_that_fails_later_is_told_in_one_sentence_too(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/provender.db")
    with engine.connect() as connection, pytest.raises(DatabaseUnreachable, match="no such table"):
        connection.exec_driver_sql("SELECT * FROM nothing_of_that_name")
    engine.dispose()
