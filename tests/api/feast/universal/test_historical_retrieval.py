"""What Feast's universal tests ask of a retrieval, in our own words and with our own data."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from governance.errors import Denied, WrongQuestion
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view

pytestmark = pytest.mark.filterwarnings("ignore:On demand feature view:RuntimeWarning")

PATIENT_IDS = [1, 1, 2, 2]


def _visits(**columns: Any) -> pa.Table:
    made = {
        "patient_id": PATIENT_IDS,
        "event_timestamp": times([hours(-3), hours(-1), hours(-2), hours(1)]),
        "created": times([hours(-3)] * 4),
        "bilirubin": [0.5, 0.75, 1.5, 9.0],
    }
    return pa.table({**made, **columns})


def _patient() -> Any:
    return entity("patient", "patient_id")


def _laboratory(small: Small, rows: pa.Table | None = None, **options: Any) -> Any:
    from feast import Field
    from feast.types import Float64, Int64

    source = small.source("visits", _visits() if rows is None else rows, created_timestamp_column="created")
    schema = [Field(name="patient_id", dtype=Int64), Field(name="bilirubin", dtype=Float64)]
    return view("laboratory", source, [_patient()], schema, ttl=timedelta(hours=2), **options)


def _at(*moments: datetime, ids: Any = None) -> pd.DataFrame:
    chosen = ids if ids is not None else [1] * len(moments)
    return pd.DataFrame({"patient_id": chosen, "event_timestamp": pd.to_datetime(list(moments), utc=True)})


def _values(store: Any, spine: Any, *features: str, **options: Any) -> dict[str, list[Any]]:
    asked = list(features) or ["laboratory:bilirubin"]
    found: dict[str, list[Any]] = store.get_historical_features(spine, features=asked, **options).to_arrow().to_pydict()
    return found


def test_each_row_gets_the_latest_value_that_is_not_later_and_not_too_old(small: Small) -> None:
    """The time to live counts at both ends."""
    store = small.applied(_patient(), _laboratory(small))
    tick = timedelta(microseconds=1)
    moments = [hours(-3) - tick, hours(-3), hours(-1) - tick, hours(-1), hours(1), hours(1) + tick]
    assert _values(store, _at(*moments))["bilirubin"] == [None, 0.5, 0.5, 0.75, 0.75, None]
    assert _values(store, _at(hours(0), ids=[2]))["bilirubin"] == [1.5]


def test_without_a_time_to_live_a_value_stands_for_ever(small: Small) -> None:
    store = small.applied(_patient(), _laboratory(small))
    laboratory = store.get_feature_view("laboratory")
    laboratory.ttl = timedelta(0)
    store.apply([laboratory])
    assert _values(store, _at(hours(24 * 365)))["bilirubin"] == [0.75]


def test_of_equal_times_the_value_created_last_counts_if_it_was_known(small: Small) -> None:
    rows = _visits(
        patient_id=[1, 1, 2, 2],
        event_timestamp=times([NOON, NOON, NOON, hours(-1)]),
        created=times([hours(3), hours(1), hours(9), hours(-1)]),
    )
    store = small.applied(_patient(), _laboratory(small, rows))
    spine = _at(hours(2), hours(1), ids=[1, 2])
    assert _values(store, spine)["bilirubin"] == [0.5, 1.5]
    assert _values(store, spine, filter_by_created_timestamp=True)["bilirubin"] == [0.75, 9.0]


def test_rows_keep_their_order_and_number_and_a_null_key_finds_nothing(small: Small) -> None:
    store = small.applied(_patient(), _laboratory(small))
    ids = pd.array([2, 1, None, 1, 2, 77], dtype="Int64")
    found = _values(store, _at(*[hours(0)] * 6, ids=ids))
    assert found["patient_id"] == [2, 1, None, 1, 2, 77]
    assert found["bilirubin"] == [1.5, 0.75, None, 0.75, 1.5, None]


def _ward(small: Small) -> list[Any]:
    """Views with two keys, with no key, and under other names than their columns."""
    from feast import Field
    from feast.types import Int64, String

    ward, patient = entity("ward", "ward_id", "STRING"), _patient()
    stays = pa.table(
        {
            "patient_id": [1, 2],
            "ward_id": ["a", "b"],
            "event_timestamp": times([hours(-1)] * 2),
            "day": pa.array([4, 5], pa.int64()),
        }
    )
    beds = pa.table(
        {"ward": ["a", "b"], "event_timestamp": times([hours(-1)] * 2), "n": pa.array([10, 20], pa.int64())}
    )
    alarms = pa.table({"at": times([hours(-2), hours(-1)]), "alarm": pa.array([7, 8], pa.int64())})
    return [
        ward,
        patient,
        view("stay", small.source("stays", stays), [patient, ward], [Field(name="day", dtype=Int64)]),
        view(
            "occupancy",
            small.source("beds", beds, field_mapping={"ward": "ward_id", "n": "beds"}),
            [ward],
            [Field(name="ward_id", dtype=String), Field(name="beds", dtype=Int64)],
        ),
        view(
            "hospital",
            small.source("alarms", alarms, timestamp_field="at"),
            [],
            [Field(name="alarm", dtype=Int64)],
        ),
    ]


@pytest.mark.parametrize("names", ["full", "plain"])
def test_views_with_several_keys_with_none_and_with_other_column_names_join_in_one_retrieval(
    small: Small, names: str
) -> None:
    full = names == "full"
    store = small.applied(*_ward(small))
    spine = _at(NOON, NOON, hours(-1.5), ids=[1, 1, 2]).assign(ward_id=["a", "b", "b"])
    found = _values(store, spine, "stay:day", "occupancy:beds", "hospital:alarm", full_feature_names=full)
    columns = {"stay__day", "occupancy__beds", "hospital__alarm"} if full else {"day", "beds", "alarm"}
    assert set(found) == {"patient_id", "ward_id", "event_timestamp", *columns}
    by_feature = {name.split("__")[-1]: values for name, values in found.items()}
    assert by_feature["day"] == [4, None, None]
    assert by_feature["beds"] == [10, 20, None]
    assert by_feature["alarm"] == [8, 8, 7]


def test_one_view_under_two_names_takes_two_columns_of_the_entity_rows_for_its_key(small: Small) -> None:
    from feast import FeatureService
    from feast.errors import FeatureNameCollisionError

    *objects, occupancy, hospital = _ward(small)
    moved = FeatureService(
        name="moved",
        features=[
            occupancy.with_name("origin").with_join_key_map({"ward_id": "from_ward"}),
            occupancy.with_name("goal").with_join_key_map({"ward_id": "to_ward"}),
        ],
    )
    store = small.applied(*objects, occupancy, hospital, moved)
    spine = pd.DataFrame({"from_ward": ["a", "b"], "to_ward": ["b", "x"], "event_timestamp": [NOON, NOON]})
    service = store.get_feature_service("moved")
    found = store.get_historical_features(spine, features=service, full_feature_names=True).to_df()
    assert found["origin__beds"].tolist() == [10, 20]
    assert found["goal__beds"].tolist()[0] == 20
    assert found["goal__beds"].isna().tolist() == [False, True]
    with pytest.raises(FeatureNameCollisionError):
        store.get_historical_features(spine, features=service)


def test_a_feature_that_the_view_has_not_is_an_error_though_its_source_has_it(small: Small) -> None:
    store = small.applied(_patient(), _laboratory(small))
    with pytest.raises(KeyError):
        _values(store, _at(NOON), "laboratory:created")


def _scores(laboratory: Any, mode: str, function: Callable[..., Any], **options: Any) -> Any:
    from feast import Field, OnDemandFeatureView, RequestSource
    from feast.transformation.pandas_transformation import PandasTransformation
    from feast.transformation.python_transformation import PythonTransformation
    from feast.types import Float64, Int64

    asked = RequestSource(name="weight", schema=[Field(name="kilograms", dtype=Int64)], **LABELS)
    transformation = {"pandas": PandasTransformation, "python": PythonTransformation}[mode]
    return OnDemandFeatureView(
        name="scores",
        sources=[laboratory, asked],
        schema=[Field(name="per_kilogram", dtype=Float64), Field(name="doubled", dtype=Float64)],
        feature_transformation=transformation(udf=function, udf_string=inspect.getsource(function)),
        mode=mode,
        **LABELS,
        **options,
    )


def scores_of_frames(rows: pd.DataFrame) -> pd.DataFrame:
    """As pandas."""
    return pd.DataFrame({"per_kilogram": rows["bilirubin"] / rows["kilograms"], "doubled": rows["bilirubin"] * 2})


def scores_of_lists(rows: dict[str, Any]) -> dict[str, Any]:
    """As lists of values."""
    return {
        "per_kilogram": [a / b for a, b in zip(rows["bilirubin"], rows["kilograms"], strict=True)],
        "doubled": [value * 2 for value in rows["bilirubin"]],
    }


def scores_of_one(row: dict[str, Any]) -> dict[str, Any]:
    """As one row's values."""
    return {"per_kilogram": row["bilirubin"] / row["kilograms"], "doubled": row["bilirubin"] * 2}


