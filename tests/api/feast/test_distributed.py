"""What is refused of engines that are not ours, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from governance.errors import WrongQuestion
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view


@pytest.fixture
def singleton(tmp_path: Path) -> Small:
    """A view whose on-demand function was written for one row."""
    from feast import Field
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64, Int64

    small, patient = Small(tmp_path / "repository").prepare(), entity("patient", "patient_id")
    rows = {"patient_id": [1, 2], "event_timestamp": times([hours(-1)] * 2), "bilirubin": [0.75, None]}
    schema = [Field(name="patient_id", dtype=Int64), Field(name="bilirubin", dtype=Float64)]
    laboratory = view("laboratory", small.source("lab", pa.table(rows)), [patient], schema)

    def alarm(row: dict[str, Any]) -> dict[str, Any]:
        return {"alarm": 0.0 if row["bilirubin"] is None else 1.0}

    alarms = on_demand_feature_view(
        sources=[laboratory],
        schema=[Field(name="alarm", dtype=Float64)],
        mode="python",
        singleton=True,
        owner=LABELS["owner"],
        tags=LABELS["tags"],
    )(alarm)
    small.applied(patient, laboratory, alarms)
    return small


def _asked(small: Small) -> Any:
    spine = pd.DataFrame({"patient_id": [1, 2], "event_timestamp": pd.to_datetime([NOON] * 2, utc=True)})
    return small.store().get_historical_features(spine, features=["alarm:alarm"])


def test_our_own_store_computes_a_function_for_one_row_by_row(singleton: Small) -> None:
    assert _asked(singleton).to_arrow().column("alarm").to_pylist() == [1.0, 0.0]


@pytest.mark.parametrize("engine", ["duckdb", "dask"])
def test_feasts_own_stores_are_not_asked_to(singleton: Small, engine: str) -> None:
    singleton.configure(lambda document: document.update(offline_store={"type": engine}))
    with pytest.raises(WrongQuestion, match=r"\['alarm'\] are written for one row"):
        _asked(singleton)
    assert singleton.predicates("retrieval")[-1]["state"] == "FAIL"


def test_an_engine_says_whose_join_it_runs() -> None:
    from api.feast.distributed import engine_of

    class RayOfflineStoreConfig: ...

    class RayOfflineStore: ...

    class DaskOfflineStore: ...

    ray: Any = SimpleNamespace(offline_store=RayOfflineStoreConfig())
    assert engine_of(ray, RayOfflineStore, ours=False)["join"].startswith("provender ")
    dask: Any = SimpleNamespace(offline_store=object())
    assert set(engine_of(dask, DaskOfflineStore, ours=False)) == {"name", "version"}
