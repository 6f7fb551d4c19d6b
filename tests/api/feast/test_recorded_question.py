"""A record says enough for its retrieval to be run again: names, join keys, types of keys; and today's labels count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from api.feast.recorded_question import recorded_question
from api.feast.reproduction import reproduce
from governance.errors import AnswerIsNo, Denied
from lineage.entity_rows import spine_digest
from lineage.recorded_snapshots import RecordedManifest, RecordedSnapshots
from tests.api.feast.universal.small_repository import LABELS, NOON, Small, entity, hours, times, view

Fields = dict[str, Any]


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path / "repository").prepare()


def _laboratory(small: Small, *, key_type: str = "Int64", **rows: Any) -> tuple[Any, Any]:
    from feast import Field, types

    said = {"patient_id": [1, 2], "event_timestamp": times([hours(-1)] * 2), "bilirubin": [0.75, 1.5], **rows}
    patient = entity("patient", "patient_id", key_type.upper())
    fields = [Field(name="patient_id", dtype=getattr(types, key_type)), Field(name="bilirubin", dtype=types.Float64)]
    return patient, view("laboratory", small.source("lab", pa.table(said)), [patient], fields)


def _service(name: str, *views: Any) -> Any:
    from feast import FeatureService

    return FeatureService(name=name, features=list(views), **LABELS)


def _spine(**columns: Any) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    return pd.DataFrame({**columns, "event_timestamp": pd.to_datetime([NOON] * rows, utc=True)})


def _manifest(small: Small, snapshot: Any) -> RecordedManifest:
    return RecordedSnapshots(small.parts.snapshots, small.parts.records).manifest(snapshot.id)


def test_a_view_asked_under_two_aliases_by_two_keys_comes_out_again(small: Small) -> None:
    patient, laboratory = _laboratory(small)
    pair = _service(
        "pair",
        laboratory.with_name("mother").with_join_key_map({"patient_id": "mother_id"}),
        laboratory.with_name("child").with_join_key_map({"patient_id": "child_id"}),
    )
    store = small.applied(patient, laboratory, pair)
    spine = _spine(mother_id=[1], child_id=[2])
    job = store.get_historical_features(spine, features=store.get_feature_service("pair"), full_feature_names=True)
    assert job.to_arrow().column("child__bilirubin").to_pylist() == [1.5]
    found = reproduce(small.parts, job.snapshot.id)
    assert (found.exact, found.reasons, found.differs) == (True, (), ())
    first, second = (one["request"] for one in small.predicates("retrieval") if one["state"] == "COMPLETE")
    assert first == second
    assert first["projections"] == [
        {
            "view": "laboratory",
            "version": None,
            "alias": name,
            "join_key_map": {"patient_id": f"{name}_id"},
            "features": ["bilirubin"],
        }
        for name in ("mother", "child")
    ]


def test_the_join_key_map_of_then_is_asked_though_the_service_is_another_now(small: Small) -> None:
    patient, laboratory = _laboratory(small)
    mapped = _service("mapped", laboratory.with_join_key_map({"patient_id": "mother_id"}))
    store = small.applied(patient, laboratory, mapped)
    job = store.get_historical_features(
        _spine(mother_id=[1], patient_id=[2]), features=store.get_feature_service("mapped")
    )
    assert job.to_arrow().column("bilirubin").to_pylist() == [0.75]
    store.apply([_service("mapped", laboratory)])
    found = reproduce(small.parts, job.snapshot.id)
    assert (found.exact, found.reasons) == (True, ())


def test_two_join_key_maps_are_two_requests(small: Small) -> None:
    patient, laboratory = _laboratory(small)
    services = [_service(name, laboratory.with_join_key_map({"patient_id": name})) for name in ("m", "c")]
    store = small.applied(patient, laboratory, *services)
    for service in services:
        store.get_historical_features(_spine(m=[1], c=[2]), features=store.get_feature_service(service.name)).to_arrow()
    jobs = {record.predicate["event"]["job"]["name"] for record in small.records("retrieval")}
    assert len(jobs) == len(services)


def test_a_version_of_a_view_is_asked_again_as_that_version(small: Small) -> None:
    patient, laboratory = _laboratory(small)
    store = small.applied(patient, laboratory)
    laboratory.description = "another"
    store.apply([laboratory])
    store.refresh_registry()
    first = min(one["version_number"] for one in store.registry.list_feature_view_versions("laboratory", "small"))
    job = store.get_historical_features(_spine(patient_id=[1]), features=[f"laboratory@v{first}:bilirubin"])
    job.to_arrow()
    found = reproduce(small.parts, job.snapshot.id)
    assert (found.exact, found.reasons) == (True, ())
    assert small.predicates("retrieval")[-1]["request"]["projections"][0]["version"] == first


def test_an_older_record_is_repeated_as_far_as_it_says_what_was_asked(small: Small) -> None:
    patient, laboratory = _laboratory(small)
    store = small.applied(patient, laboratory)
    job = store.get_historical_features(_spine(patient_id=[1]), features=["laboratory:bilirubin"])
    job.to_arrow()
    manifest = _manifest(small, job.snapshot)

    def older(refs: list[str]) -> RecordedManifest:
        request = {name: value for name, value in manifest.document["request"].items() if name != "projections"}
        return replace(manifest, document={**manifest.document, "request": {**request, "features": refs}})

    question = recorded_question(older(["laboratory:bilirubin"]), None, store)
    assert [one.name for one in question.views] == ["laboratory"]
    with pytest.raises(AnswerIsNo, match="does not say what view stood behind the alias"):
        recorded_question(older(["mother:bilirubin"]), None, store)


def test_what_was_read_back_or_asked_by_a_query_is_refused_and_says_what_to_do(small: Small) -> None:
    patient, laboratory = _laboratory(small)
    store = small.applied(patient, laboratory)
    job = store.get_historical_features(_spine(patient_id=[1]), features=["laboratory:bilirubin"])
    job.to_arrow()
    manifest = _manifest(small, job.snapshot)
    for member, text in (("object", "read back from"), ("query_sha256", "asked by a query")):
        request = {**manifest.document["request"], member: "saved_dataset:x"}
        with pytest.raises(AnswerIsNo, match=text):
            recorded_question(replace(manifest, document={**manifest.document, "request": request}), None, store)


@pytest.mark.parametrize(
    ("declared", "theirs", "own"),
    [
        ("String", pa.array([1, 2]), pd.Series([2, 1])),
        ("String", pa.array([1, 2]), pd.Series([2, 1], dtype="int32")),
        ("Int64", pa.array(["1", "2"]), pd.Series(["2", "1"])),
        ("Int64", pa.array([1, 2]), pd.Series([2.0, None])),
    ],
    ids=["numbers as text", "small numbers as text", "text as numbers", "numbers with a gap"],
)
def test_a_key_that_is_declared_otherwise_than_it_was_given_joins_again(
    small: Small, declared: str, theirs: Any, own: Any
) -> None:
    store = small.applied(*_laboratory(small, key_type=declared, patient_id=theirs))
    job = store.get_historical_features(_spine(patient_id=own), features=["laboratory:bilirubin"])
    assert job.to_arrow().column("bilirubin").to_pylist()[0] == 1.5
    found = reproduce(small.parts, job.snapshot.id)
    assert (found.exact, found.reasons, found.differs) == (True, (), ())
    first, second = (one["spine"] for one in small.predicates("retrieval") if one["state"] == "COMPLETE")
    assert first["digest"] == second["digest"]


def _relabelled_view(store: Any) -> Any:
    found = store.get_feature_view("laboratory")
    found.tags = {"residency": "DE", "purpose": "research"}
    return found


def _relabelled_source(store: Any) -> Any:
    found = store.get_data_source("lab")
    found.tags = {"residency": "DE", "purpose": "research"}
    return found


@pytest.mark.parametrize("change", [_relabelled_view, _relabelled_source], ids=["view", "source"])
def test_what_today_s_labels_forbid_is_not_run_again_and_the_refusal_is_recorded(
    small: Small, change: Callable[[Any], Any]
) -> None:
    store = small.applied(*_laboratory(small))
    job = store.get_historical_features(_spine(patient_id=[1]), features=["laboratory:bilirubin"])
    job.to_arrow()
    store.apply([change(store)])
    with pytest.raises(Denied):
        reproduce(small.parts, job.snapshot.id)
    last = small.predicates("retrieval")[-1]
    assert (last["state"], last["definitions"]) == ("DENIED", small.head["definitions"])
    assert [one["state"] for one in small.predicates("retrieval")].count("COMPLETE") == 1


def test_today_s_labels_of_a_source_count_though_its_view_reads_another_one_now(small: Small) -> None:
    patient, laboratory = _laboratory(small)
    store = small.applied(patient, laboratory)
    job = store.get_historical_features(_spine(patient_id=[1]), features=["laboratory:bilirubin"])
    job.to_arrow()
    said = {"patient_id": [1], "event_timestamp": times([hours(-1)]), "bilirubin": [0.5]}
    other = small.source("other", pa.table(said))
    fields = [*laboratory.entity_columns, *laboratory.features]
    store.apply([other, view("laboratory", other, [patient], fields), _relabelled_source(store)])
    with pytest.raises(Denied):
        reproduce(small.parts, job.snapshot.id)


def test_labels_of_then_that_the_policy_forbids_today_are_not_run_again(small: Small) -> None:
    store = small.applied(*_laboratory(small))
    job = store.get_historical_features(_spine(patient_id=[1]), features=["laboratory:bilirubin"])
    job.to_arrow()
    patient, laboratory = store.get_entity("patient"), store.get_feature_view("laboratory")
    laboratory.tags = {"residency": "DE", "purpose": "care, research"}
    policy = small.path / "policy.yaml"
    policy.write_text(policy.read_text().replace("purposes: [care]", "purposes: [research]"))
    store.apply([patient, laboratory])
    with pytest.raises(Denied):
        reproduce(small.parts, job.snapshot.id)


def test_what_is_defined_no_more_is_judged_by_what_was_said_of_it_last(small: Small) -> None:
    store = small.applied(*_laboratory(small))
    job = store.get_historical_features(_spine(patient_id=[1]), features=["laboratory:bilirubin"])
    job.to_arrow()
    store.delete_feature_view("laboratory")
    found = reproduce(small.parts, job.snapshot.id)
    assert (found.exact, found.definitions) == (True, "as recorded")


def test_rows_that_differ_for_no_recorded_reason_are_described_all_the_same(small: Small, tmp_path: Path) -> None:
    from feast import Field
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64

    patient, laboratory = _laboratory(small)
    mood = tmp_path / "mood"
    mood.write_text("1")

    def moody(rows: pd.DataFrame, place: str = str(mood)) -> pd.DataFrame:
        return pd.DataFrame({"score": rows["bilirubin"] * float(open(place).read())})  # noqa: PTH123 - Feast keeps its text

    made = on_demand_feature_view(sources=[laboratory], schema=[Field(name="score", dtype=Float64)], **LABELS)(moody)
    store = small.applied(patient, laboratory, made)
    job = store.get_historical_features(_spine(patient_id=[1, 2]), features=["moody:score"])
    job.to_arrow()
    mood.write_text("2")
    found = reproduce(small.parts, job.snapshot.id)
    assert not found.exact
    assert found.differs == ("column score has other values in rows 0 to 1",)
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith("nothing that the records speak of differs")


def test_the_entity_rows_of_a_query_are_found_again_in_its_answer(small: Small) -> None:
    from api.feast.asking import asked

    patient, laboratory = _laboratory(small, key_type="String")
    store = small.applied(patient, laboratory)
    query = "SELECT patient_id, event_timestamp + INTERVAL 1 HOUR AS event_timestamp, patient_id % 2 AS ward FROM lab"
    job = store.get_historical_features(query, features=["laboratory:bilirubin"])
    table = job.to_arrow()
    named: Fields = {"full_names": False, "options": {}, "purpose": None, "repo": small.path, "ours": True}
    request = asked(
        ["laboratory:bilirubin"], [store.get_feature_view("laboratory")], query, store.registry, "small", **named
    )
    rows = pa.table({"patient_id": [1, 2], "event_timestamp": times([NOON] * 2), "ward": pa.array([1, 0])})
    said = request.spine_document(1, table)
    assert said == {"digest": spine_digest(rows), "rows": 2, "origin": None}
    assert request.spine_document(3, table) == {**said, "digest": None}
    recorded = small.predicates("retrieval")[-1]
    assert recorded["state"] == "COMPLETE"
    assert recorded["spine"]["rows"] == 2
    assert request.spine_document(1) is None
    assert request.document["query_sha256"] == sha256(query.encode()).hexdigest()