@pytest.mark.parametrize("names", ["full", "plain"])
@pytest.mark.parametrize(
    ("mode", "function", "options"),
    [
        ("pandas", scores_of_frames, {}),
        ("python", scores_of_lists, {}),
        ("python", scores_of_one, {"singleton": True}),
    ],
    ids=["pandas", "python", "singleton"],
)
def test_on_demand_views_compute_what_was_asked_of_them_and_no_more(
    make_small: Callable[..., Small], mode: str, function: Any, options: dict[str, Any], names: str
) -> None:
    full, small = names == "full", make_small()
    laboratory = _laboratory(small)
    scores = _scores(laboratory, mode, function, **options)
    store = small.applied(_patient(), laboratory, scores)
    spine = _at(NOON, NOON, ids=[1, 2]).assign(kilograms=[50, 75])
    asked = [f"{scores.name}:per_kilogram"]
    found = _values(store, spine, *asked, full_feature_names=full)
    assert found[f"{scores.name}__per_kilogram" if full else "per_kilogram"] == [0.75 / 50, 1.5 / 75]
    assert not [name for name in found if name.endswith("doubled")]


@pytest.mark.parametrize("rows", ["pandas", "arrow", "sql"])
def test_request_data_that_is_missing_is_said_before_anything_runs(make_small: Callable[..., Small], rows: str) -> None:
    from feast.errors import RequestDataNotFoundInEntityDfException

    small = make_small()
    laboratory = _laboratory(small)
    scores = _scores(laboratory, "pandas", scores_of_frames)
    store = small.applied(_patient(), laboratory, scores)
    frame = _at(NOON)
    given = {"pandas": frame, "arrow": pa.Table.from_pandas(frame), "sql": "SELECT * FROM visits"}[rows]
    with pytest.raises(RequestDataNotFoundInEntityDfException, match="kilograms"):
        store.get_historical_features(given, features=[f"{scores.name}:doubled"])


