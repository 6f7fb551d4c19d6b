"""Only what is asked for decides types: other features of a view may have the names of other columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from api.feast.reproduction import reproduce
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view


def _rows(**columns: Any) -> pa.Table:
    return pa.table({"patient_id": [1, 2], "event_timestamp": times([hours(-1)] * 2), **columns})


def _spine(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": [1, 2], "event_timestamp": pd.to_datetime([NOON] * 2, utc=True), **columns})


@pytest.fixture
def two_views(tmp_path: Path) -> tuple[Small, Any]:
    """``a`` has an integer x; ``b`` has a text of that name, and y."""
    from feast import Field
    from feast.types import Float64, Int64, String

    small = Small(tmp_path / "repository").prepare()
    patient, key = entity("patient", "patient_id"), Field(name="patient_id", dtype=Int64)
    a, b = small.source("sa", _rows(x=[5, 7])), small.source("sb", _rows(x=["p", "q"], y=[1.0, 2.0]))
    views = [
        view("a", a, [patient], [key, Field(name="x", dtype=Int64)]),
        view("b", b, [patient], [key, Field(name="x", dtype=String), Field(name="y", dtype=Float64)]),
    ]
    return small, small.applied(patient, *views)


@pytest.mark.parametrize("asked", [("a:x", "b:y"), ("b:y", "a:x")], ids=["x first", "y first"])
def test_the_feature_of_another_view_that_nobody_asked_for_decides_no_type(two_views: Any, asked: Any) -> None:
    small, store = two_views
    job = store.get_historical_features(_spine(), features=list(asked))
    assert job.to_arrow().schema.field("x").type == pa.int64()
    alone = store.get_historical_features(_spine(y=[1.0, 2.0]), features=["a:x"])
    assert alone.to_arrow().schema.field("x").type == pa.int64()
    assert job.snapshot.digest == alone.snapshot.digest
    assert small.predicates("retrieval")[1]["request"]["features"] == list(asked)
    found = reproduce(small.parts, job.snapshot.id)
    assert (found.exact, found.reasons, found.differs) == (True, (), ())


def test_an_output_of_an_on_demand_view_that_nobody_asked_for_decides_no_type(tmp_path: Path) -> None:
    from feast import Field
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64, Int64, String

    small = Small(tmp_path / "repository").prepare()
    patient = entity("patient", "patient_id")
    fields = [Field(name="patient_id", dtype=Int64), Field(name="bilirubin", dtype=Float64)]
    laboratory = view("laboratory", small.source("lab", _rows(bilirubin=[0.75, 1.5])), [patient], fields)

    def scores(rows: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"score": rows["bilirubin"] * 2, "bilirubin": rows["bilirubin"].astype(str)})

    schema = [Field(name="score", dtype=Float64), Field(name="bilirubin", dtype=String)]
    store = small.applied(
        patient, laboratory, on_demand_feature_view(sources=[laboratory], schema=schema, **LABELS)(scores)
    )
    job = store.get_historical_features(_spine(), features=["laboratory:bilirubin", "scores:score"])
    assert job.to_arrow().schema.field("bilirubin").type == pa.float64()
    alone = store.get_historical_features(_spine(), features=["scores:score"])  # Feast adds what the view reads
    alone.to_arrow()
    asked = small.predicates("retrieval")[-1]["request"]
    assert asked["features"] == ["scores:score", "laboratory:bilirubin"]
    for each in (job, alone):
        found = reproduce(small.parts, each.snapshot.id)
        assert (found.exact, found.reasons) == (True, ())


@pytest.mark.parametrize(
    ("label", "kind"),
    [(["7", "8"], pa.string()), ([1.0, 2.0], pa.float64()), ([0.5, 0.25], pa.float64()), ([True, None], pa.bool_())],
    ids=["text", "whole floats", "fractions", "booleans"],
)
def test_a_spine_column_named_like_a_feature_that_nobody_asked_for_keeps_its_type(
    two_views: Any, label: list[Any], kind: pa.DataType
) -> None:
    _, store = two_views
    frame = _spine(x=label)
    table = store.get_historical_features(frame, features=["b:y"]).to_arrow()
    assert table.column("x").to_pylist() == label
    assert table.schema.field("x").type in {kind, pa.large_string() if kind == pa.string() else kind}
