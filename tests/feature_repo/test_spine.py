from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def spine(repository: Path, spine_module: Any) -> pa.Table:
    folder = repository / "data" / "sources"
    table: pa.Table = spine_module.liver_spine(folder / "laboratory.parquet", folder / "follow_up.parquet")
    return table


def test_every_label_agrees_with_the_days_of_the_published_table(spine: pa.Table, sources_module: Any) -> None:
    """Independent of our timestamps: from pbcseq's own day, futime and status, patient by patient."""
    expected = []
    for visit in sources_module.trial_visits().to_dict("records"):
        left = visit["futime"] - visit["day"]
        if visit["status"] in (1, 2) and left <= 365:
            expected.append((visit["id"], visit["day"], 1))
        elif left >= 365:
            expected.append((visit["id"], visit["day"], 0))
    day_zero = sources_module.DAY_ZERO.date()
    found = [
        (row["patient_id"], (row["event_timestamp"].date() - day_zero).days, row["event_within_365_days"])
        for row in spine.to_pylist()
    ]
    assert found == expected
    assert (len(found), sum(label for _, _, label in found)) == (1879, 181)


def test_a_row_stands_after_its_results_and_before_the_end_of_observation(spine: pa.Table, repository: Path) -> None:
    folder = repository / "data" / "sources"
    reported = {
        (row["patient_id"], row["event_timestamp"].date()): row["created_timestamp"]
        for row in pq.read_table(folder / "laboratory.parquet").to_pylist()
    }
    ended = {
        row["patient_id"]: row["event_timestamp"] for row in pq.read_table(folder / "follow_up.parquet").to_pylist()
    }
    for row in spine.to_pylist():
        moment = row["event_timestamp"]
        assert reported[row["patient_id"], moment.date()] < moment < ended[row["patient_id"]]


def test_the_boundary_of_365_days_belongs_to_the_event_and_to_the_survivor(tmp_path: Path, spine_module: Any) -> None:
    """Ends on day 365 and 366, dead or censored: only a censored 364 days stays unknown."""
    from datetime import UTC, datetime, timedelta

    start = datetime(2020, 1, 1, 8, tzinfo=UTC)
    cases = [(365, "death"), (366, "death"), (365, "censored"), (364, "censored"), (364, "transplant")]
    visits = {"patient_id": list(range(len(cases))), "event_timestamp": [start] * len(cases)}
    ends = {
        "patient_id": list(range(len(cases))),
        "event_timestamp": [start + timedelta(days=days) for days, _ in cases],
        "outcome": [outcome for _, outcome in cases],
    }
    pq.write_table(pa.table(visits), tmp_path / "laboratory.parquet")
    pq.write_table(pa.table(ends), tmp_path / "follow_up.parquet")
    spine = spine_module.liver_spine(tmp_path / "laboratory.parquet", tmp_path / "follow_up.parquet")
    labels = dict(zip(spine["patient_id"].to_pylist(), spine["event_within_365_days"].to_pylist(), strict=True))
    assert labels == {0: 1, 1: 0, 2: 0, 4: 1}


def test_the_schema_is_what_a_retrieval_expects(spine: pa.Table) -> None:
    assert [(field.name, str(field.type)) for field in spine.schema] == [
        ("patient_id", "int64"),
        ("event_timestamp", "timestamp[us, tz=UTC]"),
        ("event_within_365_days", "int64"),
    ]
