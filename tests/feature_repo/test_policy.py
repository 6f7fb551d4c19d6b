"""The example's policy, asked about the example's definitions: the base is allowed, the variant refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from governance.assets import Asset, Definitions, Input
from governance.decide import decide
from governance.places import file_place
from governance.policy_file import load_policy
from governance.verdict import Verdict

KINDS = {
    "FileSource": "data_source",
    "Entity": "entity",
    "FeatureView": "feature_view",
    "OnDemandFeatureView": "on_demand_feature_view",
    "FeatureService": "feature_service",
}


def _asset(key: str, given: dict[str, Any], repository: Path) -> Asset:
    kind, name = key.split(":")
    facts = {fact: given[fact] for fact in ("ttl_seconds", "online") if given[fact] is not None}
    return Asset(
        kind=KINDS[kind],
        name=name,
        project="liver_care",
        owner=given["owner"],
        tags=given["tags"],
        inputs=tuple(Input(one, tuple(fields) if fields else None) for one, fields in given["made_from"].items()),
        places=(file_place(given["path"], base=repository),) if given["path"] else (),
        facts=facts,
    )


def _verdict(parsed: Any, repository: Path, *, online_store: str) -> Verdict:
    assets = [_asset(key, given, repository) for key, given in parsed["objects"].items()]
    places = {
        "online_store": (file_place(online_store, base=repository),),
        "registry": (file_place("data/registry", base=repository),),
    }
    policy = load_policy(repository / "policy.yaml")
    return decide(Definitions("liver_care", assets), policy, gate="apply", places=places, today=date(2026, 1, 1))


def test_the_example_is_allowed_without_a_single_finding(parsed: Any, repository: Path) -> None:
    assert _verdict(parsed, repository, online_store="data/online.db").findings == ()


def test_the_variant_is_refused_for_a_missing_residency_a_missing_owner_and_a_store_in_france(
    refused: Any, repository: Path
) -> None:
    findings = _verdict(refused, repository, online_store="data/mirror-fr/online.db").findings
    denied = {(finding.rule, finding.object) for finding in findings if finding.level == "deny"}
    assert {
        ("residency.required", "data_source:outcomes_export"),
        ("ownership.owner", "feature_view:outcomes"),
        ("residency.place", "feature_view:demographics"),
    } <= denied
    in_europe = {"feature_view:laboratory", "on_demand_feature_view:liver_scores"}
    assert not in_europe & {key for _, key in denied}, "what is tagged EU may lie in France"


def test_a_view_without_time_to_live_breaks_the_rule_that_names_the_fix(parsed: Any, repository: Path) -> None:
    parsed = {**parsed, "objects": {key: dict(given) for key, given in parsed["objects"].items()}}
    parsed["objects"]["FeatureView:laboratory"]["ttl_seconds"] = 0
    (finding,) = _verdict(parsed, repository, online_store="data/online.db").findings
    assert (finding.rule, finding.object, finding.level) == ("ttl.bounded", "feature_view:laboratory", "deny")
    assert "timedelta(days=400)" in finding.fix


@pytest.mark.parametrize(("caller", "purpose"), [("process:1000@host", "research"), ("oidc:role:marketing", None)])
def test_only_processes_of_this_machine_are_granted_research(
    repository: Path, caller: str, purpose: str | None
) -> None:
    assert load_policy(repository / "policy.yaml").purpose_of(None, caller=caller) == purpose
