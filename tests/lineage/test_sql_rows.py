"""Entity rows from SQL: one SELECT over given tables, and no way to anything else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from governance.errors import ConfigurationError, WrongQuestion
from lineage.duckdb_engine import Limits
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
        "SELECT * FROM duckdb_tables",
        "SELECT * FROM sqlite_master",
        "SELECT getenv('HOME')",
    ],
)
def test_what_the_tables_do_not_give_is_refused(text: str) -> None:
    query = parsed(text)
    with pytest.raises(WrongQuestion):
        query.rows({"visits": VISITS})


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM other.visits",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM visits WHERE patient IN (SELECT 1 FROM memory.main.visits)",
        "SELECT * FROM read_parquet('visits.parquet')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT value FROM DuckDB_Settings() WHERE name = 'temp_directory'",
        "SELECT * FROM query('SELECT * FROM secret')",
        "SELECT * FROM query_table('secret')",
        "SELECT Current_Setting('temp_directory') FROM visits",
    ],
)
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(WrongQuestion, match="data sources"):
        parsed(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT * FROM visits ORDER BY Random()", "random"),
        ("SELECT patient, uuid() AS id FROM visits", "uuid"),
        ("SELECT * FROM visits WHERE patient IN (SELECT patient FROM stays LIMIT 1)", "LIMIT without ORDER BY"),
        ("WITH first AS (FROM visits LIMIT 1) SELECT * FROM first ORDER BY patient", "LIMIT without ORDER BY"),
        ("SELECT * FROM visits OFFSET 1", "LIMIT without ORDER BY"),
        ("SELECT * FROM visits TABLESAMPLE 10%", "a sample"),
        ("SELECT * FROM visits USING SAMPLE 3", "a sample"),
    ],
)
def test_what_would_give_other_rows_another_time_is_refused(text: str, says: str) -> None:
    with pytest.raises(WrongQuestion, match=says):
        parsed(text)


def test_what_duckdb_calls_volatile_is_what_is_refused() -> None:
    listed = duckdb.sql("SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'")
    assert listed is not None
    rows = listed.fetchall()
    for (name,) in rows:
        with pytest.raises(WrongQuestion, match=name):
            parsed(f"SELECT {name}()")


def test_rows_of_values_and_the_first_of_an_order_are_no_chance() -> None:
    query = parsed("SELECT patient FROM visits, range(2) r, unnest([7]) u ORDER BY patient, r.range DESC LIMIT 2")
    assert query.rows({"visits": VISITS}).to_pydict() == {"patient": [1, 1]}


def test_a_query_that_is_too_large_for_its_memory_names_the_setting() -> None:
    query = parsed("SELECT list(a.range) FROM range(3000) a, range(3000) b")
    with pytest.raises(ConfigurationError, match="memory_limit"):
        query.rows({}, Limits(memory="10MB"))


@pytest.mark.parametrize("name", ["'{}'", '"{}"'])
def test_a_file_is_not_a_table(tmp_path: Path, name: str) -> None:
    pq.write_table(VISITS, tmp_path / "visits.parquet")
    query = parsed(f"SELECT * FROM {name.format(tmp_path / 'visits.parquet')}")
    with pytest.raises(WrongQuestion):
        query.rows({"visits": VISITS})


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
