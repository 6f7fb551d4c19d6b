"""Entity rows from whatever streams Arrow: the same rows are the same table."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lineage.entity_rows import has_rows, spine_digest, spine_table
from lineage.errors import LossyCast, SourceUnreadable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
UTC_US = pa.timestamp("us", "UTC")


def _table() -> pa.Table:
    return pa.table({"key": [1, None], "name": ["ä", None], "event_timestamp": pa.array([NOON, None], UTC_US)})


def test_pandas_arrow_and_polars_rows_have_one_digest() -> None:
    table = _table()
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    given = [table, table.to_reader(), pl.from_arrow(table), frame, table.to_batches()[0]]
    assert len({spine_digest(rows) for rows in given}) == 1


@pytest.mark.parametrize(
    "moments",
    [
        pa.array(["2026-03-01T12:00:00", "2026-03-01 13:00:00.5+01:00"]),
        pa.array(["2026-03-01T12:00:00", "2026-03-01 13:00:00.5+01:00"]).dictionary_encode(),
        pa.array(["2026-03-01T12:00:00", "2026-03-01 13:00:00.5+01:00"], pa.large_string()),
    ],
    ids=["text", "dictionary", "large"],
)
def test_event_timestamps_may_be_text_where_none_means_utc(moments: pa.Array) -> None:
    found = spine_table(pa.table({"event_timestamp": moments})).column("event_timestamp")
    assert found.type == UTC_US
    assert found.to_pylist() == [NOON, NOON.replace(microsecond=500_000)]


def test_event_timestamps_may_be_days() -> None:
    found = spine_table(pa.table({"event_timestamp": [date(2026, 3, 1)], "other": [date(2026, 3, 1)]}))
    assert found.column("event_timestamp").to_pylist() == [datetime(2026, 3, 1, tzinfo=UTC)]
    assert found.schema.field("other").type == pa.date32()


def test_text_that_is_no_time_is_refused_without_repeating_it() -> None:
    with pytest.raises(SourceUnreadable, match="ISO 8601") as error:
        spine_table(pa.table({"event_timestamp": ["2026-03-01", "Musterfrau"]}))
    assert "Musterfrau" not in str(error.value)


def test_nanoseconds_are_refused_and_not_cut_off() -> None:
    with pytest.raises(LossyCast, match="row 1"):
        spine_table(pa.table({"event_timestamp": pa.array([1000, 1001], pa.timestamp("ns"))}))


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(SourceUnreadable, match="one name"):
        spine_table(pa.table([[1], [2]], names=["key", "key"]))


@pytest.mark.parametrize("given", [None, "SELECT 1", {"key": [1]}, [1]])
def test_what_does_not_stream_rows_has_none(given: Any) -> None:
    assert not has_rows(given)
