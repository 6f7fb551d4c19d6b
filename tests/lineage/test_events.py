"""Every event against OpenLineage's schemas and our own, offline; a facet without a schema fails."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from governance.canonical import canonical_json, parse_rfc3339
from lineage import events
from lineage.events import Dataset, Job, RunState, facet, run_event, source_dataset
from lineage.sources.state import FileState, SourceState, TableState, unobserved_source

ROOT = Path(__file__).parents[2]
SPEC = ROOT.parent / "shared" / "vectors" / "openlineage"
OURS = sorted((ROOT / "lineage" / "facets").glob("*.json"))
CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
needs_spec = pytest.mark.skipif(not SPEC.exists(), reason="OpenLineage's schemas are not beside the repository")

HEX = "ab" * 32
RUN = "3f0c6d4e-0000-4000-8000-000000000001"
SOURCE_FILES = (FileState("/data/labs.parquet", 7, HEX),)
OBJECT = SourceState("labs", "s3://b/k", (FileState("b/k", 7, etag='"e"', version_id="v"),), "stated", "now")
TABLES = [
    SourceState("labs", "file:///labs", SOURCE_FILES, "cached", "now", table)
    for table in (
        TableState("delta", "id", version=0),
        TableState("iceberg", "id", snapshot_id="9007199254740993", metadata="file:///labs/metadata/1.json"),
        TableState("iceberg", "id"),
    )
]
SOURCE = SourceState("labs", "file:///data/labs.parquet", SOURCE_FILES, "computed", "now")
FINDING = {"rule": "residency", "object": "o", "level": "deny", "path": ["a", "b"], "message": "m", "fix": "f"}
OWN: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "provender_verdict": (
        "ProvenderVerdictRunFacet",
        [
            {"outcome": "allow", "policy": HEX, "findings": []},
            {"outcome": "deny", "policy": HEX, "findings": [FINDING, {**FINDING, "level": "warn", "path": []}]},
        ],
    ),
    "provender_request": ("ProvenderRequestRunFacet", [{"features": [], "definitions": HEX}]),
    "provender_training": (
        "ProvenderTrainingRunFacet",
        [
            {
                "trainjob": {"name": "n", "id": "i", "namespace": "s"},
                "code": HEX,
                "environment": HEX,
                "seed": 7,
                "hardware": {},
            },
            {"trainjob": {"name": "n"}, "seed": None, "hardware": {"gpus": [], "reason": "none"}},
        ],
    ),
    "provender_deployment": (
        "ProvenderDeploymentRunFacet",
        [
            {"endpoint": "e", "deployment": RUN, "state": state, "loaded": loaded}
            for state in ("ready", "ended", "refused")
            for loaded in (f"oms1-sha256:{HEX}", None)
        ],
    ),
    "provender_snapshot": (
        "ProvenderSnapshotDatasetFacet",
        [
            {"id": f"td1-sha256:{HEX}", "rows": 0, "manifest": HEX},
            {"id": f"random:{HEX}", "rows": 3, "manifest": HEX},
        ],
    ),
    "provender_labels": (
        "ProvenderLabelsDatasetFacet",
        [
            {"residency": ["eu"], "pii": True, "purpose": ["research"]},
            {"residency": [], "pii": None, "purpose": None},
        ],
    ),
    "provender_validation": (
        "ProvenderValidationDatasetFacet",
        [{"suites": [{"name": "liver_risk", "sha256": HEX}]}],
    ),
    "provender_sourceState": (
        "ProvenderSourceStateDatasetFacet",
        [
            dict(source_dataset(one).facets["provender_sourceState"])
            for one in (SOURCE, OBJECT, *TABLES, unobserved_source("x", "sqlsource://x"))
        ],
    ),
}
"""facet key → name of its schema, and contents that the doors give it"""


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in [SPEC / "OpenLineage.json", *sorted((SPEC / "facets").glob("*.json")), *OURS]:
        document = json.loads(path.read_bytes())
        yield document["$id"], document


def registry() -> Registry[Any]:
    """All schemas by their ids; there is no way to fetch another one."""
    return Registry().with_resources((id_, Resource.from_contents(document)) for id_, document in schemas())


def check(value: Any, reference: str) -> None:
    checker = FormatChecker()
    Draft202012Validator({"$ref": reference}, registry=registry(), format_checker=checker).validate(value)


def facets_of(event: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for place in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        yield from place.get("facets", {}).items()
        yield from place.get("inputFacets", {}).items()
        yield from place.get("outputFacets", {}).items()


def check_event(event: Mapping[str, Any]) -> None:
    check(event, CORE)
    check(event, f"{CORE}#/$defs/RunEvent")
    assert event["schemaURL"] == f"{CORE}#/$defs/RunEvent"
    assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
    assert parse_rfc3339(event["eventTime"]).tzinfo is not None
    for key, content in facets_of(event):
        check(content, content["_schemaURL"])
        document = next(schema for id_, schema in schemas() if id_ == content["_schemaURL"].partition("#")[0])
        assert key in document["properties"]
        assert content["_producer"] == events.PRODUCER
    assert json.loads(canonical_json(event)) == event


VALIDATION: list[dict[str, Any]] = [
    {"expectation": "expect_column_values_to_be_between", "column": "alb", "success": True, "severity": "critical"},
    {"expectation": "expect_table_row_count_to_be_between", "column": None, "success": False, "severity": "warning"},
    {"expectation": "expect_column_values_to_not_be_null", "success": False, "severity": "info"},
]


def output() -> Dataset:
    inputs = [(source_dataset(SOURCE), "alb"), (source_dataset(unobserved_source("x", "sqlsource://x")), "b")]
    return Dataset(
        "health",
        "historical_features/1",
        {
            **events.version_facet(f"td1-sha256:{HEX}"),
            **events.schema_facet([("alb", "double"), ("größe", "list<item: int64>")]),
            **events.column_lineage_facet({"alb": inputs, "constant": []}),
            **events.assertions_facet(VALIDATION),
        },
    )


def with_own(key: str, content: Mapping[str, Any]) -> dict[str, Any]:
    name = OWN[key][0]
    value = {key: facet(name, {k: v for k, v in content.items() if not k.startswith("_")})}
    job = Job("health", "job", "RETRIEVAL")
    if "RunFacet" in name:
        return run_event("START", run=RUN, job=job, run_facets=value)
    return run_event("START", run=RUN, job=job, inputs=[Dataset("n", "i", value)], outputs=[Dataset("n", "o", value)])


@needs_spec
@pytest.mark.parametrize("state", get_args(RunState))
@pytest.mark.parametrize("kind", ["RETRIEVAL", "MATERIALIZATION", "TRAINING", "DEPLOYMENT"])
def test_every_state_of_every_kind_of_job_is_valid(state: RunState, kind: str) -> None:
    job = Job("health", f"job of {kind}", kind)
    check_event(run_event(state, run=RUN, job=job))
    full = run_event(
        state,
        run=RUN,
        job=job,
        inputs=[source_dataset(SOURCE)],
        outputs=[output()],
        run_facets=events.error_facet(ValueError("patient 7")),
    )
    check_event(full)
    assert full["eventType"] == state
    assert full["job"]["facets"]["jobType"]["jobType"] == kind
    assert "patient 7" not in json.dumps(full)


@needs_spec
@pytest.mark.parametrize(("key", "content"), [(key, one) for key, (_, contents) in OWN.items() for one in contents])
def test_our_own_facets_are_valid_with_all_they_may_hold(key: str, content: Mapping[str, Any]) -> None:
    event = with_own(key, content)
    check_event(event)
    found = dict(facets_of(event))[key]
    assert {k: v for k, v in content.items() if v is not None and not k.startswith("_")}.items() <= found.items()


@needs_spec
def test_every_schema_of_ours_is_a_schema_and_has_a_test() -> None:
    for path in OURS:
        document = json.loads(path.read_bytes())
        Draft202012Validator.check_schema(document)
        (key,) = document["properties"]
        assert document["$id"] == f"{events.FACETS}/{path.name}"
        assert OWN[key][0] == path.stem
    assert len(OURS) == len(OWN)


@needs_spec
@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("provender_verdict", {"outcome": "maybe"}),
        ("provender_verdict", {"policy": "td1-sha256:" + HEX}),
        ("provender_request", {"definitions": "x"}),
        ("provender_snapshot", {"rows": -1}),
        ("provender_snapshot", {"id": HEX}),
        ("provender_deployment", {"state": "gone"}),
        ("provender_deployment", {"loaded": HEX}),
        ("provender_labels", {"pii": "yes"}),
        ("provender_validation", {"suites": []}),
        ("provender_validation", {"suites": [{"name": "liver_risk"}]}),
        ("provender_sourceState", {"state": "guessed"}),
        ("provender_sourceState", {"files": [{"path": "p", "size": 1, "sha256": "x"}]}),
        ("provender_training", {"hardware": None}),
    ],
)
def test_our_schemas_refuse_what_is_wrong(key: str, wrong: Mapping[str, Any]) -> None:
    from jsonschema import ValidationError

    event = with_own(key, {**OWN[key][1][0], **wrong})
    with pytest.raises(ValidationError):
        check_event(event)


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("file:///data/labs.parquet", "file", "/data/labs.parquet"),
        ("s3://bucket/a/b.parquet", "s3://bucket", "a/b.parquet"),
        ("s3://bucket", "s3://bucket", "bucket"),
        ("s3+https://host:9000/bucket/key", "s3+https://host:9000", "bucket/key"),
        ("postgresql://me:secret@host:5432/db", "postgresql://host:5432", "db"),
        ("sqlsource://labs", "sqlsource://labs", "labs"),
        ("/data/labs.parquet", "file", "/data/labs.parquet"),
        ("", "file", "labs"),
    ],
)
def test_a_source_is_named_as_openlineage_names_datasets(uri: str, namespace: str, name: str) -> None:
    dataset = source_dataset(SourceState("labs", uri, (), "unknown", "now"))
    assert (dataset.namespace, dataset.name) == (namespace, name)
