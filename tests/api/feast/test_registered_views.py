"""A provider reads what is registered, whatever view it is handed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from governance.errors import Denied, WrongQuestion
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view


@pytest.fixture
def hospital(tmp_path: Path) -> tuple[Small, Any]:
    """``laboratory``, which may not be asked for, and ``wards``, which may."""
    from feast import Field
    from feast.types import Float64, Int64

    small, patient = Small(tmp_path / "repository").prepare(), entity("patient", "patient_id")
    said = {"patient_id": [1], "event_timestamp": times([hours(-1)])}
    key = Field(name="patient_id", dtype=Int64)
    lab = small.source("lab", pa.table({**said, "bilirubin": [0.75]}))
    pub = small.source("pub", pa.table({**said, "ward": [3.0]}))
    private = {"residency": "DE", "purpose": "research"}
    store = small.applied(
        patient,
        view("laboratory", lab, [patient], [key, Field(name="bilirubin", dtype=Float64)], tags=private),
        view("wards", pub, [patient], [key, Field(name="ward", dtype=Float64)]),
        view("alarms", pub, [], [Field(name="ward", dtype=Float64)]),
    )
    return small, store


def _spine() -> pd.DataFrame:
    return pd.DataFrame({"patient_id": [1], "event_timestamp": pd.to_datetime([NOON], utc=True)})


def _asked(store: Any, handed: Any, *refs: str) -> Any:
    provider = store._get_provider()
    return provider.get_historical_features(
        store.config, [handed], list(refs), _spine(), store.registry, store.project, full_feature_names=False
    )


def _elsewhere(handed: Any) -> None:
    from feast import FileSource

    handed.batch_source = FileSource(
        name="pub",
        path="sources/lab.parquet",
        timestamp_field="event_timestamp",
        field_mapping={"bilirubin": "ward"},
        **LABELS,
    )


def _for_ever(handed: Any) -> None:
    handed.ttl = timedelta(days=9)


@pytest.mark.parametrize("change", [_elsewhere, _for_ever], ids=["elsewhere", "for ever"])
@pytest.mark.parametrize("version", [None, 0])
def test_a_view_that_says_something_else_is_refused(hospital: Any, change: Any, version: int | None) -> None:
    small, store = hospital
    with pytest.raises(Denied):
        store.get_historical_features(_spine(), features=["laboratory:bilirubin"])
    handed = store.get_feature_view("wards")
    handed.projection.version_tag = version
    ref = "wards:ward" if version is None else f"wards@v{version}:ward"
    assert _asked(store, handed, ref).to_arrow().column("ward").to_pylist() == [3.0]
    before = len(small.records("retrieval"))
    change(handed)
    with pytest.raises(WrongQuestion, match="wards that was handed in is not the one that is registered"):
        _asked(store, handed, ref)
    assert len(small.records("retrieval")) == before


def test_a_version_that_was_never_registered_is_refused(hospital: Any) -> None:
    from feast.errors import FeatureViewVersionNotFound

    _, store = hospital
    handed = store.get_feature_view("wards")
    handed.projection.version_tag = 7
    _elsewhere(handed)
    with pytest.raises(FeatureViewVersionNotFound):
        _asked(store, handed, "wards@v7:ward")


def test_a_name_that_is_not_registered_is_denied_on_record(hospital: Any) -> None:
    small, store = hospital
    handed = store.get_feature_view("wards")
    handed.name = handed.projection.name = "corridors"
    with pytest.raises(Denied):
        _asked(store, handed, "corridors:ward")
    assert small.predicates("retrieval")[-1]["state"] == "DENIED"


def test_a_view_is_not_materialized_from_elsewhere(hospital: Any) -> None:
    small, store = hospital
    handed = store.get_feature_view("wards")
    _elsewhere(handed)
    with pytest.raises(WrongQuestion, match="is not the one that is registered"):
        store._get_provider().materialize_single_feature_view(
            store.config, handed, hours(-9), hours(9), store.registry, store.project, lambda _: None
        )
    assert small.predicates("materialization") == []


def test_aliases_and_views_without_entities_are_as_registered(hospital: Any) -> None:
    _, store = hospital
    handed = store.get_feature_view("wards").with_name("mother").with_join_key_map({"patient_id": "patient_id"})
    assert _asked(store, handed, "mother:ward").to_arrow().column("ward").to_pylist() == [3.0]
    assert store.get_historical_features(_spine(), features=["alarms:ward"]).to_arrow().num_rows == 1
    store.materialize(hours(-9), hours(9), feature_views=["wards"])
