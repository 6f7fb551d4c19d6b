from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest

import audit.report
from audit.report import Level, State
from lineage.errors import UnknownEndpoint

SCHEMA = json.loads((Path(audit.report.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))


def test_a_complete_chain_runs_from_the_endpoint_to_source_files_without_a_gap(sample: ModuleType) -> None:
    report = sample.report()
    titles = {(report.node(link.source).kind, report.node(link.target).kind) for link in report.links}
    assert titles >= {
        ("endpoint", "weights"),
        ("weights", "signature"),
        ("weights", "run"),
        ("run", "hardware"),
        ("run", "snapshot"),
        ("snapshot", "retrieval"),
        ("retrieval", "definitions"),
        ("retrieval", "spine"),
        ("retrieval", "source"),
        ("endpoint", "online"),
    }
    assert report.gaps == ()
    assert report.weakest is Level.CLAIMED


def test_the_json_follows_its_schema_with_and_without_gaps(sample: ModuleType) -> None:
    for report in (sample.report(), sample.report([sample.deployment()])):
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(report.to_json())))


def test_every_member_of_the_json_is_described_or_speaks_for_itself() -> None:
    assert all("description" in entry or "$ref" in entry or "const" in entry for entry in SCHEMA["properties"].values())


def test_links_join_nodes_of_the_report_and_carry_the_records_that_say_so(sample: ModuleType) -> None:
    report = sample.report()
    ids = {node.id for node in report.nodes}
    assert {end for link in report.links for end in (link.source, link.target)} == ids
    assert all(link.records for link in report.links)


def test_a_spine_without_origin_is_the_named_gap(sample: ModuleType) -> None:
    acts = [
        sample.retrieval(spine={"digest": sample.sha("spine"), "rows": 3, "origin": None})
        if act.kind == "retrieval"
        else act
        for act in sample.statements()
    ]
    report = sample.report(acts)
    assert "origin of entity rows and labels unknown" in [gap.text for gap in report.gaps]
    assert report.weakest is None
    assert "1 gap" in report.headline


def test_a_deployment_alone_is_an_endpoint_with_gaps_and_no_invented_run(sample: ModuleType) -> None:
    report = sample.report([sample.deployment()])
    assert [node.kind for node in report.nodes if node.state is State.KNOWN] == ["endpoint", "weights"]
    assert {report.node(gap.at).kind for gap in report.gaps} == {"endpoint", "weights"}
    assert any("No record says which training run" in paragraph for paragraph in report.summary)


def test_an_unknown_endpoint_is_refused_with_the_names_that_exist(sample: ModuleType) -> None:
    with pytest.raises(UnknownEndpoint, match=r"'surviva1'.*'survival'.*provender endpoints"):
        sample.report(endpoint="surviva1")


def test_no_entity_key_or_feature_value_reaches_the_report(sample: ModuleType) -> None:
    written = json.dumps(sample.report().to_json())
    assert "900000" not in written
    assert "900,000" not in written
    assert "173.25" not in written


def test_a_gpu_is_shown_as_recorded_and_a_machine_without_one_says_so(sample: ModuleType) -> None:
    hardware = next(node for node in sample.report().nodes if node.kind == "hardware")
    assert "NVIDIA H100" in hardware.name
    assert any("GPU-5d1f0c1e" in fact.value for fact in hardware.facts)
    acts = [
        sample.training(hardware={"gpus": [], "cpu": {"model": "Intel Xeon"}}) if act.kind == "training" else act
        for act in sample.statements()
    ]
    hardware = next(node for node in sample.report(acts).nodes if node.kind == "hardware")
    assert hardware.name == "Intel Xeon"
    assert "No GPU" in hardware.summary


def test_instruction_sets_are_shown_since_they_decide_the_arithmetic(sample: ModuleType) -> None:
    flags = [f"flag{number}" for number in range(40)]
    acts = [sample.training(hardware={"gpus": [], "cpu": {"flags": flags}, "reason": "no driver"})]
    report = sample.report([*acts, *(act for act in sample.statements() if act.kind != "training")])
    hardware = next(node for node in report.nodes if node.kind == "hardware")
    assert " ".join(flags) in [fact.value for fact in hardware.facts]
    assert hardware.summary == "No GPU: no driver."


