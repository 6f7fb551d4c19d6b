"""The spine of the example: which patient at which moment, and what came to pass.

Made from ``laboratory.parquet`` (there was a visit) and ``follow_up.parquet`` (how it ended), so that
the labels have a recorded origin. The function stands alone: its source text is the code that is recorded.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa


def liver_spine(laboratory: Path, follow_up: Path) -> pa.Table:
    """One row for each visit whose next 365 days are known.

    Columns ``patient_id`` (int64), ``event_timestamp`` (UTC, the evening of the visit's day, when its
    results are in) and ``event_within_365_days`` (int64): 1 where the patient died or was transplanted
    within 365 days of the visit's day, else 0. A visit followed for fewer than 365 days without such
    an event is left out: nobody knows its label. Sorted by patient and time.
    """
    from datetime import timedelta

    import pyarrow as pa
    import pyarrow.parquet as pq

    horizon, evening = timedelta(days=365), timedelta(hours=18)
    ends = pq.read_table(follow_up).to_pylist()
    end_of = {row["patient_id"]: (row["event_timestamp"].date(), row["outcome"] != "censored") for row in ends}
    rows = []
    for visit in pq.read_table(laboratory, columns=["patient_id", "event_timestamp"]).to_pylist():
        midnight = visit["event_timestamp"].replace(hour=0, minute=0, second=0, microsecond=0)
        last_day, had_event = end_of[visit["patient_id"]]
        observed = last_day - midnight.date()
        event = had_event and observed <= horizon
        if event or observed >= horizon:
            rows.append((visit["patient_id"], midnight + evening, int(event)))
    patients, moments, labels = zip(*sorted(rows), strict=True)
    return pa.table(
        {
            "patient_id": pa.array(patients, pa.int64()),
            "event_timestamp": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "event_within_365_days": pa.array(labels, pa.int64()),
        }
    )
