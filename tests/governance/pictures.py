"""A small clinic that the tests of the core judge: laboratory values, a score, a service."""

from __future__ import annotations

from datetime import date
from typing import Any

from governance.assets import Asset, Definitions, Field, Input
from governance.decide import decide
from governance.policy import Policy
from governance.policy_file import parse_policy
from governance.verdict import Gate, Verdict

TODAY = date(2026, 6, 1)

ZONES = "zones: {EU: [DE, FR], EEA: [EU, NO]}\n"
PLACES = (
    'places: [{match: "file://**", zone: DE}, {match: "redis://cache-fr*:6379/*", zone: FR},'
    ' {match: "redis://cache-de*:6379/*", zone: DE}, {match: "s3://somewhere-in-europe/**", zone: EU}]\n'
)


def policy(more: str = "", *, packs: str = "residency, ownership", zones: str = ZONES, places: str = PLACES) -> Policy:
    """A policy with the usual zones, places and packs, and whatever else it should say."""
    text = f"version: 1\n{zones}{places}packs: [{packs}]\n{more}"
    return parse_policy(text.encode(), name="policy.yaml")


def asset(key: str, *inputs: str | Input, **more: Any) -> Asset:
    """An owned asset by its key, made from others."""
    kind, _, name = key.partition(":")
    read = tuple(Input(one) if isinstance(one, str) else one for one in inputs)
    return Asset(
        **{"kind": kind, "name": name, "project": "clinic", "owner": "lab@clinic.example", "inputs": read} | more
    )


def clinic(**source: Any) -> Definitions:
    """Source -> labs (with a name, which is pii) -> albi -> liver_risk_v1; ``source`` changes the source."""
    fields = (Field("bilirubin", "Float64"), Field("albumin", "Float64"), Field("name", "String", {"pii": "true"}))
    used = Input("feature_view:labs", ("bilirubin", "albumin"))
    return Definitions(
        "clinic",
        [
            asset("data_source:visits", **({"tags": {"residency": "DE"}} | source)),
            asset("feature_view:labs", "data_source:visits", fields=fields, facts={"online": True, "ttl_seconds": 0}),
            asset("on_demand_feature_view:albi", used, fields=(Field("albi", "Float64"),)),
            asset("feature_service:liver_risk_v1", "on_demand_feature_view:albi", location="features.py:12"),
        ],
    )


def judge(definitions: Definitions, by: Policy, *, gate: Gate = "apply", **more: Any) -> Verdict:
    """The verdict of today, with no places unless they are given."""
    options: dict[str, Any] = {"places": {}, "today": TODAY} | more
    return decide(definitions, by, gate=gate, **options)


def broken(verdict: Verdict) -> set[tuple[str, str]]:
    """Rule and object of every finding."""
    return {(one.rule, one.object) for one in verdict.findings}
