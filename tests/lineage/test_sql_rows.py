"""Entity rows from SQL: one SELECT over given tables, and no way to anything else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from governance.errors import WrongQuestion
from lineage.errors import SourceUnreadable
from lineage.sql_rows import parsed

VISITS = pa.table({"patient": [1, 2, 2], "name": ["a", "b", "c"]})


def test_a_query_is_answered_from_tables_and_datasets_by_name() -> None:
    query = parsed("SELECT patient + 1 AS next FROM \"the visits\" v JOIN stays USING (patient) WHERE name > 'a'")
    assert query.tables == ("stays", "the visits")
    tables = {"the visits": ds.dataset(VISITS), "stays": pa.table({"patient": [2]})}
    assert query.rows(tables).to_pydict() == {"next": [3, 3]}
    assert query.schema(tables) == pa.schema([("next", pa.int64())])


def test_nanoseconds_and_time_zones_pass_through() -> None:
    kind = pa.timestamp("ns", "Europe/Berlin")
    moments = pa.table({"seen": pa.array([1_700_000_000_000_000_001], kind)})
    found = parsed("SELECT seen FROM moments").rows({"moments": moments}).column("seen")
    assert found.cast(pa.int64()).to_pylist() == [1_700_000_000_000_000_001]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELECT 1; SELECT 2",
        "DROP TABLE visits",
        "SET threads = 1",
        "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "PRAGMA version",
        "PIVOT visits ON name USING count(*)",
    ],
)
def test_what_is_not_one_select_over_tables_is_refused(text: str) -> None:
    with pytest.raises(WrongQuestion):
        parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM elsewhere",
        "SELECT missing FROM visits",
        "SELECT patient, patient FROM visits",
        "SELECT * FROM other.visits",
        "SELECT * FROM read_parquet('visits.parquet')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT getenv('HOME')",
    ],
)
def test_what_the_tables_do_not_give_is_refused(text: str) -> None:
    query = parsed(text)
    with pytest.raises(WrongQuestion):
        query.rows({"visits": VISITS})


@pytest.mark.parametrize("name", ["'{}'", '"{}"'])
def test_a_file_is_not_a_table(tmp_path: Path, name: str) -> None:
    pq.write_table(VISITS, tmp_path / "visits.parquet")
    query = parsed(f"SELECT * FROM {name.format(tmp_path / 'visits.parquet')}")
    with pytest.raises(WrongQuestion):
        query.rows({"visits": VISITS})


@pytest.mark.parametrize("text", ["SELECT * FROM query('SELECT * FROM secret')", "SELECT * FROM query_table('secret')"])
def test_a_table_that_is_not_named_is_not_seen_even_by_a_query_in_a_query(text: str) -> None:
    query = parsed(text)
    assert query.tables == ()
    with pytest.raises(WrongQuestion):
        query.rows({"visits": VISITS, "secret": VISITS})


def test_a_name_of_its_own_may_stand_for_a_table_elsewhere() -> None:
    query = parsed(
        "WITH visits AS (SELECT * FROM visits), late AS (SELECT * FROM visits) SELECT count(*) AS n FROM late"
    )
    assert (query.tables, query.own) == (("late", "visits"), frozenset({"late", "visits"}))
    assert query.rows({"visits": VISITS}).to_pydict() == {"n": [3]}


def test_no_message_repeats_a_value_or_the_query() -> None:
    with pytest.raises(SourceUnreadable) as failed:
        parsed("SELECT CAST(name AS INT) FROM visits").rows({"visits": pa.table({"name": ["Musterfrau"]})})
    with pytest.raises(WrongQuestion) as unfit:
        parsed("SELECT missing FROM visits WHERE name = 'Musterfrau'").rows({"visits": VISITS})
    with pytest.raises(WrongQuestion) as unread:
        parsed("SELECT 'Musterfrau' FROM FROM")
    for error in (failed, unfit, unread):
        assert "Musterfrau" not in str(error.value)