def test_an_exemption_is_shown_without_the_names_of_people(sample: ModuleType) -> None:
    finding = {"rule": "ttl.bounded", "object": "feature_view:labs", "message": "has no time to live."}
    people = {"owner": "A. Person", "approver": "B. Person"}
    exempted = [{"finding": finding, **people, "reason": "yearly import", "expires": "2027-01-31"}]
    acts = [sample.retrieval(verdict={"outcome": "allow", "exempted": exempted})]
    report = sample.report([*acts, *(act for act in sample.statements() if act.kind != "retrieval")])
    assert report.exemptions == (
        "ttl.bounded at feature_view:labs, until 2027-01-31: has no time to live. Reason: yearly import",
    )
    assert "Person" not in json.dumps(report.to_json())


def test_files_of_one_source_are_one_node_with_the_weakest_level(sample: ModuleType) -> None:
    source = sample.source("labs")
    source["files"].append({"path": "data/labs-2.parquet", "size": 10, "sha256": sample.sha("second")})
    acts = [sample.retrieval(sources=[source]) if act.kind == "retrieval" else act for act in sample.statements()]
    report = sample.report(acts)
    links = [
        link
        for link in report.links
        if report.node(link.source).kind == "retrieval" and report.node(link.target).kind == "source"
    ]
    assert len(links) == 1
    assert links[0].digest is None
    assert "2 files" in report.node(links[0].target).summary


def test_the_end_of_a_deployment_is_said(sample: ModuleType) -> None:
    ended = sample.deployment(state="ended", loaded={})
    later = type(ended)(**{**vars(ended), "id": "end", "time": "2026-03-01T11:00:00.000000Z"})
    report = sample.report([*sample.statements(), later])
    assert audit.report.endpoint_summaries([sample.deployment(), later])[0].weights == f"oms1-sha256:{sample.WEIGHTS}"
    assert any("ended on 2026-03-01 11:00:00 UTC" in paragraph for paragraph in report.summary)


def test_summaries_name_each_endpoint_once_with_its_latest_state(sample: ModuleType) -> None:
    lines = audit.report.endpoint_summaries(
        [*sample.statements(), sample.deployment("another", state="refused", loaded={})]
    )
    assert [(line.name, line.state, line.weights is None) for line in lines] == [
        ("another", "refused", True),
        ("survival", "ready", False),
    ]


def test_it_says_measured_and_reported_only_where_the_retrieval_asked_for_both(sample: ModuleType) -> None:
    spine = {"rows": 3}
    asked = {"spine": spine, "options": {"filter_by_created_timestamp": "True"}}
    assert "measured and reported by that row's time" in _paragraphs(sample, asked)
    assert "when a value was reported was not asked" in _paragraphs(sample, {"spine": spine, "options": {}})
    assert "for a range of dates" in _paragraphs(sample, {"spine": None, "options": {}})


def _paragraphs(sample: ModuleType, request: dict[str, object]) -> str:
    acts = [
        dataclasses.replace(act, predicate={**act.predicate, "request": request}) if act.kind == "retrieval" else act
        for act in sample.statements()
    ]
    return " ".join(sample.report(acts).summary)


def test_an_undeclared_label_narrows_nothing_and_an_empty_one_allows_nothing(sample: ModuleType) -> None:
    def residency(**labels: object) -> tuple[str, ...]:
        acts = [
            dataclasses.replace(act, predicate={**act.predicate, "labels": labels}) if act.kind == "retrieval" else act
            for act in sample.statements()
        ]
        found: tuple[str, ...] = sample.report(acts).labels.residency
        return found

    assert residency(residency=["DE"]) == ("DE",)
    assert residency(residency=[], undeclared=["residency"]) == ()
