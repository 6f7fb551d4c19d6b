"""Whatever a repository and its policy say, and whatever was applied before: the plan is what the apply is told."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.canonical import json_sha256
from tests.api.feast.conftest import EXAMPLE

EDITS = {
    "no owner of a view": ("liver_views.py", 'owner="hepatology@hospital.example"', 'owner=""'),
    "no owner of the sources": ("liver_sources.py", 'owner="data-office@hospital.example"', 'owner=""'),
    "a view for France": ("liver_views.py", '"residency": "EU"', '"residency": "FR"'),
    "a source for France": ("liver_sources.py", '"residency": "EU"', '"residency": "FR"'),
    "no residency": ("liver_sources.py", '"residency": "DE", ', ""),
    "a residency that is none": ("liver_views.py", '"residency": "DE"', '"residency": "Atlantis"'),
    "no time to live": ("liver_views.py", "ttl=timedelta(days=400)", "ttl=timedelta(0)"),
    "a field more": ("liver_views.py", 'Field(name="sex"', 'Field(name="enrolled", dtype=Int64), Field(name="sex"'),
    "another description": ("liver_services.py", "within 365 days", "within a year"),
    "fewer features": ("liver_services.py", '[["age_at_enrolment_years", "sex"]]', '[["sex"]]'),
    "a pack more": ("policy.yaml", "packs: [residency, ownership]", "packs: [residency, ownership, pii, gdpr-art5]"),
    "a pack less": ("policy.yaml", "packs: [residency, ownership]", "packs: [residency]"),
    "a lower level": ("policy.yaml", "callers:", "levels: {residency.place: {apply: warn}}\ncallers:"),
    "another store": ("feature_store.yaml", "data/online.db", "data/mirror-fr/online.db"),
}


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from(sorted(EDITS)), unique=True, max_size=4), min_size=1, max_size=3))
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_plan_is_what_the_apply_after_it_is_told(repository: Any, edits: list[list[str]]) -> None:
    from api.feast.plan import propose

    for change in edits:
        _edit(repository, change)
        plan = propose(repository.path).plan()
        before = len(repository.predicates("decision"))
        applied = repository.invoke("-c", str(repository.path), "apply", "--skip-source-validation")
        assert applied.exit_code == plan.exit_code, applied.output
        decisions = repository.predicates("decision")[before:]
        if decisions:
            assert [_verdict_digest(one) for one in decisions] == [plan.verdict_digest]
        else:
            assert (plan.exit_code, plan.changes) == (0, ())


def _edit(repository: Any, change: list[str]) -> None:
    """The example as it is, with these edits."""
    for name in {file for file, *_ in EDITS.values()}:
        shutil.copy(EXAMPLE / name, repository.path / name)
    for one in change:
        name, old, new = EDITS[one]
        file = repository.path / name
        file.write_text(file.read_text().replace(old, new))


def _verdict_digest(decision: dict[str, Any]) -> str:
    beside = ("project", "repository", "registry", "recorded")
    return json_sha256({name: value for name, value in decision.items() if name not in beside})


def test_every_edit_of_these_tests_changes_its_file() -> None:
    for name, old, _ in EDITS.values():
        assert old in (EXAMPLE / name).read_text()
