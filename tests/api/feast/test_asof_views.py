"""Feature views as the join sees them: every join key has a column of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from governance.errors import WrongQuestion
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view


@pytest.fixture
def distances(tmp_path: Path) -> Small:
    """From one city to another, and services that map both keys."""
    from feast import FeatureService, Field
    from feast.types import Float64, Int64

    small = Small(tmp_path / "repository").prepare()
    rows = {"a_id": [2, 1, 1, 2], "b_id": [2, 1, 2, 1], "event_timestamp": times([hours(-1)] * 4)}
    source = small.source("distances", pa.table({**rows, "km": [22.0, 11.0, 12.0, 21.0]}))
    ends = [entity("a", "a_id"), entity("b", "b_id")]
    schema = [Field(name="a_id", dtype=Int64), Field(name="b_id", dtype=Int64), Field(name="km", dtype=Float64)]
    whole = view("distances", source, ends, schema)
    maps = {
        "loop": {"a_id": "city", "b_id": "city"},
        "half": {"a_id": "b_id"},
        "swap": {"a_id": "b_id", "b_id": "a_id"},
    }
    said = {"owner": LABELS["owner"], "tags": LABELS["tags"]}
    services = [FeatureService(name=n, features=[whole.with_join_key_map(m)], **said) for n, m in maps.items()]
    small.applied(*ends, whole, *services)
    return small


def _spine(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({**columns, "event_timestamp": pd.to_datetime([NOON], utc=True)})


@pytest.mark.parametrize("engine", ["api.feast.AsofOfflineStore", "duckdb", "dask"])
@pytest.mark.parametrize("service", ["loop", "half"])
def test_one_column_for_two_keys_is_refused(distances: Small, engine: str, service: str) -> None:
    """One of the two would be left out, and the row would be given the distance of another pair."""
    distances.configure(lambda document: document.update(offline_store={"type": engine}))
    store = distances.store()
    spine = _spine(city=[1], b_id=[1])
    with pytest.raises(WrongQuestion, match=r"The entity column (city|b_id) is to be both a_id and b_id"):
        store.get_historical_features(spine, features=store.get_feature_service(service))
    assert [one["state"] for one in distances.predicates("retrieval")][-1] == "FAIL"


def test_keys_may_change_places(distances: Small) -> None:
    store = distances.store()
    job = store.get_historical_features(_spine(a_id=[2], b_id=[1]), features=store.get_feature_service("swap"))
    assert job.to_arrow().column("km").to_pylist() == [12.0]