def test_the_same_rows_give_the_same_snapshot_from_pandas_arrow_polars_and_text(
    make_small: Callable[..., Small],
) -> None:
    small = make_small()
    store = small.applied(_patient(), _laboratory(small))
    frame = _at(hours(0), hours(-2), ids=[1, 2])
    arrow = pa.Table.from_pandas(frame)
    moments = ["2026-03-01T13:00:00+01:00", "2026-03-01T10:00:00Z"]
    given = {
        "pandas": frame,
        "naive": frame.assign(event_timestamp=frame["event_timestamp"].dt.tz_localize(None)),
        "berlin": frame.assign(event_timestamp=frame["event_timestamp"].dt.tz_convert("Europe/Berlin")),
        "text": frame.assign(event_timestamp=moments),
        "arrow": arrow,
        "reader": arrow.to_reader(),
        "polars": pl.from_arrow(arrow),
    }
    digests = {}
    for name, rows in given.items():
        job = store.get_historical_features(rows, features=["laboratory:bilirubin"])
        assert job.to_arrow()["bilirubin"].to_pylist() == [0.75, 1.5], name
        digests[name] = job.snapshot.digest
    assert len(set(digests.values())) == 1, digests
    assert len({one["spine"]["digest"] for one in small.predicates("retrieval") if one["state"] == "COMPLETE"}) == 1


def test_an_only_timestamp_is_the_event_timestamp_whatever_its_name(small: Small) -> None:
    from feast.errors import EntityTimestampInferenceException

    store = small.applied(_patient(), _laboratory(small))
    spine = _at(NOON).rename(columns={"event_timestamp": "seen"})
    assert _values(store, pa.Table.from_pandas(spine))["bilirubin"] == [0.75]
    with pytest.raises(EntityTimestampInferenceException):
        _values(store, spine.assign(other=spine["seen"]))


