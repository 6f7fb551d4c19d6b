"""Old versions of views read what they were defined over; where that has moved since, not beside what reads it now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from governance.errors import WrongQuestion
from tests.api.feast.universal.small_repository import NOON, Small, entity, hours, times, view


def _views(source: Any, **options: Any) -> list[Any]:
    from feast import Field
    from feast.types import Float64, Int64

    patient, key = entity("patient", "patient_id"), Field(name="patient_id", dtype=Int64)
    names = {"labs": "x", "vitals": "y"}
    made = [view(n, source, [patient], [key, Field(name=f, dtype=Float64)], **options) for n, f in names.items()]
    return [source, patient, *made]


@pytest.fixture
def moved(tmp_path: Path) -> tuple[Small, Any]:
    """Two views over the source ``hospital``, which was at ``old.parquet`` in their first version."""
    small = Small(tmp_path / "repository").prepare()
    said = {"patient_id": [1], "event_timestamp": times([hours(-1)])}
    old, new = (
        small.source(name, pa.table({**said, "x": [value], "y": [value]}))
        for name, value in (("old", 1.0), ("new", 2.0))
    )
    old.name = new.name = "hospital"
    small.applied(*_views(old))
    return small, small.applied(*_views(new, ttl=timedelta(hours=5), description="moved"))


def _asked(store: Any, *features: str) -> Any:
    spine = pd.DataFrame({"patient_id": [1], "event_timestamp": pd.to_datetime([NOON], utc=True)})
    return store.get_historical_features(spine, features=list(features))


def _files(small: Small) -> list[str]:
    (source,) = small.predicates("retrieval")[-1]["sources"]
    return [Path(file["path"]).name for file in source["files"]]


def test_each_version_reads_and_records_its_own_source(moved: Any) -> None:
    small, store = moved
    assert _asked(store, "labs@v0:x").to_arrow().column("x").to_pylist() == [1.0]
    assert _files(small) == ["old.parquet"]
    assert _asked(store, "labs:x", "vitals:y").to_arrow().column("y").to_pylist() == [2.0]
    assert _files(small) == ["new.parquet"]


def test_two_places_of_one_name_are_not_read_in_one_run(moved: Any) -> None:
    small, store = moved
    job = _asked(store, "labs@v0:x", "vitals:y")
    with pytest.raises(WrongQuestion, match="Two sources at different places are called hospital"):
        job.to_arrow()
    assert small.predicates("retrieval")[-1]["state"] == "FAIL"
