"""DuckDB as we open it: alone, within limits, leaving nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from governance.errors import ConfigurationError
from lineage.duckdb_engine import Limits, connected

ROWS = pa.table({"key": np.random.default_rng(1).integers(0, 2**60, 3_000_000)})


def test_what_does_not_fit_into_memory_is_spilled_to_a_private_folder_and_gone_afterwards(tmp_path: Path) -> None:
    with connected(Limits(memory="30MB", threads=2, spill=tmp_path / "spill")) as connection:
        connection.register("rows", ROWS)
        reader = connection.sql("SELECT key FROM rows ORDER BY key").to_arrow_reader()
        first = reader.read_next_batch()
        folders = list((tmp_path / "spill").iterdir())
        assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700]
        assert any(path.is_file() for path in folders[0].rglob("*"))
        count = len(first) + sum(len(batch) for batch in reader)
    assert count == len(ROWS)
    assert list((tmp_path / "spill").iterdir()) == []


def interrupted(limits: Limits) -> None:
    with connected(limits) as connection:
        connection.register("rows", ROWS)
        connection.sql("SELECT key FROM rows ORDER BY key").to_arrow_reader().read_next_batch()
        raise KeyError


def test_what_was_spilled_is_gone_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        interrupted(Limits(memory="30MB", spill=tmp_path))
    assert list(tmp_path.iterdir()) == []


def too_much(limits: Limits) -> None:
    with connected(limits) as connection:
        connection.register("rows", ROWS)
        connection.sql("SELECT list(key) FROM rows").to_arrow_table()


def test_work_that_does_not_fit_at_all_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="memory_limit=2MB"):
        too_much(Limits(memory="2MB", spill=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    ["INSTALL httpfs", "LOAD httpfs", "SELECT * FROM '{file}'", "SET threads = 9", "SET TimeZone = 'Asia/Tokyo'"],
)
def test_it_reaches_nothing_outside_and_keeps_its_settings(statement: str, tmp_path: Path) -> None:
    file = tmp_path / "private.csv"
    file.write_text("name\nAda\n")
    with connected(Limits()) as connection, pytest.raises(duckdb.Error):
        connection.sql(statement.format(file=file))


def test_it_does_not_see_the_callers_variables() -> None:
    hidden = ROWS
    with connected(Limits()) as connection, pytest.raises(duckdb.CatalogException):
        connection.sql("SELECT * FROM hidden")
    assert hidden is ROWS


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_moments_do_not_depend_on_the_machines_time_zone(zone: str) -> None:
    script = (
        "from lineage.duckdb_engine import Limits, connected\n"
        "with connected(Limits()) as connection:\n"
        "    print(connection.sql(\"SELECT epoch(CAST(TIMESTAMP '2024-01-01' AS TIMESTAMPTZ)),"
        " hour(TIMESTAMPTZ '2024-07-01 00:00:00+00')\").fetchall())\n"
    )
    environment = {**os.environ, "TZ": zone, "HOME": os.devnull}  # no folder of extensions either
    ran = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[(1704067200.0, 0)]"


def test_threads_and_memory_are_as_asked() -> None:
    with connected(Limits(memory="1GiB", threads=1)) as connection:
        query = "SELECT current_setting('memory_limit'), current_setting('threads')"
        assert connection.sql(query).fetchall() == [("1.0 GiB", 1)]


@pytest.mark.parametrize(("memory", "size"), [("2GiB", 2**31), ("1.5 kb", 1500), ("500MB", 5 * 10**8), (None, None)])
def test_a_size_is_read_as_duckdb_reads_it(memory: str | None, size: int | None) -> None:
    assert Limits(memory=memory).memory_bytes == size


@pytest.mark.parametrize("memory", ["", "2", "-1", "0GB", "GiB", "2 GiBs", "80%", "much"])
def test_a_size_that_is_none_names_the_setting(memory: str) -> None:
    with pytest.raises(ConfigurationError, match="memory_limit"):
        Limits(memory=memory)


def test_no_thread_at_all_names_the_setting() -> None:
    with pytest.raises(ConfigurationError, match="threads is 0"):
        Limits(threads=0)


def test_a_spill_directory_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="spill_directory"), connected(Limits(spill=tmp_path / "file")):
        pass
