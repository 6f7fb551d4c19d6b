"""What is wrong in policy or definitions: one sentence with file and line from apply and plan, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.answers import Answer

DAY = "expires: 2027-01-31"
EXEMPT = "exemptions:\n  - {rule: ownership.owner, object: 'feature_view:laboratory', reason: r, approver: bo, "
DROPS = (
    "declassify:\n  - {object: 'feature_view:laboratory', drops: [secrecy], owner: ana, reason: r, approver: bo,"
    f" {DAY}}}\ncallers:"
)
RULE = "{id: ttl.short, on: feature_view, when: 'ttl_seconds > 9', message: m}"
VIEWS = "liver_views.py"


@dataclass(frozen=True)
class Bad:
    """A change of the repository, and what is said of it."""

    file: str
    old: str
    new: str
    says: str
    """what apply and plan say"""
    code: int = 2
    line: str = ""
    """the file and line that the plan names where it is a definition that is wrong; the policy's is in ``says``"""


TAGGED = 'tags={"residency": "DE", "pii": "true", "purpose": "research"}'

BAD = {
    "an unknown label": Bad(
        "policy.yaml",
        "callers:",
        "labels: {secrecy: {values: [high], flow: maximum}}\ncallers:",
        "policy.yaml:17: found 'maximum'",
    ),
    "an unknown label that a declassification drops": Bad(
        "policy.yaml",
        "callers:",
        DROPS,
        "policy.yaml:18: found unknown label 'secrecy'",
    ),
    "a place in an unknown zone": Bad(
        "policy.yaml", "zone: FR}", "zone: XX}", "policy.yaml:6: found unknown zone 'XX'; known: DE, EU, FR"
    ),
    "a tag that names an unknown zone": Bad(
        VIEWS, '"residency": "EU"', '"residency": "Atlantis"', "Atlantis", 1, f"{VIEWS}:10"
    ),
    "a tag of the wrong type": Bad(VIEWS, '"pii": "true"', '"pii": "maybe"', "'maybe'", 1, f"{VIEWS}:10"),
    "CEL that does not compile": Bad(
        "policy.yaml",
        "ttl_seconds == 0",
        "ttl_seconds ==",
        "policy.yaml:12: 'when' of rule ttl.bounded is no CEL condition",
    ),
    "an exemption without an owner": Bad(
        "policy.yaml", "callers:", f"{EXEMPT}{DAY}}}\ncallers:", "policy.yaml:18: an exemption lacks owner; write it"
    ),
    "an exemption without an expiry": Bad(
        "policy.yaml",
        "callers:",
        f"{EXEMPT}owner: ana}}\ncallers:",
        "policy.yaml:18: an exemption lacks expires; write it",
    ),
    "two rules of one name": Bad(
        "policy.yaml",
        "rules:\n",
        f"rules:\n  - {RULE.replace('ttl.short', 'ttl.bounded')}\n",
        "there are two rules with the id ttl.bounded; give this one another",
    ),
}


def _change(repository: Any, bad: Bad) -> None:
    file: Path = repository.path / bad.file
    text = file.read_text()
    assert bad.old in text
    file.write_text(text.replace(bad.old, bad.new))


def _written(repository: Any) -> dict[str, bytes]:
    names = ("data/online.db", "data/registry/head.json", "data/registry/versions")
    places = [repository.path / name for name in names]
    files = [file for place in places for file in ([place] if place.is_file() else place.glob("*"))]
    return {str(file): file.read_bytes() for file in files}


@pytest.mark.parametrize("case", BAD)
def test_it_is_told_by_apply_and_plan_with_its_line_and_nothing_is_written(
    applied: Any, provender: Callable[..., Answer], case: str
) -> None:
    repository, _ = applied
    bad = BAD[case]
    _change(repository, bad)
    before = _written(repository)
    plan = provender("plan", "--repo", repository.path)
    done = repository.invoke("-c", str(repository.path), "apply")
    assert (plan.code, done.exit_code) == (bad.code, bad.code), plan.err + done.output
    assert bad.says in plan.out + plan.err
    assert bad.says in done.output
    assert f"at:   {bad.line}\n" in plan.out if bad.line else True
    assert "Traceback" not in plan.err + done.output
    assert _written(repository) == before


def test_a_policy_that_is_gone_at_apply_time_denies_and_says_so(applied: Any, provender: Callable[..., Answer]) -> None:
    repository, store = applied
    policy = repository.path / "policy.yaml"
    policy.unlink()
    before = _written(repository)
    said = f"found no policy that can be read at {policy} (No such file or directory); write one, or correct"
    done = repository.invoke("-c", str(repository.path), "apply")
    plan = provender("plan", "--repo", repository.path)
    assert (done.exit_code, plan.code) == (2, 2)
    assert said in done.output
    assert said in plan.err
    with pytest.raises(Exception, match="found no policy that can be read"):
        store.apply([store.get_feature_view("laboratory")])  # in a process that read it before
    assert _written(repository) == before


CIRCLE = """
from feast import Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64
from liver_views import laboratory

def view(name):
    @on_demand_feature_view(name=name, sources=[laboratory], schema=[Field(name=name[0], dtype=Float64)], mode="python",
                            owner="o@hospital.example", tags={"residency": "EU"})
    def made(inputs):
        return {name[0]: next(iter(inputs.values()))}
    return made

first, second = view("alpha"), view("beta")
first.source_feature_view_projections = {"beta": second.projection}
second.source_feature_view_projections = {"alpha": first.projection}
"""


def test_on_demand_views_in_a_circle_are_an_error_that_prints_it(
    applied: Any, provender: Callable[..., Answer]
) -> None:
    repository, _ = applied
    (repository.path / "liver_circle.py").write_text(CIRCLE)
    before = _written(repository)
    done = repository.invoke("-c", str(repository.path), "apply", "--skip-feature-view-validation")
    plan = provender("plan", "--repo", repository.path)
    assert (done.exit_code, plan.code) == (2, 2), done.output + plan.err
    for said in (done.output, plan.err):
        assert "Traceback" not in said
        assert "alpha" in said
        assert "beta" in said
    assert _written(repository) == before


def test_a_clock_that_jumps_back_brings_no_exemption_into_force_before_its_day(
    repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import datetime

    from api.feast import gate

    class Jumping(datetime):
        today_is = 2

        @classmethod
        def now(cls, tz: Any = None) -> Jumping:
            return cls(2026, 6, cls.today_is, tzinfo=tz)

    policy = repository.path / "policy.yaml"
    exemption = (
        "exemptions:\n  - {rule: ownership.owner, object: 'feature_view:*', owner: ana, reason: r, approver: bo,"
        " granted: 2026-06-02, expires: 2026-06-30}\n"
    )
    policy.write_text(policy.read_text() + exemption)
    views = repository.path / VIEWS
    views.write_text(views.read_text().replace('owner="hepatology@hospital.example"', 'owner=""'))
    monkeypatch.setattr(gate, "datetime", Jumping)
    store = repository.apply()
    Jumping.today_is = 1
    before = _written(repository)
    with pytest.raises(Exception, match=r"ownership\.owner"):
        repository.apply(store)
    assert _written(repository) == before
