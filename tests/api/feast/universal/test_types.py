"""Every type that Feast's fields have, from a source to a snapshot."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from governance.errors import AnswerIsNo
from tests.api.feast.universal.small_repository import NOON, Small, entity, hours, times, view

WHEN = datetime(1980, 1, 1, tzinfo=UTC)


def _columns() -> dict[str, tuple[Any, pa.Array, list[Any], pa.DataType | None]]:
    """Feature → Feast's type, what the source holds, what comes back, and as which Arrow type."""
    from feast import types

    text, whole = pa.string(), pa.int64()
    utc = pa.timestamp("us", "UTC")
    people = pa.struct([("name", text), ("age", text)])
    named = [{"name": "A", "age": "7"}, None]
    return {
        "int32": (types.Int32, pa.array([7, None], pa.int64()), [7, None], pa.int32()),
        "int64": (types.Int64, pa.array([2**62, None], whole), [2**62, None], whole),
        "float32": (types.Float32, pa.array([0.5, None], pa.float64()), [0.5, None], pa.float32()),
        "float64": (types.Float64, pa.array([0.1, None], pa.float64()), [0.1, None], pa.float64()),
        "string": (types.String, pa.array(["Größe", None], text), ["Größe", None], text),
        "dictionary": (types.String, pa.array(["a", None]).dictionary_encode(), ["a", None], text),
        "bytes": (types.Bytes, pa.array([b"\x00\xff", None]), [b"\x00\xff", None], pa.binary()),
        "bool": (types.Bool, pa.array([True, None]), [True, None], pa.bool_()),
        "moment": (types.UnixTimestamp, pa.array([WHEN.replace(tzinfo=None), None]), [WHEN, None], utc),
        "day": (types.UnixTimestamp, pa.array([date(1980, 1, 1), None]), [WHEN, None], utc),
        "decimal": (types.Decimal, pa.array([Decimal("1.10"), None], pa.decimal128(9, 2)), ["1.10", None], text),
        "list": (types.Array(types.Int32), pa.array([[7, 8], None], pa.list_(whole)), [[7, 8], None], None),
        "empty": (types.Array(types.Int64), pa.array([[], [9]], pa.list_(whole)), [[], [9]], None),
        "flags": (types.Array(types.Bool), pa.array([[True, False], None]), [[True, False], None], None),
        "moments": (
            types.Array(types.UnixTimestamp),
            pa.array([[WHEN.replace(tzinfo=None)], None]),
            [[WHEN], None],
            None,
        ),
        "set": (types.Set(types.String), pa.array([["x", "y"], None]), [["x", "y"], None], None),
        "nested": (types.Array(types.Array(types.Int64)), pa.array([[[7], []], None]), [[[7], []], None], None),
        "struct": (types.Struct({"name": types.String, "age": types.String}), pa.array(named, people), named, people),
        "map": (types.Map, pa.array([[("k", "v")], None], pa.map_(text, text)), [[("k", "v")], None], None),
        "json": (types.Json, pa.array(['{"a": 7}', None], text), ['{"a": 7}', None], None),
    }


def test_values_of_every_type_come_back_in_the_declared_one(small: Small) -> None:
    from feast import Field
    from feast.types import Int64

    columns = _columns()
    if small.kind == "delta":  # it has no such columns
        del columns["dictionary"]
    keys = {"patient_id": [1, 2], "event_timestamp": times([hours(-1)] * 2)}
    source = small.source("visits", pa.table({**keys, **{name: held for name, (_, held, *_) in columns.items()}}))
    patient = entity("patient", "patient_id")
    schema = [Field(name=name, dtype=kind) for name, (kind, *_) in columns.items()]
    laboratory = view(
        "laboratory",
        source,
        [patient],
        [Field(name="patient_id", dtype=Int64), *schema],
        ttl=timedelta(hours=2),
    )
    store = small.applied(patient, laboratory)
    spine = pd.DataFrame({"patient_id": [1, 2], "event_timestamp": [NOON] * 2})
    found = store.get_historical_features(spine, features=[f"laboratory:{name}" for name in columns]).to_arrow()
    for name, (_, _, expected, arrow) in columns.items():
        assert found[name].to_pylist() == expected, name
        assert arrow is None or found.schema.field(name).type == arrow, name


@pytest.mark.parametrize(
    ("kind", "key"),
    [("INT32", [1, 2]), ("INT64", [1, 2]), ("STRING", ["1", "2"])],
)
def test_the_type_of_a_key_is_found_in_the_source(small: Small, kind: str, key: list[Any]) -> None:
    from feast import Entity, Field
    from feast.types import Int32, Int64, String

    held = pa.int32() if kind == "INT32" else None
    rows = pa.table(
        {
            "patient_id": pa.array(key, held),
            "event_timestamp": times([hours(-1)] * 2),
            "stage": pa.array([3, 4], pa.int32()),
        }
    )
    with pytest.warns(DeprecationWarning, match="value_type"):
        patient = Entity(name="patient", join_keys=["patient_id"])
    source = small.source("visits", rows)
    laboratory = view("laboratory", source, [patient], [Field(name="stage", dtype=Int32)], ttl=timedelta(hours=2))
    store = small.applied(patient, laboratory)
    (column,) = laboratory.entity_columns
    assert column.dtype in {"INT32": {Int32, Int64}, "INT64": {Int64}, "STRING": {String}}[kind]
    spine = pd.DataFrame({"patient_id": key, "event_timestamp": [NOON] * 2})
    assert store.get_historical_features(spine, features=["laboratory:stage"]).to_df()["stage"].tolist() == [3, 4]


def test_a_value_that_the_declared_type_cannot_hold_is_refused_by_column_and_row(small: Small) -> None:
    from feast import Field
    from feast.types import Float32, Int64

    rows = pa.table({"patient_id": [1, 2], "event_timestamp": times([hours(-1)] * 2), "rate": [0.5, 0.1]})
    patient = entity("patient", "patient_id")
    schema = [Field(name="patient_id", dtype=Int64), Field(name="rate", dtype=Float32)]
    laboratory = view("laboratory", small.source("visits", rows), [patient], schema, ttl=timedelta(hours=2))
    store = small.applied(patient, laboratory)
    spine = pd.DataFrame({"patient_id": [1, 2], "event_timestamp": [NOON] * 2})
    with pytest.raises(AnswerIsNo, match="'rate', row 1"):
        store.get_historical_features(spine, features=["laboratory:rate"]).to_df()