def test_entity_rows_are_the_answer_of_sql_over_data_sources(small: Small) -> None:
    store = small.applied(_patient(), _laboratory(small))
    query = "SELECT patient_id, event_timestamp + INTERVAL 30 MINUTE AS event_timestamp FROM visits WHERE bilirubin < 5"
    found = _values(store, query)
    moments = [hours(-2.5), hours(-1.5), hours(-0.5)]
    assert found["event_timestamp"] == moments
    assert found["bilirubin"] == [0.5, 1.5, 0.75]
    frame = _at(*moments, ids=[1, 2, 1])
    assert _values(store, frame) == found
    asked = small.predicates("retrieval")[1]
    assert asked["request"]["query_reads"] == ["visits"]
    assert "INTERVAL" not in str(asked)
    assert [one["name"] for one in asked["sources"]] == ["visits"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM 'sources/visits.parquet'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM elsewhere",
        "COPY visits TO 'out.csv'",
        "SELECT 1; SELECT 2",
        "no SQL at all",
    ],
)
def test_a_query_reaches_nothing_but_data_sources(make_small: Callable[..., Small], query: str) -> None:
    small = make_small()
    store = small.applied(_patient(), _laboratory(small))
    with pytest.raises(WrongQuestion):
        _values(store, query)
    assert not (small.path / "out.csv").exists()


def test_what_a_query_reads_is_judged_too(make_small: Callable[..., Small]) -> None:
    from feast import Field
    from feast.types import Float64

    small = make_small()
    secret = small.source(
        "genomes", _visits(), tags={"residency": "FR", "purpose": "care"}, created_timestamp_column="created"
    )
    laboratory = _laboratory(small)
    store = small.applied(_patient(), laboratory)
    head = (small.path / "policy.yaml").read_text()
    (small.path / "policy.yaml").write_text(head.replace("packs: [residency, ownership]", "packs: [ownership]"))
    store.apply([secret, view("genes", secret, [_patient()], [Field(name="bilirubin", dtype=Float64)])])
    (small.path / "policy.yaml").write_text(head)
    assert _values(store, "SELECT * EXCLUDE (bilirubin) FROM visits")["bilirubin"]
    with pytest.raises(Denied, match="genomes"):
        _values(store, "SELECT patient_id, event_timestamp FROM genomes")


def test_a_date_range_gives_each_moment_at_which_something_happened(small: Small) -> None:
    store = small.applied(_patient(), _laboratory(small))
    found = _values(store, None, start_date=hours(-2), end_date=hours(1))
    assert found["event_timestamp"] == [hours(-2), hours(-1), hours(1)]
    assert found["patient_id"] == [2, 1, 2]
    assert found["bilirubin"] == [1.5, 0.75, 9.0]
    (complete,) = [one for one in small.predicates("retrieval") if one["state"] == "COMPLETE"]
    assert complete["spine"] is None
    assert complete["rows"] == 3


def test_an_old_version_of_a_view_is_judged_and_read_as_it_was(make_small: Callable[..., Small]) -> None:
    from feast import Field
    from feast.types import Float64, Int64

    small = make_small()
    laboratory = _laboratory(small)
    store = small.applied(_patient(), laboratory)
    other = small.source("repeated", _visits(bilirubin=[10.0, 20.0, 30.0, 40.0]), created_timestamp_column="created")
    schema = [Field(name="patient_id", dtype=Int64), Field(name="bilirubin", dtype=Float64)]
    store.apply([view("laboratory", other, [_patient()], schema, ttl=timedelta(hours=2), description="repeated")])
    store.refresh_registry()
    assert _values(store, _at(NOON))["bilirubin"] == [20.0]
    versions = [record["version_number"] for record in store.registry.list_feature_view_versions("laboratory", "small")]
    first = min(versions)
    assert _values(store, _at(NOON), f"laboratory@v{first}:bilirubin")["bilirubin"] == [0.75]
    assert _values(store, _at(NOON), "laboratory@latest:bilirubin")["bilirubin"] == [20.0]
    recorded = small.predicates("retrieval")[3]
    assert recorded["request"]["features"] == [f"laboratory@v{first}:bilirubin"]
    assert [one["name"] for one in recorded["sources"]] == ["visits"]


def test_a_job_says_what_was_asked(small: Small) -> None:
    store = small.applied(_patient(), _laboratory(small))
    job = store.get_historical_features(_at(hours(-1), NOON), features=["laboratory:bilirubin"])
    assert job.metadata.features == ["laboratory:bilirubin"]
    assert "patient_id" in job.metadata.keys
    assert job.metadata.min_event_timestamp == hours(-1)
    assert job.metadata.max_event_timestamp.astimezone(UTC) == NOON
